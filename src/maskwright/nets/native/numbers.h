// Numbers as the kernels see them: bf16 and fp32 in memory, fp32 in arithmetic; sums, exponentials, the normal distribution.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#ifdef __AVX512F__
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

#ifdef __AVX512F__
constexpr int LANES = 16;
#else
constexpr int LANES = 8;
#endif
typedef float Vector __attribute__((vector_size(4 * LANES), aligned(4)));

// Lanes to one number. Compilers add those of a loop up one after the other, which takes as long as a short row does.
#ifdef __AVX512F__
inline float sum_of(Vector lanes) { return _mm512_reduce_add_ps((__m512)lanes); }
inline float most_of(Vector lanes) { return _mm512_reduce_max_ps((__m512)lanes); }
#else
inline float sum_of(Vector lanes) {
    float out = 0;
    for (int i = 0; i < LANES; i++) out += lanes[i];
    return out;
}
inline float most_of(Vector lanes) {
    float out = lanes[0];
    for (int i = 1; i < LANES; i++) out = std::max(out, load(lanes[i]));
    return out;
}
#endif

inline float total(const float *x, int64_t n) {
    Vector sum = {};
    int64_t j = 0;
    for (; j + LANES <= n; j += LANES) sum += *(const Vector *)(x + j);
    float out = sum_of(sum);
    for (; j < n; j++) out += x[j];
    return out;
}

inline float dot(const float *x, const float *y, int64_t n) {
    Vector sum = {};
    int64_t j = 0;
    for (; j + LANES <= n; j += LANES) sum += *(const Vector *)(x + j) * *(const Vector *)(y + j);
    float out = sum_of(sum);
    for (; j < n; j++) out += x[j] * y[j];
    return out;
}

// The sum of squared distances from the mean.
inline float spread(const float *x, float mean, int64_t n) {
    Vector sum = {};
    int64_t j = 0;
    for (; j + LANES <= n; j += LANES) {
        Vector apart = *(const Vector *)(x + j) - mean;
        sum += apart * apart;
    }
    float out = sum_of(sum);
    for (; j < n; j++) out += (x[j] - mean) * (x[j] - mean);
    return out;
}

inline float largest(const float *x, int64_t n) {  // n is a multiple of LANES
    Vector most = *(const Vector *)x;
    for (int64_t j = LANES; j < n; j += LANES) {
        Vector next = *(const Vector *)(x + j);
        most = next > most ? next : most;
    }
    return most_of(most);
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

#ifdef __AVX512BF16__
inline __m512 exponential(__m512 x) {  // the same, but that values below e^-87 go on falling
    __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(1.44269504f)), 0);
    __m512 r = _mm512_fnmadd_ps(n, _mm512_set1_ps(0.693359375f), x);
    r = _mm512_fmadd_ps(n, _mm512_set1_ps(2.12194440e-4f), r);
    __m512 p = _mm512_set1_ps(1.9875691500e-4f);
    for (float c : {1.3981999507e-3f, 8.3334519073e-3f, 4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f})
        p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(c));
    p = _mm512_fmadd_ps(p, _mm512_mul_ps(r, r), _mm512_add_ps(r, _mm512_set1_ps(1.0f)));
    return _mm512_scalef_ps(p, n);
}
#endif

}  // namespace
