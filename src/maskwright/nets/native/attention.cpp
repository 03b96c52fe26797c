// Attention inside records, each head by itself, a block of queries at a time.
//
// In and out: raw arrays, token by token; activations in bf16 or fp32 (the suffix), arithmetic in fp32, products of long
// enough records in pairs of bf16 where the chip has them. A result depends on its own record alone.

#include <vector>

#include "pairs.h"

namespace {

typedef float Four __attribute__((vector_size(16), aligned(4)));

struct Scratch {
    std::vector<float> q, k, v, kt, vt, scores, out, dout, dscores, dq, dk, dv;
    std::vector<uint32_t> pairs[9];
};

template <typename N> inline N *room(std::vector<N> &of, int64_t size) {
    if (int64_t(of.size()) < size) of.resize(size);
    return of.data();
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

// (n, depth) to (depth, padded), four columns of four rows at a time; depth is a multiple of LANES.
inline void transpose(const float *from, float *to, int64_t n, int64_t depth, int64_t padded) {
    int64_t whole = n / 4 * 4;
    for (int64_t i = 0; i < whole; i += 4)
        for (int64_t d = 0; d < depth; d += 4) {
            const float *f = from + i * depth + d;
            float *t = to + d * padded + i;
            for (int row = 0; row < 4; row++) {
                Four column = {f[row], f[depth + row], f[2 * depth + row], f[3 * depth + row]};
                *(Four *)(t + row * padded) = column;
            }
        }
    for (int64_t d = 0; d < depth; d++) {
        for (int64_t i = whole; i < n; i++) to[d * padded + i] = from[i * depth + d];
        for (int64_t i = n; i < padded; i++) to[d * padded + i] = 0;
    }
}

// A block of queries and the keys that it may read, both counted from the record's first token.
struct Block {
    int64_t begin, end, first, last, padded;  // padded: keys, up to whole vectors; scores beyond `last` become 0
    int64_t rows, words, wide, queries;  // its queries; words of its keys in sums, and in memory; words of its queries
};

#ifdef TILES
constexpr int64_t QUERIES = 64;
#else
constexpr int64_t QUERIES = 60;
#endif

inline Block block_of(int64_t begin, int64_t n, int64_t reach) {
    Block b{begin, std::min(n, begin + QUERIES), 0, n, 0, 0, 0, 0, 0};
    if (reach) {
        b.first = std::max<int64_t>(0, begin - reach) / LANES * LANES;
        b.last = std::min(n, b.end + reach);
    }
    b.padded = up_to(b.last - b.first, LANES);
    b.rows = b.end - b.begin;
    b.words = up_to((b.last - b.first + 1) / 2, DEEP);
    b.wide = up_to(b.padded / 2, DEEP);
    b.queries = up_to((b.rows + 1) / 2, DEEP);
    return b;
}

// Scores of a block to probabilities; beyond the record and the window: 0. Rows are whole vectors, and are gone through whole:
// what is left over of a vector would be gone through one by one.
inline void softmax(float *scores, const Block &b, int64_t reach) {
    for (int64_t i = b.begin; i < b.end; i++) {
        float *row = scores + (i - b.begin) * b.padded;
        float *first = row + (reach ? std::max(b.first, i - reach) : b.first) - b.first;
        float *last = row + (reach ? std::min(b.last, i + reach + 1) : b.last) - b.first;
        std::fill(row, first, -INFINITY);
        std::fill(last, row + b.padded, -INFINITY);
        float most = largest(row, b.padded);
#pragma omp simd
        for (int64_t j = 0; j < b.padded; j++) row[j] = exponential(row[j] - most);
        float share = 1.0f / total(row, b.padded);
#pragma omp simd
        for (int64_t j = 0; j < b.padded; j++) row[j] *= share;
        std::fill(row, first, 0.0f);
        std::fill(last, row + b.padded, 0.0f);
    }
}

#ifdef __AVX512BF16__
// Scores of a block to what is to be multiplied by `share`, a row each, for probabilities; packed along a row.
inline void unscaled(float *scores, const Block &b, int64_t reach, uint32_t *packed, float *share) {
    for (int64_t i = b.begin; i < b.end; i++) {
        float *row = scores + (i - b.begin) * b.padded;
        uint32_t *to = packed + (i - b.begin) * b.wide;
        int64_t first = (reach ? std::max(b.first, i - reach) : b.first) - b.first;
        int64_t last = (reach ? std::min(b.last, i + reach + 1) : b.last) - b.first;
        std::fill(row, row + first, -INFINITY);
        std::fill(row + last, row + b.padded, -INFINITY);
        float most = largest(row, b.padded);
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
        std::fill(to + b.padded / 2, to + b.wide, 0u);
        share[i - b.begin] = 1.0f / _mm512_reduce_add_ps(sum);
    }
}
#else
inline void unscaled(float *, const Block &, int64_t, uint32_t *, float *) {}
#endif

// One head of one record, as fp32: what both directions begin with.
struct Head {
    int64_t first, n, padded, stride;
    int64_t whole;  // its tokens, up to whole vectors
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
    h.whole = up_to(h.n, LANES);
    h.padded = h.whole + std::max<int64_t>(LANES, 2 * DEEP);  // a block's keys begin at whole vectors, and end in a whole sum
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
        Tiles tiles(sizeof(T) == 2);
#pragma omp for schedule(dynamic, 1)
        for (int64_t item = 0; item < records * heads; item++) {
            Head h = head_of(qkv, cu, cosine, sine, item, heads, depth, own);
            float *o = room(own.out, h.padded * depth);
            bool pairs = in_pairs<T>(h.n, depth);
            int64_t half = depth / 2;
            uint32_t *q2 = nullptr, *kt2 = nullptr, *v2 = nullptr;
            if (pairs) {
                q2 = room(own.pairs[0], h.padded * half);
                kt2 = room(own.pairs[1], half * h.whole);
                v2 = room(own.pairs[2], h.padded / 2 * depth);
                along(h.k, depth, h.n, depth, q2, half);
                turned(q2, half, h.n, half, kt2, h.whole);
                along(h.q, depth, h.n, depth, q2, half);
                across(h.v, depth, h.n, depth, v2, h.padded / 2);
            }
            for (int64_t begin = 0; begin < h.n; begin += QUERIES) {
                Block b = block_of(begin, h.n, reach);
                float *scores = room(own.scores, QUERIES * b.padded);
                if (pairs) {
                    uint32_t *p2 = room(own.pairs[3], QUERIES * b.wide);
                    product<false>(q2 + begin * half, half, kt2 + b.first, h.whole, scores, b.padded, b.rows, b.padded, half);
                    float share[QUERIES];
                    unscaled(scores, b, reach, p2, share);
                    product<false>(p2, b.wide, v2 + b.first / 2 * depth, depth, o + begin * depth, depth, b.rows, depth, b.words);
                    for (int64_t i = 0; i < b.rows; i++)
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
        Tiles tiles(sizeof(T) == 2);
#pragma omp for schedule(dynamic, 1)
        for (int64_t item = 0; item < records * heads; item++) {
            Head h = head_of(qkv, cu, cosine, sine, item, heads, depth, own);
            float *vt = room(own.vt, depth * h.padded), *g = room(own.dout, h.n * depth);
            float *dq = room(own.dq, h.padded * depth), *dk = room(own.dk, h.padded * depth);
            float *dv = room(own.dv, h.padded * depth);
            fetch<T>(grad + (h.first * heads + item % heads) * depth, heads * depth, nullptr, nullptr, 1.0f, g, h.n, depth);
            bool pairs = in_pairs<T>(h.n, depth);
            int64_t half = depth / 2, deep = h.padded / 2;
            uint32_t *q2[2] = {}, *k2[2] = {}, *v2 = nullptr, *g2[2] = {};
            if (pairs) {
                for (int i = 0; i < 2; i++) {
                    q2[i] = room(own.pairs[i], deep * depth);
                    k2[i] = room(own.pairs[2 + i], deep * depth);
                    g2[i] = room(own.pairs[4 + i], deep * depth);
                }
                v2 = room(own.pairs[6], half * h.whole);
                along(h.k, depth, h.n, depth, q2[0], half);
                turned(q2[0], half, h.n, half, k2[0], h.whole);
                along(h.v, depth, h.n, depth, q2[0], half);
                turned(q2[0], half, h.n, half, v2, h.whole);
                along(h.q, depth, h.n, depth, q2[0], half);
                across(h.q, depth, h.n, depth, q2[1], deep);
                across(h.k, depth, h.n, depth, k2[1], deep);
                along(g, depth, h.n, depth, g2[0], half);
                across(g, depth, h.n, depth, g2[1], deep);
            } else {
                transpose(h.v, vt, h.n, depth, h.padded);
            }
            std::fill(dk, dk + h.n * depth, 0.0f);
            std::fill(dv, dv + h.n * depth, 0.0f);
            for (int64_t begin = 0; begin < h.n; begin += QUERIES) {
                Block b = block_of(begin, h.n, reach);
                int64_t rows = b.rows, keys = b.last - b.first;
                float *p = room(own.scores, QUERIES * b.padded), *dp = room(own.dscores, QUERIES * b.padded);
                float *gi = g + begin * depth;
                uint32_t *p2 = room(own.pairs[7], QUERIES * b.wide), *scratch = room(own.pairs[8], QUERIES * b.wide);
                if (pairs) {
                    product<false>(q2[0] + begin * half, half, k2[0] + b.first, h.whole, p, b.padded, rows, b.padded, half);
                    softmax(p, b, reach);
                    across(p, b.padded, rows, b.padded, p2, b.queries);
                    product_turned(p2, b.padded, g2[1] + begin / 2 * depth, depth, dv + b.first * depth, depth, keys, depth,
                                   b.queries, scratch);
                    product<false>(g2[0] + begin * half, half, v2 + b.first, h.whole, dp, b.padded, rows, b.padded, half);
                } else {
                    product<false>(h.q + begin * depth, depth, 1, h.kt + b.first, h.padded, p, b.padded, rows, b.padded, depth);
                    softmax(p, b, reach);
                    product<true>(p, 1, b.padded, gi, depth, dv + b.first * depth, depth, keys, depth, rows);
                    product<false>(gi, depth, 1, vt + b.first, h.padded, dp, b.padded, rows, b.padded, depth);
                }
                for (int64_t i = 0; i < rows; i++) {
                    float *pi = p + i * b.padded, *di = dp + i * b.padded;
                    float mean = dot(pi, di, b.padded);  // outside, probabilities are 0
#pragma omp simd
                    for (int64_t j = 0; j < b.padded; j++) di[j] = pi[j] * (di[j] - mean);
                }
                if (pairs) {
                    along(dp, b.padded, rows, b.padded, p2, b.wide);
                    product<false>(p2, b.wide, k2[1] + b.first / 2 * depth, depth, dq + begin * depth, depth, rows, depth,
                                   b.words);
                    across(dp, b.padded, rows, b.padded, p2, b.queries);
                    product_turned(p2, b.padded, q2[1] + begin / 2 * depth, depth, dk + b.first * depth, depth, keys, depth,
                                   b.queries, scratch);
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
