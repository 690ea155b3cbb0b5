// C = A B on tensor cores: A and B in half precision, the sums in float. A block is four warps, and has a tile of
// 32 x 32 of C; each warp has 16 x 16 of it, and one instruction of the whole warp multiplies two tiles of 16 x 16.
#include <cuda_fp16.h>
#include <mma.h>

extern "C" __global__ void __launch_bounds__(128) matmul_wmma(const __half* A, const __half* B, float* C, int M, int N,
                                                               int K) {
    using namespace nvcuda;
    __shared__ __align__(32) __half a[32][16];
    __shared__ __align__(32) __half b[16][32];
    __shared__ __align__(32) float c[32][32];
    int t = threadIdx.x, top = blockIdx.y * 32, left = blockIdx.x * 32, y = t / 64 * 16, x = t / 32 % 2 * 16;
    wmma::fragment<wmma::accumulator, 16, 16, 16, float> sum;
    wmma::fill_fragment(sum, 0.0f);
    for (int start = 0; start < K; start += 16) {
        for (int i = t; i < 512; i += 128) {
            int row = top + i / 16, k = start + i % 16;
            a[i / 16][i % 16] = row < M && k < K ? A[row * K + k] : __half(0.0f);
            k = start + i / 32;
            int column = left + i % 32;
            b[i / 32][i % 32] = k < K && column < N ? B[k * N + column] : __half(0.0f);
        }
        __syncthreads();
        wmma::fragment<wmma::matrix_a, 16, 16, 16, __half, wmma::row_major> u;
        wmma::fragment<wmma::matrix_b, 16, 16, 16, __half, wmma::row_major> v;
        wmma::load_matrix_sync(u, &a[y][0], 16);
        wmma::load_matrix_sync(v, &b[0][x], 32);
        wmma::mma_sync(sum, u, v, sum);
        __syncthreads();
    }
    wmma::store_matrix_sync(&c[y][x], sum, 32, wmma::mem_row_major);
    __syncthreads();
    for (int i = t; i < 1024; i += 128) {
        int row = top + i / 32, column = left + i % 32;
        if (row < M && column < N) C[row * N + column] = c[i / 32][i % 32];
    }
}
