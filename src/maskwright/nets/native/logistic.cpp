// Prices of recorded levels under logistics that are cut at them, and how surprising a value is, with their gradients.
//
// In and out: raw arrays of n fp32 values each. What is not known costs nothing and moves nothing. Every result depends on
// the input alone. Plain C++17 with OpenMP, no header of torch.

#include "numbers.h"

namespace {

inline float logarithm(float x) {  // Cephes' logf, for what is neither zero nor subnormal; vectorises
    int32_t bits;
    std::memcpy(&bits, &x, 4);
    float power = float((bits >> 23) - 126);
    int32_t rest = (bits & 0x7fffff) | 0x3f000000;
    float m;
    std::memcpy(&m, &rest, 4);
    bool small = m < 0.707106781f;
    power = small ? power - 1.0f : power;
    m = small ? m + m - 1.0f : m - 1.0f;
    float z = m * m, p = 7.0376836292e-2f;
    p = p * m - 1.1514610310e-1f;
    p = p * m + 1.1676998740e-1f;
    p = p * m - 1.2420140846e-1f;
    p = p * m + 1.4249322787e-1f;
    p = p * m - 1.6668057665e-1f;
    p = p * m + 2.0000714765e-1f;
    p = p * m - 2.4999993993e-1f;
    p = p * m + 3.3333331174e-1f;
    return power * 0.693359375f + (m + (p * m * z - 0.5f * z - power * 2.12194440e-4f));
}

// -log P(x) where P is logistic, cut at levels 2 half apart (the first and the last reach to infinity), a share of it spread
// evenly: log_even of each level; and its gradients.
inline void price(float x, float mean, float log_scale, float half, float log_rest, float log_even, float &nats, float &dmean,
                  float &dscale) {
    float inverse = exponential(-log_scale), w = 2 * half * inverse;
    float above = (x + half - mean) * inverse, below = (x - half - mean) * inverse;
    float ea = exponential(-std::fabs(above)), eb = exponential(-std::fabs(below)), ew = exponential(-w);
    // 1 - exp(-w), by its series where that would cancel
    float series = w * (1 - w / 2 * (1 - w / 3 * (1 - w / 4 * (1 - w / 5 * (1 - w / 6 * (1 - w / 7))))));
    float within = w < 0.5f ? series : 1 - ew;
    bool first = x <= half - 1, last = x >= 1 - half, inner = !first && !last;
    float down = last ? 0.0f : std::min(above, 0.0f), up = first ? 0.0f : std::min(-below, 0.0f);
    float factors = (last ? 1.0f : 1 + ea) * (first ? 1.0f : 1 + eb) / (inner ? within : 1.0f);
    float own = down + up - logarithm(factors) + log_rest;
    float most = std::max(own, log_even), other = exponential(std::min(own, log_even) - most);
    nats = -most - logarithm(1 + other);
    float share = (own >= log_even ? 1.0f : other) / (1 + other);
    float fall = last ? 0.0f : (above >= 0 ? ea : 1.0f) / (1 + ea), rise = first ? 0.0f : (below >= 0 ? 1.0f : eb) / (1 + eb);
    dmean = share * (fall - rise) * inverse;
    dscale = share * (above * fall - below * rise + (inner ? w * ew / within : 0.0f));
}

}  // namespace

extern "C" {

// The gradients' places may be missing.
void cut_logistic_float32(const float *x, const float *mean, const float *log_scale, const uint8_t *known, float *nats,
                          float *dmean, float *dscale, int64_t n, float half, float log_rest, float log_even, int threads) {
    if (dmean) {
#pragma omp parallel for simd num_threads(threads) schedule(static)
        for (int64_t i = 0; i < n; i++) {
            float v, m, s;
            price(x[i], mean[i], log_scale[i], half, log_rest, log_even, v, m, s);
            nats[i] = known[i] ? v : 0.0f;
            dmean[i] = known[i] ? m : 0.0f;
            dscale[i] = known[i] ? s : 0.0f;
        }
    } else {
#pragma omp parallel for simd num_threads(threads) schedule(static)
        for (int64_t i = 0; i < n; i++) {
            float v, m, s;
            price(x[i], mean[i], log_scale[i], half, log_rest, log_even, v, m, s);
            nats[i] = known[i] ? v : 0.0f;
        }
    }
}

// log(1 + |x - mean| / scale); the gradients' places may be missing.
void surprise_float32(const float *x, const float *mean, const float *log_scale, const uint8_t *known, float *out,
                      float *dmean, float *dscale, int64_t n, int threads) {
#pragma omp parallel for simd num_threads(threads) schedule(static)
    for (int64_t i = 0; i < n; i++) {
        float inverse = exponential(-log_scale[i]), apart = x[i] - mean[i];
        float wide = 1 + std::fabs(apart) * inverse;
        out[i] = known[i] ? logarithm(wide) : 0.0f;
        if (dmean) {
            float side = apart > 0 ? -inverse : apart < 0 ? inverse : 0.0f;
            dmean[i] = known[i] ? side / wide : 0.0f;
            dscale[i] = known[i] ? (1 - wide) / wide : 0.0f;
        }
    }
}
}
