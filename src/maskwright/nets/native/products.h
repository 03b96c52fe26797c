// Small matrix products in the registers of one core, for attention inside records, in fp32.
#pragma once

#include "numbers.h"

namespace {

// A tile of 6 rows keeps its sums in registers: 24 of the 32 that AVX-512 has, 12 of the 16 of AVX2.
#ifdef __AVX512F__
constexpr int WIDEST = 4;
#else
constexpr int WIDEST = 2;
#endif

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

}  // namespace
