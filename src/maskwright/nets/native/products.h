// Small matrix products in the registers of one core, for attention inside records: fp32, or pairs of bf16 summed in fp32.
#pragma once

#include "numbers.h"

namespace {

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
    if (WIDEST > 3 && j + 3 * LANES <= n) {
        strip<ADD, 3>(A, down, right, B + j, ldb, C + j, ldc, m, k);
        j += 3 * LANES;
    }
    for (; j + 2 * LANES <= n; j += 2 * LANES) strip<ADD, 2>(A, down, right, B + j, ldb, C + j, ldc, m, k);
    for (; j < n; j += LANES) strip<ADD, 1>(A, down, right, B + j, ldb, C + j, ldc, m, k);
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

}  // namespace
