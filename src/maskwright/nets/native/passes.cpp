// What a step spends outside matrix products, one pass over memory each: norms with the residual sum, GeGLU, GELU, token
// vectors, the softmax over a vocabulary.
//
// In and out: raw arrays, row by row; activations in bf16 or fp32 (the suffix), arithmetic and reductions in fp32.
// Every result depends on the input and the number of threads alone. Plain C++17 with OpenMP, no header of torch.

#include <vector>

#include "numbers.h"

namespace {

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
            if (a) {
                const T *ai = a + i * width;
                T *si = s + i * width;
#pragma omp simd
                for (int64_t j = 0; j < width; j++) {
                    store(si + j, load(xi[j]) + load(ai[j]));
                    row[j] = load(si[j]);
                }
            } else {
#pragma omp simd
                for (int64_t j = 0; j < width; j++) row[j] = load(xi[j]);
            }
            float mean = total(row.data(), width) / width;
            float scale = 1.0f / std::sqrt(spread(row.data(), mean, width) / width + eps);
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
            float mean = stats[2 * i], scale = stats[2 * i + 1];
#pragma omp simd
            for (int64_t j = 0; j < width; j++) {
                float g = load(gi[j]), c = (load(si[j]) - mean) * scale;
                centred[j] = c;
                dw[j] += g * c;
                db[j] += g;
                pulled[j] = g * weight[j];
            }
            float along = dot(pulled.data(), centred.data(), width) / width, level = total(pulled.data(), width) / width;
            T *di = dx + i * width;
            if (gs) {
                const T *ri = gs + i * width;
#pragma omp simd
                for (int64_t j = 0; j < width; j++)
                    store(di + j, load(ri[j]) + scale * (pulled[j] - level - centred[j] * along));
            } else {
#pragma omp simd
                for (int64_t j = 0; j < width; j++) store(di + j, scale * (pulled[j] - level - centred[j] * along));
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

// gelu(u + bias), where the bias may be missing; and its slope there, unless it is missing: the way back is then a product.
template <typename T>
void gelu_forward(const T *u, const float *bias, T *out, T *slope, int64_t rows, int64_t width, int threads) {
    const std::vector<float> none(bias ? 0 : width);
    const float *added = bias ? bias : none.data();
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t i = 0; i < rows; i++) {
        const T *from = u + i * width;
        T *to = out + i * width, *kept = slope ? slope + i * width : nullptr;
        if (kept) {
#pragma omp simd
            for (int64_t j = 0; j < width; j++) {
                float density, integral, v = load(from[j]) + added[j];
                normal(v, density, integral);
                store(to + j, v * integral);
                store(kept + j, integral + v * density);
            }
        } else {
#pragma omp simd
            for (int64_t j = 0; j < width; j++) {
                float density, integral, v = load(from[j]) + added[j];
                normal(v, density, integral);
                store(to + j, v * integral);
            }
        }
    }
}

// dbias is a sum over rows, (threads, width), to be added up.
template <typename T>
void gelu_backward(const T *slope, const T *grad, T *du, float *dbias, int64_t rows, int64_t width, int threads) {
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int part = 0; part < threads; part++) {
        float *db = dbias + part * width;
        for (int64_t i = rows * part / threads; i < rows * (part + 1) / threads; i++) {
            const T *kept = slope + i * width, *g = grad + i * width;
            T *to = du + i * width;
#pragma omp simd
            for (int64_t j = 0; j < width; j++) {
                float d = load(g[j]) * load(kept[j]);
                store(to + j, d);
                db[j] += d;
            }
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
        float mean = total(row, width) / width;
        float scale = 1.0f / std::sqrt(spread(row, mean, width) / width + eps);
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
            float mean = stats[2 * i], scale = stats[2 * i + 1];
#pragma omp simd
            for (int64_t j = 0; j < width; j++) {
                float g = load(gi[j]), c = (row[j] - mean) * scale;
                centred[j] = c;
                dw[j] += g * c;
                pulled[j] = g * weight[j];
            }
            float along = dot(pulled.data(), centred.data(), width) / width, level = total(pulled.data(), width) / width;
            float *to = dtable + ids[i] * width;
#pragma omp simd
            for (int64_t j = 0; j < width; j++) to[j] += scale * (pulled[j] - level - centred[j] * along);
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
    void gelu_forward_##name(const T *u, const float *bias, T *out, T *slope, int64_t rows, int64_t width, int threads) {    \
        gelu_forward(u, bias, out, slope, rows, width, threads);                                                             \
    }                                                                                                                        \
    void gelu_backward_##name(const T *slope, const T *g, T *du, float *db, int64_t rows, int64_t width, int threads) {      \
        gelu_backward(slope, g, du, db, rows, width, threads);                                                               \
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
    }

extern "C" {
BOTH(float, float32)
BOTH(bf16, bfloat16)
}
