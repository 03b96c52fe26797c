// The same products of pairs of bf16, summed in fp32: by the chip's vectors (AVX512-BF16), or by its matrix tiles (AMX) where it
// has them; its vectors are slower at pairs than at fp32 then, so there are no pairs where the system refuses tiles. A word
// holds two numbers that follow each other along the dimension that is summed over.
//
// `across` packs the two of neighbouring rows, `along` those of neighbouring columns. Tiles work on 16 x 16 words, whole: sums
// run over words up to the next multiple of DEEP, which must be zero, and up to the next 16 rows are read and written.
#pragma once

#include <atomic>

#include "products.h"

#if defined(__AVX512BF16__) && defined(__AMX_BF16__) && defined(__linux__)
#define TILES
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace {

#ifdef TILES
constexpr int64_t DEEP = 16;          // words of a sum that are multiplied at once
constexpr int64_t WORTH_PACKING = 12;  // tokens of a record, below which packing costs more than it brings
#else
constexpr int64_t DEEP = 1;
constexpr int64_t WORTH_PACKING = 48;
#endif

inline int64_t up_to(int64_t n, int64_t step) { return (n + step - 1) / step * step; }

#ifdef __AVX512BF16__
inline __m512i rounded(const float *from) { return _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(_mm512_loadu_ps(from))); }

// (rows, columns) to (deep, columns) words, those beyond the rows zero.
inline void across(const float *from, int64_t stride, int64_t rows, int64_t columns, uint32_t *to, int64_t deep) {
    for (int64_t i = 0; i < rows; i += 2)
        for (int64_t j = 0; j < columns; j += LANES) {
            __m512i low = rounded(from + i * stride + j);
            __m512i high = i + 1 < rows ? rounded(from + (i + 1) * stride + j) : _mm512_setzero_si512();
            _mm512_storeu_si512(to + i / 2 * columns + j, _mm512_or_si512(low, _mm512_slli_epi32(high, 16)));
        }
    std::fill(to + (rows + 1) / 2 * columns, to + deep * columns, 0u);
}

// (rows, columns) to (rows, deep) words, those beyond the columns zero.
inline void along(const float *from, int64_t stride, int64_t rows, int64_t columns, uint32_t *to, int64_t deep) {
    for (int64_t i = 0; i < rows; i++, to += deep) {
        for (int64_t j = 0; j < columns; j += LANES)
            _mm256_storeu_si256((__m256i *)(to + j / 2), (__m256i)_mm512_cvtneps_pbh(_mm512_loadu_ps(from + i * stride + j)));
        std::fill(to + columns / 2, to + deep, 0u);
    }
}

// (16, 16) words, of which so many rows are there, and their transpose, the rest of it zero.
inline void turned16(const uint32_t *from, int64_t stride, int64_t rows, uint32_t *to, int64_t padded) {
    __m512i a[16], b[16];
    for (int i = 0; i < 16; i++) a[i] = i < rows ? _mm512_loadu_si512(from + i * stride) : _mm512_setzero_si512();
    for (int i = 0; i < 16; i += 2) {
        b[i] = _mm512_unpacklo_epi32(a[i], a[i + 1]);
        b[i + 1] = _mm512_unpackhi_epi32(a[i], a[i + 1]);
    }
    for (int i = 0; i < 16; i += 4)
        for (int j = 0; j < 2; j++) {
            a[i + 2 * j] = _mm512_unpacklo_epi64(b[i + j], b[i + j + 2]);
            a[i + 2 * j + 1] = _mm512_unpackhi_epi64(b[i + j], b[i + j + 2]);
        }
    for (int j = 0; j < 4; j++) {
        __m512i low = _mm512_shuffle_i32x4(a[j], a[j + 4], 0x88), high = _mm512_shuffle_i32x4(a[j], a[j + 4], 0xdd);
        __m512i low2 = _mm512_shuffle_i32x4(a[j + 8], a[j + 12], 0x88), high2 = _mm512_shuffle_i32x4(a[j + 8], a[j + 12], 0xdd);
        b[j] = _mm512_shuffle_i32x4(low, low2, 0x88);
        b[j + 8] = _mm512_shuffle_i32x4(low, low2, 0xdd);
        b[j + 4] = _mm512_shuffle_i32x4(high, high2, 0x88);
        b[j + 12] = _mm512_shuffle_i32x4(high, high2, 0xdd);
    }
    for (int i = 0; i < 16; i++) _mm512_storeu_si512(to + i * padded, b[i]);
}

// (rows, columns) words to (columns, padded), those beyond the rows zero; columns and padded are multiples of 16.
inline void turned(const uint32_t *from, int64_t stride, int64_t rows, int64_t columns, uint32_t *to, int64_t padded) {
    for (int64_t j = 0; j < columns; j += 16)
        for (int64_t i = 0; i < padded; i += 16) turned16(from + i * stride + j, stride, rows - i, to + j * padded + i, padded);
}

#else
inline void across(const float *, int64_t, int64_t, int64_t, uint32_t *, int64_t) {}
inline void along(const float *, int64_t, int64_t, int64_t, uint32_t *, int64_t) {}
inline void turned(const uint32_t *, int64_t, int64_t, int64_t, uint32_t *, int64_t) {}
#endif

#if defined(TILES)
// Asked of the system once; it refuses where it is too old, or its host hides them.
inline bool pairs_served() {
    constexpr int ARCH_REQ_XCOMP_PERM = 0x1023, XTILEDATA = 18;
    static const bool granted = syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XTILEDATA) == 0;
    return granted;
}

// Eight tiles of 16 rows of 64 bytes, for a thread, while it lives.
struct Tiles {
    bool on;
    explicit Tiles(bool wanted) : on(wanted && pairs_served()) {
        static const struct alignas(64) {  // constant: GCC takes only the first bytes for read, and may leave out later stores
            uint8_t palette = 1, start = 0, reserved[14] = {};
            uint16_t bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
            uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
        } shape{};
        if (on) _tile_loadconfig(&shape);
    }
    ~Tiles() {
        if (on) _tile_release();
    }
    Tiles(const Tiles &) = delete;
    Tiles &operator=(const Tiles &) = delete;
};

template <bool ADD, bool TALL, bool WIDE>
inline void tile_pairs(const uint32_t *A, int64_t down, const uint32_t *B, int64_t ldb, float *C, int64_t ldc, int64_t k) {
    float *under = C + 16 * ldc;
    std::atomic_signal_fence(std::memory_order_seq_cst);  // compilers don't know that loading a tile reads memory
    if constexpr (ADD) {
        _tile_loadd(0, C, ldc * 4);
        if constexpr (WIDE) _tile_loadd(1, C + 16, ldc * 4);
        if constexpr (TALL) _tile_loadd(2, under, ldc * 4);
        if constexpr (TALL && WIDE) _tile_loadd(3, under + 16, ldc * 4);
    } else {
        _tile_zero(0);
        if constexpr (WIDE) _tile_zero(1);
        if constexpr (TALL) _tile_zero(2);
        if constexpr (TALL && WIDE) _tile_zero(3);
    }
    for (int64_t p = 0; p < k; p += 16) {
        _tile_loadd(4, A + p, down * 4);
        _tile_loadd(6, B + p * ldb, ldb * 4);
        _tile_dpbf16ps(0, 4, 6);
        if constexpr (WIDE) {
            _tile_loadd(7, B + p * ldb + 16, ldb * 4);
            _tile_dpbf16ps(1, 4, 7);
        }
        if constexpr (TALL) {
            _tile_loadd(5, A + 16 * down + p, down * 4);
            _tile_dpbf16ps(2, 5, 6);
        }
        if constexpr (TALL && WIDE) _tile_dpbf16ps(3, 5, 7);
    }
    _tile_stored(0, C, ldc * 4);
    if constexpr (WIDE) _tile_stored(1, C + 16, ldc * 4);
    if constexpr (TALL) _tile_stored(2, under, ldc * 4);
    if constexpr (TALL && WIDE) _tile_stored(3, under + 16, ldc * 4);
}

template <bool ADD, bool TALL>
inline void strip_pairs(const uint32_t *A, int64_t down, const uint32_t *B, int64_t ldb, float *C, int64_t ldc, int64_t n,
                        int64_t k) {
    int64_t j = 0;
    for (; j + 32 <= n; j += 32) tile_pairs<ADD, TALL, true>(A, down, B + j, ldb, C + j, ldc, k);
    if (j < n) tile_pairs<ADD, TALL, false>(A, down, B + j, ldb, C + j, ldc, k);
}

// C (m, n) = A B, or += where it adds; k counts words, n is a multiple of 16. A is read as A[i * down + p].
template <bool ADD>
void product(const uint32_t *A, int64_t down, const uint32_t *B, int64_t ldb, float *C, int64_t ldc, int64_t m, int64_t n,
             int64_t k) {
    int64_t i = 0;
    for (; i + 16 < m; i += 32) strip_pairs<ADD, true>(A + i * down, down, B, ldb, C + i * ldc, ldc, n, k);
    if (i < m) strip_pairs<ADD, false>(A + i * down, down, B, ldb, C + i * ldc, ldc, n, k);
}

// C (m, n) += A^T B: A (k, m) as `across` packs it. Tiles want it turned, for which there is room at `scratch`.
inline void product_turned(const uint32_t *A, int64_t lda, const uint32_t *B, int64_t ldb, float *C, int64_t ldc, int64_t m,
                           int64_t n, int64_t k, uint32_t *scratch) {
    turned(A, lda, k, up_to(m, 16), scratch, up_to(k, 16));
    product<true>(scratch, up_to(k, 16), B, ldb, C, ldc, m, n, k);
}

#else
struct Tiles {
    explicit Tiles(bool) {}
};

#ifdef __AVX512BF16__
inline bool pairs_served() { return true; }

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

template <bool ADD>
void strips_pairs(const uint32_t *A, int64_t down, int64_t right, const uint32_t *B, int64_t ldb, float *C, int64_t ldc,
                  int64_t m, int64_t n, int64_t k) {
    int64_t j = 0;
    for (; j + 4 * LANES <= n; j += 4 * LANES) strip_pairs<ADD, 4>(A, down, right, B + j, ldb, C + j, ldc, m, k);
    for (; j + 2 * LANES <= n; j += 2 * LANES) strip_pairs<ADD, 2>(A, down, right, B + j, ldb, C + j, ldc, m, k);
    for (; j < n; j += LANES) strip_pairs<ADD, 1>(A, down, right, B + j, ldb, C + j, ldc, m, k);
}

template <bool ADD>
void product(const uint32_t *A, int64_t down, const uint32_t *B, int64_t ldb, float *C, int64_t ldc, int64_t m, int64_t n,
             int64_t k) {
    strips_pairs<ADD>(A, down, 1, B, ldb, C, ldc, m, n, k);
}

inline void product_turned(const uint32_t *A, int64_t lda, const uint32_t *B, int64_t ldb, float *C, int64_t ldc, int64_t m,
                           int64_t n, int64_t k, uint32_t *) {
    strips_pairs<true>(A, 1, lda, B, ldb, C, ldc, m, n, k);
}

#else
inline bool pairs_served() { return false; }
template <bool ADD>
void product(const uint32_t *, int64_t, const uint32_t *, int64_t, float *, int64_t, int64_t, int64_t, int64_t) {}
inline void product_turned(const uint32_t *, int64_t, const uint32_t *, int64_t, float *, int64_t, int64_t, int64_t, int64_t,
                           uint32_t *) {}
#endif
#endif

template <typename T> inline bool in_pairs(int64_t n, int64_t depth) {
    return sizeof(T) == 2 && n >= WORTH_PACKING && depth % 32 == 0 && pairs_served();
}

}  // namespace
