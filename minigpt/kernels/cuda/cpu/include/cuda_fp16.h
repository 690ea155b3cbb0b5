// The type `__half` (IEEE binary16): arithmetic is done in float, and rounded to nearest even when stored.
#pragma once
#include "cuda_cpu.h"

struct __half {
    uint16_t bits;
    __half() = default;
    __half(float value) {
        uint32_t f;
        memcpy(&f, &value, 4);
        uint32_t sign = f >> 16 & 0x8000, rest = f & 0x7fffffff;
        if (rest > 0x7f800000) { bits = sign | 0x7e00; return; }   // not a number
        if (rest >= 0x477ff000) { bits = sign | 0x7c00; return; }  // rounds to infinity
        if (rest < 0x38800000) {                                    // subnormal: steps of 2^-24
            float steps = std::fabs(value) * 16777216.0f;
            bits = sign | (uint16_t)std::nearbyint(steps);
            return;
        }
        rest -= 112u << 23;  // the exponent's bias, 127 to 15
        bits = sign | (rest + 0xfff + (rest >> 13 & 1)) >> 13;
    }
    operator float() const {
        int exponent = bits >> 10 & 31, fraction = bits & 1023;
        float size = exponent == 31 ? (fraction ? NAN : INFINITY)
                     : exponent     ? std::ldexp(1024.0f + fraction, exponent - 25)
                                    : std::ldexp((float)fraction, -24);
        return bits & 0x8000 ? -size : size;
    }
};
using half = __half;
inline float __half2float(__half x) { return x; }
inline __half __float2half(float x) { return x; }
