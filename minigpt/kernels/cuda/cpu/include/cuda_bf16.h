// The type `__nv_bfloat16`: the upper half of a float, rounded to nearest even.
#pragma once
#include "cuda_cpu.h"

struct __nv_bfloat16 {
    uint16_t bits;
    __nv_bfloat16() = default;
    __nv_bfloat16(float value) {
        uint32_t f;
        memcpy(&f, &value, 4);
        bits = std::isnan(value) ? (f >> 16 | 0x40) : (f + 0x7fff + (f >> 16 & 1)) >> 16;
    }
    operator float() const {
        uint32_t f = (uint32_t)bits << 16;
        float value;
        memcpy(&value, &f, 4);
        return value;
    }
};
inline float __bfloat162float(__nv_bfloat16 x) { return x; }
inline __nv_bfloat16 __float2bfloat16(float x) { return x; }
