// What `nvcuda::wmma` offers for tiles of 16 x 16 x 16: products of half or bfloat16, summed in float, and kept in float
// or (of half only) in half: then each sum of 16 products is rounded to half, as hardware does it is not known to the bit.
// Which thread of a warp holds which numbers of a fragment is nobody's business but the hardware's; here lane l holds
// the numbers l, l + 32, l + 64, ... of the tile, row by row.
#pragma once
#include "cuda_bf16.h"
#include "cuda_fp16.h"

namespace nvcuda::wmma {

struct row_major {};
struct col_major {};
struct matrix_a {};
struct matrix_b {};
struct accumulator {};
enum layout_t { mem_row_major, mem_col_major };

template <class Use, int M, int N, int K, class T, class Layout = void> struct fragment {
    static_assert(M == 16 && N == 16 && K == 16, "the CPU runner knows tiles of 16 x 16 x 16 only");
    static constexpr int num_elements = 8;
    T x[num_elements];
};
template <class T> using Sum = fragment<accumulator, 16, 16, 16, T>;

inline int place(int e) { return (cpu::block->current & 31) + 32 * e; }

template <class F, class T> void fill_fragment(F& f, T value) {
    for (auto& x : f.x) x = value;
}
template <class Use, class T, class Layout>
void load_matrix_sync(fragment<Use, 16, 16, 16, T, Layout>& f, const T* p, unsigned stride) {
    constexpr bool rows = std::is_same_v<Layout, row_major>;
    for (int e = 0; e < 8; e++) {
        int r = place(e) / 16, c = place(e) % 16;
        f.x[e] = p[rows ? r * stride + c : c * stride + r];
    }
    cpu::warp_barrier();
}
template <class T> void store_matrix_sync(T* p, const Sum<T>& f, unsigned stride, layout_t layout) {
    for (int e = 0; e < 8; e++) {
        int r = place(e) / 16, c = place(e) % 16;
        p[layout == mem_row_major ? r * stride + c : c * stride + r] = f.x[e];
    }
    cpu::warp_barrier();
}
template <class A, class B, class T> void mma_sync(Sum<T>& d, const A& a, const B& b, const Sum<T>& c) {
    float* left = cpu::block->matrices.data() + cpu::block->current / 32 * 512;
    float* right = left + 256;
    for (int e = 0; e < 8; e++) {
        left[place(e)] = a.x[e];
        right[place(e)] = b.x[e];
    }
    cpu::warp_barrier();
    for (int e = 0; e < 8; e++) {
        int r = place(e) / 16, column = place(e) % 16;
        float sum = c.x[e];
        for (int k = 0; k < 16; k++) sum += left[r * 16 + k] * right[k * 16 + column];
        d.x[e] = sum;
    }
    cpu::warp_barrier();
}

}  // namespace nvcuda::wmma
