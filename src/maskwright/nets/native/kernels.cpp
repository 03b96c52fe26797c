// What a step spends outside matrix products, one pass over memory each: norms with the residual sum, GeGLU, the softmax
// over a vocabulary, and attention inside short records.
//
// In and out: raw arrays, row by row; activations in bf16 or fp32 (the suffix), arithmetic and reductions in fp32.
// Every result depends on the input and the number of threads alone. Plain C++17 with OpenMP and the compiler's vector
// types, no header of torch: it builds in seconds.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>
#ifdef __AVX512BF16__
#include <immintrin.h>
#endif

namespace {

struct bf16 {
    uint16_t bits;
};

inline float load(float x) { return x; }
inline float load(bf16 x) {
    uint32_t wide = uint32_t(x.bits) << 16;
    float out;
    std::memcpy(&out, &wide, 4);
    return out;
}
inline void store(float *to, float x) { *to = x; }
inline void store(bf16 *to, float x) {  // to the nearest, ties to even; a NaN stays one
    uint32_t wide;
    std::memcpy(&wide, &x, 4);
    uint32_t rounded = (wide + 0x7fff + ((wide >> 16) & 1)) >> 16;
    to->bits = uint16_t(x == x ? rounded : 0x7fc0);
}

inline float exponential(float x) {  // Cephes' expf: 2 units in the last place; vectorises
    x = std::min(std::max(x, -87.0f), 88.0f);
    float n = __builtin_rintf(x * 1.44269504f);
    float r = x - n * 0.693359375f + n * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    int32_t power = (int32_t(n) + 127) << 23;
    float scale;
    std::memcpy(&scale, &power, 4);
    return p * scale;
}

// The normal distribution's density and integral; Abramowitz and Stegun, 7.1.26, good to 1.5e-7.
inline void normal(float x, float &density, float &integral) {
    float e = exponential(-0.5f * x * x), z = std::fabs(x) * 0.70710678f;
    float t = 1.0f / (1.0f + 0.3275911f * z);
    float tail = t * (0.254829592f + t * (-0.284496736f + t * (1.421413741f + t * (-1.453152027f + t * 1.061405429f))));
    float upper = 0.5f * tail * e;
    integral = x < 0 ? upper : 1.0f - upper;
    density = 0.39894228f * e;
}

// s = x + a (a may be missing), h = norm(s) * weight + shift (shift may be missing); stats: mean and 1 / deviation a row.
template <typename T>
void norm_forward(const T *x, const T *a, const float *weight, const float *shift, T *s, T *h, float *stats, int64_t rows,
                  int64_t width, float eps, int threads) {
#pragma omp parallel num_threads(threads)
    {
        std::vector<float> row(width);
#pragma omp for schedule(static)
        for (int64_t i = 0; i < rows; i++) {
            const T *xi = x + i * width;
            float sum = 0, square = 0;
            if (a) {
                const T *ai = a + i * width;
                T *si = s + i * width;
#pragma omp simd reduction(+ : sum)
                for (int64_t j = 0; j < width; j++) {
                    store(si + j, load(xi[j]) + load(ai[j]));
                    row[j] = load(si[j]);
                    sum += row[j];
                }
            } else {
#pragma omp simd reduction(+ : sum)
                for (int64_t j = 0; j < width; j++) {
                    row[j] = load(xi[j]);
                    sum += row[j];
                }
            }
            float mean = sum / width;
#pragma omp simd reduction(+ : square)
            for (int64_t j = 0; j < width; j++) square += (row[j] - mean) * (row[j] - mean);
            float scale = 1.0f / std::sqrt(square / width + eps);
            stats[2 * i] = mean;
            stats[2 * i + 1] = scale;
            T *hi = h + i * width;
            if (shift) {
#pragma omp simd
                for (int64_t j = 0; j < width; j++) store(hi + j, (row[j] - mean) * scale * weight[j] + shift[j]);
            } else {
#pragma omp simd
                for (int64_t j = 0; j < width; j++) store(hi + j, (row[j] - mean) * scale * weight[j]);
            }
        }
    }
}

// dx = gs + the norm's own (gs may be missing); dweight and dshift are sums over rows, (threads, width) each, to be added up.
template <typename T>
void norm_backward(const T *s, const float *stats, const float *weight, const T *gs, const T *gh, T *dx, float *dweight,
                   float *dshift, int64_t rows, int64_t width, int threads) {
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int part = 0; part < threads; part++) {
        std::vector<float> centred(width), pulled(width);
        float *dw = dweight + part * width, *db = dshift + part * width;
        for (int64_t i = rows * part / threads; i < rows * (part + 1) / threads; i++) {
            const T *si = s + i * width, *gi = gh + i * width;
            float mean = stats[2 * i], scale = stats[2 * i + 1], along = 0, total = 0;
#pragma omp simd reduction(+ : along, total)
            for (int64_t j = 0; j < width; j++) {
                float g = load(gi[j]), c = (load(si[j]) - mean) * scale;
                centred[j] = c;
                dw[j] += g * c;
                db[j] += g;
                g *= weight[j];
                pulled[j] = g;
                along += g * c;
                total += g;
            }
            along /= width;
            total /= width;
            T *di = dx + i * width;
            if (gs) {
                const T *ri = gs + i * width;
#pragma omp simd
                for (int64_t j = 0; j < width; j++)
                    store(di + j, load(ri[j]) + scale * (pulled[j] - total - centred[j] * along));
            } else {
#pragma omp simd
                for (int64_t j = 0; j < width; j++) store(di + j, scale * (pulled[j] - total - centred[j] * along));
            }
        }
    }
}

// (rows, 2 ff): value and gate -> gelu(value) * gate.
template <typename T> void geglu_forward(const T *u, T *out, int64_t rows, int64_t ff, int threads) {
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t i = 0; i < rows; i++) {
        const T *value = u + 2 * i * ff, *gate = value + ff;
        T *to = out + i * ff;
#pragma omp simd
        for (int64_t j = 0; j < ff; j++) {
            float density, integral, v = load(value[j]);
            normal(v, density, integral);
            store(to + j, v * integral * load(gate[j]));
        }
    }
}

template <typename T> void geglu_backward(const T *u, const T *grad, T *du, int64_t rows, int64_t ff, int threads) {
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t i = 0; i < rows; i++) {
        const T *value = u + 2 * i * ff, *gate = value + ff, *g = grad + i * ff;
        T *dvalue = du + 2 * i * ff, *dgate = dvalue + ff;
#pragma omp simd
        for (int64_t j = 0; j < ff; j++) {
            float density, integral, v = load(value[j]), gj = load(g[j]);
            normal(v, density, integral);
            store(dvalue + j, gj * load(gate[j]) * (integral + v * density));
            store(dgate + j, gj * v * integral);
        }
    }
}

// lse = log sum exp(logits + bias) and nll = lse - (logits + bias)[target], a row each.
template <typename T>
void nll_forward(const T *logits, const float *bias, const int64_t *target, float *lse, float *nll, int64_t rows,
                 int64_t size, int threads) {
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t i = 0; i < rows; i++) {
        const T *row = logits + i * size;
        float most = -INFINITY, sum = 0;
#pragma omp simd reduction(max : most)
        for (int64_t j = 0; j < size; j++) most = std::max(most, load(row[j]) + bias[j]);
#pragma omp simd reduction(+ : sum)
        for (int64_t j = 0; j < size; j++) sum += exponential(load(row[j]) + bias[j] - most);
        lse[i] = most + std::log(sum);
        nll[i] = lse[i] - load(row[target[i]]) - bias[target[i]];
    }
}

// Logits become their own gradients in place: (softmax - one at the target) * grad; dbias is (threads, size), to be added up.
template <typename T>
void nll_backward(T *logits, const float *bias, const int64_t *target, const float *lse, const float *grad, float *dbias,
                  int64_t rows, int64_t size, int threads) {
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int part = 0; part < threads; part++) {
        float *db = dbias + part * size;
        for (int64_t i = rows * part / threads; i < rows * (part + 1) / threads; i++) {
            T *row = logits + i * size;
            float g = grad[i], shift = lse[i];
            int64_t right = target[i];
            float there = g * (exponential(load(row[right]) + bias[right] - shift) - 1.0f);
#pragma omp simd
            for (int64_t j = 0; j < size; j++) {
                float p = g * exponential(load(row[j]) + bias[j] - shift);
                store(row + j, p);
                db[j] += p;
            }
            store(row + right, there);
            db[right] -= g;
        }
    }
}

// Token vectors (rows of a table) and their norm in one pass; stats as above.
template <typename T>
void embed_forward(const float *table, const int64_t *ids, const float *weight, T *h, float *stats, int64_t rows,
                   int64_t width, float eps, int threads) {
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t i = 0; i < rows; i++) {
        const float *row = table + ids[i] * width;
        float sum = 0, square = 0;
#pragma omp simd reduction(+ : sum)
        for (int64_t j = 0; j < width; j++) sum += row[j];
        float mean = sum / width;
#pragma omp simd reduction(+ : square)
        for (int64_t j = 0; j < width; j++) square += (row[j] - mean) * (row[j] - mean);
        float scale = 1.0f / std::sqrt(square / width + eps);
        stats[2 * i] = mean;
        stats[2 * i + 1] = scale;
        T *to = h + i * width;
#pragma omp simd
        for (int64_t j = 0; j < width; j++) store(to + j, (row[j] - mean) * scale * weight[j]);
    }
}

// Adds to dtable; a thread owns the ids that fall to it, and takes rows in order.
template <typename T>
void embed_backward(const float *table, const int64_t *ids, const float *stats, const float *weight, const T *gh,
                    float *dtable, float *dweight, int64_t rows, int64_t width, int threads) {
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int part = 0; part < threads; part++) {
        std::vector<float> centred(width), pulled(width);
        float *dw = dweight + part * width;
        for (int64_t i = 0; i < rows; i++) {
            if (ids[i] % threads != part) continue;
            const float *row = table + ids[i] * width;
            const T *gi = gh + i * width;
            float mean = stats[2 * i], scale = stats[2 * i + 1], along = 0, total = 0;
#pragma omp simd reduction(+ : along, total)
            for (int64_t j = 0; j < width; j++) {
                float g = load(gi[j]), c = (row[j] - mean) * scale;
                centred[j] = c;
                dw[j] += g * c;
                g *= weight[j];
                pulled[j] = g;
                along += g * c;
                total += g;
            }
            along /= width;
            total /= width;
            float *to = dtable + ids[i] * width;
#pragma omp simd
            for (int64_t j = 0; j < width; j++) to[j] += scale * (pulled[j] - total - centred[j] * along);
        }
    }
}

// Attention inside records, each head by itself, a block of queries at a time, in fp32.

// A tile of 6 rows keeps its sums in registers: 24 of the 32 that AVX-512 has, 12 of the 16 of AVX2.
#ifdef __AVX512F__
constexpr int LANES = 16, WIDEST = 4;
#else
constexpr int LANES = 8, WIDEST = 2;
#endif
typedef float Vector __attribute__((vector_size(4 * LANES), aligned(4)));

// C (m, n) = A (m, k) B (k, n), or += where it adds; n is a multiple of LANES, A is read as A[i * down + j * right].
template <bool ADD, int ROWS, int WIDE>
inline void tile(const float *A, int64_t down, int64_t right, const float *B, int64_t ldb, float *C, int64_t ldc, int64_t k) {
    Vector sum[ROWS][WIDE];
    for (int r = 0; r < ROWS; r++)
        for (int w = 0; w < WIDE; w++) sum[r][w] = ADD ? *(Vector *)(C + r * ldc + w * LANES) : Vector{};
    for (int64_t p = 0; p < k; p++) {
        Vector b[WIDE];
        for (int w = 0; w < WIDE; w++) b[w] = *(const Vector *)(B + p * ldb + w * LANES);
        for (int r = 0; r < ROWS; r++) {
            float x = A[r * down + p * right];
            for (int w = 0; w < WIDE; w++) sum[r][w] += x * b[w];
        }
    }
    for (int r = 0; r < ROWS; r++)
        for (int w = 0; w < WIDE; w++) *(Vector *)(C + r * ldc + w * LANES) = sum[r][w];
}

template <bool ADD, int WIDE>
inline void strip(const float *A, int64_t down, int64_t right, const float *B, int64_t ldb, float *C, int64_t ldc, int64_t m,
                  int64_t k) {
    int64_t i = 0;
    for (; i + 6 <= m; i += 6) tile<ADD, 6, WIDE>(A + i * down, down, right, B, ldb, C + i * ldc, ldc, k);
    for (; i + 2 <= m; i += 2) tile<ADD, 2, WIDE>(A + i * down, down, right, B, ldb, C + i * ldc, ldc, k);
    for (; i < m; i++) tile<ADD, 1, WIDE>(A + i * down, down, right, B, ldb, C + i * ldc, ldc, k);
}

template <bool ADD>
void product(const float *A, int64_t down, int64_t right, const float *B, int64_t ldb, float *C, int64_t ldc, int64_t m,
             int64_t n, int64_t k) {
    int64_t j = 0;
    for (; j + WIDEST * LANES <= n; j += WIDEST * LANES)
        strip<ADD, WIDEST>(A, down, right, B + j, ldb, C + j, ldc, m, k);
    for (; j + 2 * LANES <= n; j += 2 * LANES) strip<ADD, 2>(A, down, right, B + j, ldb, C + j, ldc, m, k);
    for (; j < n; j += LANES) strip<ADD, 1>(A, down, right, B + j, ldb, C + j, ldc, m, k);
}

struct Scratch {
    std::vector<float> q, k, v, kt, vt, scores, out, dout, dscores, dq, dk, dv;
    std::vector<uint32_t> pairs[12];
};

template <typename N> inline N *room(std::vector<N> &of, int64_t size) {
    if (int64_t(of.size()) < size) of.resize(size);
    return of.data();
}

// The same products of pairs of bf16, which some chips multiply twice as fast, summed in fp32. A word holds two numbers that
// follow each other along the dimension that is summed over; `across` packs the two of neighbouring rows, `along` of columns.
#ifdef __AVX512BF16__
constexpr bool PAIRS = true;

inline __m512i rounded(const float *from) { return _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(_mm512_loadu_ps(from))); }

void across(const float *from, int64_t stride, int64_t rows, int64_t columns, uint32_t *to) {
    for (int64_t i = 0; i < rows; i += 2)
        for (int64_t j = 0; j < columns; j += LANES) {
            __m512i low = rounded(from + i * stride + j);
            __m512i high = i + 1 < rows ? rounded(from + (i + 1) * stride + j) : _mm512_setzero_si512();
            _mm512_storeu_si512(to + i / 2 * columns + j, _mm512_or_si512(low, _mm512_slli_epi32(high, 16)));
        }
}

void along(const float *from, int64_t stride, int64_t rows, int64_t columns, uint32_t *to) {
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j += LANES)
            _mm256_storeu_si256((__m256i *)(to + (i * columns + j) / 2),
                                (__m256i)_mm512_cvtneps_pbh(_mm512_loadu_ps(from + i * stride + j)));
}

void turned(const uint32_t *from, int64_t rows, int64_t columns, uint32_t *to, int64_t padded) {
    for (int64_t j = 0; j < columns; j++) {
        for (int64_t i = 0; i < rows; i++) to[j * padded + i] = from[i * columns + j];
        for (int64_t i = rows; i < padded; i++) to[j * padded + i] = 0;
    }
}

template <bool ADD, int ROWS, int WIDE>
inline void tile_pairs(const uint32_t *A, int64_t down, int64_t right, const uint32_t *B, int64_t ldb, float *C, int64_t ldc,
                       int64_t k) {
    __m512 sum[ROWS][WIDE];
    for (int r = 0; r < ROWS; r++)
        for (int w = 0; w < WIDE; w++) sum[r][w] = ADD ? _mm512_loadu_ps(C + r * ldc + w * LANES) : _mm512_setzero_ps();
    for (int64_t p = 0; p < k; p++) {
        __m512bh b[WIDE];
        for (int w = 0; w < WIDE; w++) b[w] = (__m512bh)_mm512_loadu_si512(B + p * ldb + w * LANES);
        for (int r = 0; r < ROWS; r++) {
            __m512bh a = (__m512bh)_mm512_set1_epi32(int(A[r * down + p * right]));
            for (int w = 0; w < WIDE; w++) sum[r][w] = _mm512_dpbf16_ps(sum[r][w], a, b[w]);
        }
    }
    for (int r = 0; r < ROWS; r++)
        for (int w = 0; w < WIDE; w++) _mm512_storeu_ps(C + r * ldc + w * LANES, sum[r][w]);
}

template <bool ADD, int WIDE>
inline void strip_pairs(const uint32_t *A, int64_t down, int64_t right, const uint32_t *B, int64_t ldb, float *C, int64_t ldc,
                        int64_t m, int64_t k) {
    int64_t i = 0;
    for (; i + 6 <= m; i += 6) tile_pairs<ADD, 6, WIDE>(A + i * down, down, right, B, ldb, C + i * ldc, ldc, k);
    for (; i + 2 <= m; i += 2) tile_pairs<ADD, 2, WIDE>(A + i * down, down, right, B, ldb, C + i * ldc, ldc, k);
    for (; i < m; i++) tile_pairs<ADD, 1, WIDE>(A + i * down, down, right, B, ldb, C + i * ldc, ldc, k);
}

// C (m, n) = A B; k counts words.
template <bool ADD>
void product(const uint32_t *A, int64_t down, int64_t right, const uint32_t *B, int64_t ldb, float *C, int64_t ldc, int64_t m,
             int64_t n, int64_t k) {
    int64_t j = 0;
    for (; j + 4 * LANES <= n; j += 4 * LANES) strip_pairs<ADD, 4>(A, down, right, B + j, ldb, C + j, ldc, m, k);
    for (; j + 2 * LANES <= n; j += 2 * LANES) strip_pairs<ADD, 2>(A, down, right, B + j, ldb, C + j, ldc, m, k);
    for (; j < n; j += LANES) strip_pairs<ADD, 1>(A, down, right, B + j, ldb, C + j, ldc, m, k);
}
#else
constexpr bool PAIRS = false;
inline void across(const float *, int64_t, int64_t, int64_t, uint32_t *) {}
inline void along(const float *, int64_t, int64_t, int64_t, uint32_t *) {}
inline void turned(const uint32_t *, int64_t, int64_t, uint32_t *, int64_t) {}
template <bool ADD>
void product(const uint32_t *, int64_t, int64_t, const uint32_t *, int64_t, float *, int64_t, int64_t, int64_t, int64_t) {}
#endif

constexpr int64_t WORTH_PACKING = 48;  // tokens of a record, below which packing costs more than it brings

template <typename T> inline bool in_pairs(int64_t n, int64_t depth) {
    return PAIRS && sizeof(T) == 2 && n >= WORTH_PACKING && depth % 32 == 0;
}

// Rows of one head, turned by the angles (cosine and sine may be missing) and scaled, as fp32.
template <typename T>
void fetch(const T *from, int64_t stride, const float *cosine, const float *sine, float scale, float *to, int64_t n,
           int64_t depth) {
    int64_t half = depth / 2;
    for (int64_t i = 0; i < n; i++) {
        const T *row = from + i * stride;
        float *out = to + i * depth;
        if (cosine) {
            const float *c = cosine + i * half, *s = sine + i * half;
#pragma omp simd
            for (int64_t j = 0; j < half; j++) {
                float a = load(row[j]) * scale, b = load(row[j + half]) * scale;
                out[j] = a * c[j] - b * s[j];
                out[j + half] = b * c[j] + a * s[j];
            }
        } else {
#pragma omp simd
            for (int64_t j = 0; j < depth; j++) out[j] = load(row[j]) * scale;
        }
    }
}

// The way back of `fetch` for gradients: turned by the negative angles.
template <typename T>
void give(const float *from, const float *cosine, const float *sine, float scale, T *to, int64_t stride, int64_t n,
          int64_t depth) {
    int64_t half = depth / 2;
    for (int64_t i = 0; i < n; i++) {
        const float *row = from + i * depth;
        T *out = to + i * stride;
        if (cosine) {
            const float *c = cosine + i * half, *s = sine + i * half;
#pragma omp simd
            for (int64_t j = 0; j < half; j++) {
                float a = row[j] * scale, b = row[j + half] * scale;
                store(out + j, a * c[j] + b * s[j]);
                store(out + j + half, b * c[j] - a * s[j]);
            }
        } else {
#pragma omp simd
            for (int64_t j = 0; j < depth; j++) store(out + j, row[j] * scale);
        }
    }
}

inline void transpose(const float *from, float *to, int64_t n, int64_t depth, int64_t padded) {
    for (int64_t d = 0; d < depth; d++) {
        for (int64_t i = 0; i < n; i++) to[d * padded + i] = from[i * depth + d];
        for (int64_t i = n; i < padded; i++) to[d * padded + i] = 0;
    }
}

// A block of queries and the keys that it may read, both counted from the record's first token.
struct Block {
    int64_t begin, end, first, last, padded;  // padded: keys, up to whole vectors; scores beyond `last` become 0
};

constexpr int64_t QUERIES = 60;

inline Block block_of(int64_t begin, int64_t n, int64_t reach) {
    Block b{begin, std::min(n, begin + QUERIES), 0, n, 0};
    if (reach) {
        b.first = std::max<int64_t>(0, begin - reach) / LANES * LANES;
        b.last = std::min(n, b.end + reach);
    }
    b.padded = (b.last - b.first + LANES - 1) / LANES * LANES;
    return b;
}

// Scores of a block to probabilities; beyond the record and the window: 0.
inline void softmax(float *scores, const Block &b, int64_t reach) {
    for (int64_t i = b.begin; i < b.end; i++) {
        float *row = scores + (i - b.begin) * b.padded, most = -INFINITY, sum = 0;
        int64_t first = (reach ? std::max(b.first, i - reach) : b.first) - b.first;
        int64_t last = (reach ? std::min(b.last, i + reach + 1) : b.last) - b.first;
        for (int64_t j = 0; j < first; j++) row[j] = 0;
        for (int64_t j = last; j < b.padded; j++) row[j] = 0;
#pragma omp simd reduction(max : most)
        for (int64_t j = first; j < last; j++) most = std::max(most, row[j]);
#pragma omp simd reduction(+ : sum)
        for (int64_t j = first; j < last; j++) {
            row[j] = exponential(row[j] - most);
            sum += row[j];
        }
        float share = 1.0f / sum;
#pragma omp simd
        for (int64_t j = first; j < last; j++) row[j] *= share;
    }
}

#ifdef __AVX512BF16__
inline __m512 exponential(__m512 x) {  // the same as above, but that values below e^-87 become 0
    __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(1.44269504f)), 0);
    __m512 r = _mm512_fnmadd_ps(n, _mm512_set1_ps(0.693359375f), x);
    r = _mm512_fmadd_ps(n, _mm512_set1_ps(2.12194440e-4f), r);
    __m512 p = _mm512_set1_ps(1.9875691500e-4f);
    for (float c : {1.3981999507e-3f, 8.3334519073e-3f, 4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f})
        p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(c));
    p = _mm512_fmadd_ps(p, _mm512_mul_ps(r, r), _mm512_add_ps(r, _mm512_set1_ps(1.0f)));
    return _mm512_scalef_ps(p, n);
}

// Scores of a block to what is to be multiplied by `share`, a row each, for probabilities; packed along a row.
inline void unscaled(const float *scores, const Block &b, int64_t reach, uint32_t *packed, float *share) {
    for (int64_t i = b.begin; i < b.end; i++) {
        const float *row = scores + (i - b.begin) * b.padded;
        uint32_t *to = packed + (i - b.begin) * b.padded / 2;
        int64_t first = (reach ? std::max(b.first, i - reach) : b.first) - b.first;
        int64_t last = (reach ? std::min(b.last, i + reach + 1) : b.last) - b.first;
        float most = -INFINITY;
#pragma omp simd reduction(max : most)
        for (int64_t j = first; j < last; j++) most = std::max(most, row[j]);
        __m512 sum = _mm512_setzero_ps();
        for (int64_t j = 0; j < b.padded; j += LANES) {
            int64_t from = std::min<int64_t>(std::max<int64_t>(first - j, 0), LANES);
            int64_t past = std::min<int64_t>(std::max<int64_t>(last - j, 0), LANES);
            __mmask16 inside = __mmask16((1u << past) - 1) & ~__mmask16((1u << from) - 1);
            __m512 shifted = _mm512_sub_ps(_mm512_loadu_ps(row + j), _mm512_set1_ps(most));
            __m512 value = _mm512_maskz_mov_ps(inside, exponential(shifted));
            sum = _mm512_add_ps(sum, value);
            _mm256_storeu_si256((__m256i *)(to + j / 2), (__m256i)_mm512_cvtneps_pbh(value));
        }
        share[i - b.begin] = 1.0f / _mm512_reduce_add_ps(sum);
    }
}
#else
inline void unscaled(const float *, const Block &, int64_t, uint32_t *, float *) {}
#endif

// One head of one record, as fp32: what both directions begin with.
struct Head {
    int64_t first, n, padded, stride;
    const float *cosine, *sine;
    float *q, *k, *v, *kt;
};

template <typename T>
Head head_of(const T *qkv, const int64_t *cu, const float *cosine, const float *sine, int64_t item, int64_t heads,
             int64_t depth, Scratch &own) {
    int64_t record = item / heads, head = item % heads;
    Head h{};
    h.first = cu[record];
    h.n = cu[record + 1] - h.first;
    h.padded = (h.n + LANES - 1) / LANES * LANES + LANES;  // a block's keys begin at whole vectors, and end in one
    h.stride = 3 * heads * depth;
    h.cosine = cosine ? cosine + h.first * depth / 2 : nullptr;
    h.sine = sine ? sine + h.first * depth / 2 : nullptr;
    h.q = room(own.q, h.n * depth);
    h.k = room(own.k, h.n * depth);
    h.v = room(own.v, h.n * depth);
    h.kt = room(own.kt, depth * h.padded);
    const T *from = qkv + h.first * h.stride + head * depth;
    fetch(from, h.stride, h.cosine, h.sine, 1.0f / std::sqrt(float(depth)), h.q, h.n, depth);
    fetch(from + heads * depth, h.stride, h.cosine, h.sine, 1.0f, h.k, h.n, depth);
    fetch<T>(from + 2 * heads * depth, h.stride, nullptr, nullptr, 1.0f, h.v, h.n, depth);
    if (!in_pairs<T>(h.n, depth)) transpose(h.k, h.kt, h.n, depth, h.padded);
    return h;
}

// qkv (tokens, 3, heads, depth) -> out (tokens, heads, depth). cosine, sine: (tokens, depth / 2) or missing.
// reach: |i - j| at the most, 0: no limit. depth is a multiple of LANES.
template <typename T>
void attend_forward(const T *qkv, const int64_t *cu, const float *cosine, const float *sine, T *out, int64_t records,
                    int64_t heads, int64_t depth, int64_t reach, int threads) {
#pragma omp parallel num_threads(threads)
    {
        Scratch own;
#pragma omp for schedule(dynamic, 1)
        for (int64_t item = 0; item < records * heads; item++) {
            Head h = head_of(qkv, cu, cosine, sine, item, heads, depth, own);
            float *o = room(own.out, h.n * depth);
            bool pairs = in_pairs<T>(h.n, depth);
            int64_t half = depth / 2;
            uint32_t *q2 = nullptr, *kt2 = nullptr, *v2 = nullptr;
            if (pairs) {
                q2 = room(own.pairs[0], h.n * half);
                kt2 = room(own.pairs[1], half * h.padded);
                v2 = room(own.pairs[2], (h.n + 1) / 2 * depth);
                along(h.k, depth, h.n, depth, q2);
                turned(q2, h.n, half, kt2, h.padded);
                along(h.q, depth, h.n, depth, q2);
                across(h.v, depth, h.n, depth, v2);
            }
            for (int64_t begin = 0; begin < h.n; begin += QUERIES) {
                Block b = block_of(begin, h.n, reach);
                float *scores = room(own.scores, QUERIES * b.padded);
                if (pairs) {
                    int64_t rows = b.end - begin;
                    uint32_t *p2 = room(own.pairs[3], QUERIES * b.padded / 2);
                    product<false>(q2 + begin * half, half, 1, kt2 + b.first, h.padded, scores, b.padded, rows, b.padded, half);
                    float share[QUERIES];
                    unscaled(scores, b, reach, p2, share);
                    product<false>(p2, b.padded / 2, 1, v2 + b.first / 2 * depth, depth, o + begin * depth, depth, rows, depth,
                                   (b.last - b.first + 1) / 2);
                    for (int64_t i = 0; i < rows; i++)
                        for (int64_t j = 0; j < depth; j++) o[(begin + i) * depth + j] *= share[i];
                    continue;
                }
                product<false>(h.q + begin * depth, depth, 1, h.kt + b.first, h.padded, scores, b.padded, b.end - begin,
                               b.padded, depth);
                softmax(scores, b, reach);
                product<false>(scores, b.padded, 1, h.v + b.first * depth, depth, o + begin * depth, depth, b.end - begin,
                               depth, b.last - b.first);
            }
            give<T>(o, nullptr, nullptr, 1.0f, out + (h.first * heads + item % heads) * depth, heads * depth, h.n, depth);
        }
    }
}

template <typename T>
void attend_backward(const T *qkv, const int64_t *cu, const float *cosine, const float *sine, const T *grad, T *dqkv,
                     int64_t records, int64_t heads, int64_t depth, int64_t reach, int threads) {
#pragma omp parallel num_threads(threads)
    {
        Scratch own;
#pragma omp for schedule(dynamic, 1)
        for (int64_t item = 0; item < records * heads; item++) {
            Head h = head_of(qkv, cu, cosine, sine, item, heads, depth, own);
            float *vt = room(own.vt, depth * h.padded), *g = room(own.dout, h.n * depth);
            float *dq = room(own.dq, h.n * depth), *dk = room(own.dk, h.n * depth), *dv = room(own.dv, h.n * depth);
            fetch<T>(grad + (h.first * heads + item % heads) * depth, heads * depth, nullptr, nullptr, 1.0f, g, h.n, depth);
            bool pairs = in_pairs<T>(h.n, depth);
            int64_t half = depth / 2, twos = (h.n + 1) / 2;
            uint32_t *q2[2] = {}, *k2[2] = {}, *v2 = nullptr, *g2[2] = {};
            if (pairs) {
                for (int i = 0; i < 2; i++) {
                    q2[i] = room(own.pairs[i], twos * depth);
                    k2[i] = room(own.pairs[2 + i], i ? twos * depth : half * h.padded);
                    g2[i] = room(own.pairs[4 + i], twos * depth);
                }
                v2 = room(own.pairs[6], half * h.padded);
                along(h.k, depth, h.n, depth, q2[0]);
                turned(q2[0], h.n, half, k2[0], h.padded);
                along(h.v, depth, h.n, depth, q2[0]);
                turned(q2[0], h.n, half, v2, h.padded);
                along(h.q, depth, h.n, depth, q2[0]);
                across(h.q, depth, h.n, depth, q2[1]);
                across(h.k, depth, h.n, depth, k2[1]);
                along(g, depth, h.n, depth, g2[0]);
                across(g, depth, h.n, depth, g2[1]);
            } else {
                transpose(h.v, vt, h.n, depth, h.padded);
            }
            std::fill(dk, dk + h.n * depth, 0.0f);
            std::fill(dv, dv + h.n * depth, 0.0f);
            for (int64_t begin = 0; begin < h.n; begin += QUERIES) {
                Block b = block_of(begin, h.n, reach);
                int64_t rows = b.end - begin, keys = b.last - b.first;
                float *p = room(own.scores, QUERIES * b.padded), *dp = room(own.dscores, QUERIES * b.padded);
                float *gi = g + begin * depth;
                uint32_t *p2 = room(own.pairs[7], QUERIES * b.padded / 2);
                if (pairs) {
                    product<false>(q2[0] + begin * half, half, 1, k2[0] + b.first, h.padded, p, b.padded, rows, b.padded, half);
                    softmax(p, b, reach);
                    across(p, b.padded, rows, b.padded, p2);
                    product<true>(p2, 1, b.padded, g2[1] + begin / 2 * depth, depth, dv + b.first * depth, depth, keys, depth,
                                  (rows + 1) / 2);
                    product<false>(g2[0] + begin * half, half, 1, v2 + b.first, h.padded, dp, b.padded, rows, b.padded, half);
                } else {
                    product<false>(h.q + begin * depth, depth, 1, h.kt + b.first, h.padded, p, b.padded, rows, b.padded, depth);
                    softmax(p, b, reach);
                    product<true>(p, 1, b.padded, gi, depth, dv + b.first * depth, depth, keys, depth, rows);
                    product<false>(gi, depth, 1, vt + b.first, h.padded, dp, b.padded, rows, b.padded, depth);
                }
                for (int64_t i = 0; i < rows; i++) {
                    float *pi = p + i * b.padded, *di = dp + i * b.padded, mean = 0;
#pragma omp simd reduction(+ : mean)
                    for (int64_t j = 0; j < keys; j++) mean += pi[j] * di[j];
#pragma omp simd
                    for (int64_t j = 0; j < keys; j++) di[j] = pi[j] * (di[j] - mean);
                    for (int64_t j = keys; j < b.padded; j++) di[j] = 0;
                }
                if (pairs) {
                    along(dp, b.padded, rows, b.padded, p2);
                    product<false>(p2, b.padded / 2, 1, k2[1] + b.first / 2 * depth, depth, dq + begin * depth, depth, rows,
                                   depth, (keys + 1) / 2);
                    across(dp, b.padded, rows, b.padded, p2);
                    product<true>(p2, 1, b.padded, q2[1] + begin / 2 * depth, depth, dk + b.first * depth, depth, keys, depth,
                                  (rows + 1) / 2);
                    continue;
                }
                product<false>(dp, b.padded, 1, h.k + b.first * depth, depth, dq + begin * depth, depth, rows, depth, keys);
                product<true>(dp, 1, b.padded, h.q + begin * depth, depth, dk + b.first * depth, depth, keys, depth, rows);
            }
            T *to = dqkv + h.first * h.stride + item % heads * depth;
            give(dq, h.cosine, h.sine, 1.0f / std::sqrt(float(depth)), to, h.stride, h.n, depth);
            give(dk, h.cosine, h.sine, 1.0f, to + heads * depth, h.stride, h.n, depth);
            give<T>(dv, nullptr, nullptr, 1.0f, to + 2 * heads * depth, h.stride, h.n, depth);
        }
    }
}

}  // namespace

#define BOTH(T, name)                                                                                                        \
    void norm_forward_##name(const T *x, const T *a, const float *w, const float *b, T *s, T *h, float *stats, int64_t rows, \
                             int64_t width, float eps, int threads) {                                                        \
        norm_forward(x, a, w, b, s, h, stats, rows, width, eps, threads);                                                    \
    }                                                                                                                        \
    void norm_backward_##name(const T *s, const float *stats, const float *w, const T *gs, const T *gh, T *dx, float *dw,    \
                              float *db, int64_t rows, int64_t width, int threads) {                                         \
        norm_backward(s, stats, w, gs, gh, dx, dw, db, rows, width, threads);                                                \
    }                                                                                                                        \
    void geglu_forward_##name(const T *u, T *out, int64_t rows, int64_t ff, int threads) {                                   \
        geglu_forward(u, out, rows, ff, threads);                                                                            \
    }                                                                                                                        \
    void geglu_backward_##name(const T *u, const T *g, T *du, int64_t rows, int64_t ff, int threads) {                       \
        geglu_backward(u, g, du, rows, ff, threads);                                                                         \
    }                                                                                                                        \
    void nll_forward_##name(const T *logits, const float *bias, const int64_t *target, float *lse, float *nll, int64_t rows, \
                            int64_t size, int threads) {                                                                     \
        nll_forward(logits, bias, target, lse, nll, rows, size, threads);                                                    \
    }                                                                                                                        \
    void nll_backward_##name(T *logits, const float *bias, const int64_t *target, const float *lse, const float *grad,       \
                             float *dbias, int64_t rows, int64_t size, int threads) {                                        \
        nll_backward(logits, bias, target, lse, grad, dbias, rows, size, threads);                                           \
    }                                                                                                                        \
    void embed_forward_##name(const float *table, const int64_t *ids, const float *w, T *h, float *stats, int64_t rows,      \
                              int64_t width, float eps, int threads) {                                                       \
        embed_forward(table, ids, w, h, stats, rows, width, eps, threads);                                                   \
    }                                                                                                                        \
    void embed_backward_##name(const float *table, const int64_t *ids, const float *stats, const float *w, const T *gh,      \
                               float *dtable, float *dw, int64_t rows, int64_t width, int threads) {                         \
        embed_backward(table, ids, stats, w, gh, dtable, dw, rows, width, threads);                                          \
    }                                                                                                                        \
    void attend_forward_##name(const T *qkv, const int64_t *cu, const float *c, const float *s, T *out, int64_t records,     \
                               int64_t heads, int64_t depth, int64_t reach, int threads) {                                   \
        attend_forward(qkv, cu, c, s, out, records, heads, depth, reach, threads);                                           \
    }                                                                                                                        \
    void attend_backward_##name(const T *qkv, const int64_t *cu, const float *c, const float *s, const T *g, T *dqkv,        \
                                int64_t records, int64_t heads, int64_t depth, int64_t reach, int threads) {                 \
        attend_backward(qkv, cu, c, s, g, dqkv, records, heads, depth, reach, threads);                                      \
    }

extern "C" {
BOTH(float, float32)
BOTH(bf16, bfloat16)
}
