"""The CPU runner: what it finds in a wrong kernel, and the types and functions that it lends."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from minigpt.kernels.cuda import cpu
from minigpt.kernels.cuda.cpu import BuildError, KernelFault, NoCompiler, build

pytestmark = pytest.mark.skipif(cpu.compiler() is None, reason="no C++ compiler here")

# One source, so that the compiler is called once.
FAULTS = build("""
#include <cuda_bf16.h>
#include <cuda_fp16.h>
extern "C" __global__ void divided(float* x) {
    if (threadIdx.x < 16) __syncthreads();
    x[threadIdx.x] = 1.0f;
}
extern "C" __global__ void two_barriers(float* x) {
    if (threadIdx.x < 16) __syncthreads();
    else
        __syncthreads();
    x[threadIdx.x] = 1.0f;
}
extern "C" __global__ void overrun(float* x, int by) {
    __shared__ float s[32];
    s[threadIdx.x + by] = 1.0f;
    __syncthreads();
    x[threadIdx.x] = s[threadIdx.x];
}
extern "C" __global__ void dynamic(float* x, int by) {
    extern __shared__ float s[];
    s[threadIdx.x + by] = threadIdx.x;
    __syncthreads();
    x[threadIdx.x] = s[threadIdx.x + by];
}
extern "C" __global__ void mirrored(const float* x, float* out, int wait) {
    __shared__ float s[64];
    s[threadIdx.x] = x[threadIdx.x];
    if (wait) __syncthreads();
    out[threadIdx.x] = s[63 - threadIdx.x];
}
extern "C" __global__ void shuffled(const float* x, float* out, int* count) {
    float v = x[threadIdx.x];
    out[threadIdx.x] = __shfl_down_sync(0xffffffffu, v, 3) + 100.0f * __shfl_sync(0xffffffffu, v, 5);
    atomicAdd(count, 1);
}
extern "C" __global__ void halves(const float* x, __half* h, __nv_bfloat16* b, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) h[i] = x[i], b[i] = x[i];
}
""")


def test_a_barrier_that_only_some_threads_reach_is_reported_and_not_waited_for():
    with pytest.raises(KernelFault, match=r"16 of 32 threads wait at the __syncthreads\(\) of line 5, 16 have ended"):
        FAULTS.divided(1, 32, torch.zeros(32))


def test_two_barriers_in_two_branches_are_not_one():
    with pytest.raises(KernelFault, match=r"line 9 and others at that of line 11"):
        FAULTS.two_barriers(1, 32, torch.zeros(32))


@pytest.mark.parametrize("by", [1, -1])
def test_an_overrun_of_shared_memory_is_reported_with_its_line(by):
    with pytest.raises(KernelFault, match=f"line 16: index {32 if by > 0 else -1}, by thread"):
        FAULTS.overrun(1, 32, torch.zeros(32), by)


def test_an_overrun_of_dynamic_shared_memory_is_found_behind_its_end():
    x = torch.zeros(32)
    FAULTS.dynamic(1, 32, x, 0, shared=128)
    assert torch.equal(x, torch.arange(32.0))
    with pytest.raises(KernelFault, match="byte 128 was written"):
        FAULTS.dynamic(1, 32, x, 1, shared=128)


def test_a_runner_that_found_a_fault_can_be_used_again():
    with pytest.raises(KernelFault):
        FAULTS.overrun(1, 32, torch.zeros(32), 1)
    x = torch.zeros(32)
    FAULTS.overrun(1, 32, x, 0)
    assert torch.equal(x, torch.ones(32))


def test_a_race_shows_in_the_order_of_threads_and_a_barrier_ends_it():
    x = torch.arange(64.0)
    seen = []
    for wait in (0, 1):
        for reverse in (False, True):
            # Shared memory keeps what the last block left there: begin with a block that leaves ones.
            FAULTS.mirrored(1, 64, torch.ones(64), torch.empty(64), 1)
            out = torch.empty(64)
            FAULTS.mirrored(1, 64, x, out, wait, reverse=reverse)
            seen.append(out)
    assert not torch.equal(seen[0], seen[1])
    assert torch.equal(seen[2], x.flip(0))
    assert torch.equal(seen[3], x.flip(0))


def test_shuffles_stay_inside_a_warp():
    x, out, count = torch.rand(96), torch.empty(96), torch.zeros(1, dtype=torch.int32)
    FAULTS.shuffled(1, 96, x, out, count)
    warps = x.view(3, 32)
    down = torch.cat([warps[:, 3:], warps[:, 29:]], dim=1)
    assert torch.equal(out.view(3, 32), down + 100 * warps[:, 5:6])
    assert count.item() == 96


def test_half_and_bfloat16_round_as_pytorch_does():
    bits = np.random.default_rng(0).integers(0, 2**32, 200_000, dtype=np.uint64).astype(np.uint32)
    edges = torch.tensor([0.0, -0.0, 65504.0, 65519.99, 65520.0, 6e-8, 2.9e-8, 3e-8, 6.1e-5, torch.inf, -torch.inf])
    x = torch.cat([torch.from_numpy(bits.view(np.float32)), edges, torch.rand(5000) * 1e-4])
    half, bfloat = torch.empty(len(x), dtype=torch.float16), torch.empty(len(x), dtype=torch.bfloat16)
    FAULTS.halves((len(x) + 255) // 256, 256, x, half, bfloat, len(x))
    torch.testing.assert_close(half, x.half(), rtol=0, atol=0, equal_nan=True)
    torch.testing.assert_close(bfloat, x.bfloat16(), rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((torch.zeros(32),), r"takes 2 arguments \(x, by\), 1 were given"),
        ((torch.zeros(32).double(), 0), "needs dtype torch.float32"),
        ((torch.zeros(32, 2)[:, 0], 0), "must be contiguous"),
        ((torch.zeros(32), 0.5), "must be a number of Python, float was given"),
        ((3, 0), "must be a tensor"),
        ((torch.zeros(32), 2**31), "does not fit into 32 bits"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        FAULTS.overrun(1, 32, *arguments)


def test_wrong_sizes_are_named():
    with pytest.raises(ValueError, match="at most 1024"):
        FAULTS.overrun(1, (64, 32), torch.zeros(32), 0)
    with pytest.raises(ValueError, match="grid=0"):
        FAULTS.overrun(0, 32, torch.zeros(32), 0)
    with pytest.raises(AttributeError, match="no kernel 'other'"):
        FAULTS.other(1, 1)


def test_what_the_compiler_says_is_passed_on():
    with pytest.raises(BuildError, match=r"kernel\.cu:1:"):
        build('extern "C" __global__ void f(int n) { m = n; }')


def test_without_a_compiler_the_message_says_what_to_do(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(NoCompiler, match=r"g\+\+ or clang\+\+ is installed"):
        build('extern "C" __global__ void nothing(int n) {}')


SHARED = """
extern "C" __global__ void strided(float* x, int by) {
    __shared__ float s[1024];
    s[threadIdx.x * by] = 1.0f;
}
extern "C" __global__ void column(float* x) {
    __shared__ float narrow[32][32], wide[32][33];
    narrow[threadIdx.x][5] = 1.0f;
    wide[threadIdx.x][5] = 1.0f;
}
extern "C" __global__ void one_for_all(float* x) {
    __shared__ float s;
    if (threadIdx.x == 0) s = 3.0f;
    __syncthreads();
    x[threadIdx.x] = s;
}
extern "C" __global__ void rotated(float* x, int wait) {
    __shared__ float s[64];
    s[threadIdx.x] = x[threadIdx.x];
    if (wait == 1) __syncwarp();
    if (wait == 2) __syncthreads();
    x[threadIdx.x] = s[(threadIdx.x + 1) % blockDim.x];
}
extern "C" __global__ void shifted(float* x, int wait) {
    __shared__ float s[32];
    s[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    float next = s[(threadIdx.x + 1) % 32];
    if (wait) __syncthreads();
    s[threadIdx.x] = next;
}
extern "C" __global__ void same_place(float* x) {
    extern __shared__ float s[];
    s[0] = 1.0f;
}
extern "C" __global__ void atomic(float* x) {
    __shared__ float sum;
    if (threadIdx.x == 0) sum = 0.0f;
    __syncthreads();
    atomicAdd(&sum, 1.0f);
    __syncthreads();
    x[threadIdx.x] = sum;
}
"""


@pytest.mark.parametrize("by", [1, 2, 3, 4, 8, 31, 32])
def test_passes_of_the_banks_follow_the_greatest_common_divisor_with_32(by):
    traffic = build(SHARED, counted=True).strided(1, 32, torch.zeros(1), by)
    assert (traffic.shared, traffic.passes) == (1, math.gcd(by, 32))


def test_a_padded_tile_has_no_bank_conflicts_and_a_number_for_all_takes_one_pass():
    watched = build(SHARED, counted=True)
    traffic = watched.column(1, 32, torch.zeros(1))
    assert (traffic.shared, traffic.passes) == (2, 32 + 1)
    traffic = watched.one_for_all(1, 64, torch.zeros(64))
    assert (traffic.shared, traffic.passes) == (3, 3)  # a store by one warp, a load by each of two


def test_a_race_is_found_whatever_the_values_and_the_order():
    watched = build(SHARED, counted=True)
    for reverse in (False, True):
        with pytest.raises(KernelFault, match=r"race at s\[\d+\] in block \(0, 0, 0\): thread"):
            watched.rotated(1, 64, torch.ones(64), 0, reverse=reverse)
        with pytest.raises(KernelFault, match="race at s"):
            watched.shifted(1, 32, torch.ones(32), 0, reverse=reverse)
    watched.rotated(1, 64, torch.ones(64), 2)
    watched.shifted(1, 32, torch.ones(32), 1)
    with pytest.raises(KernelFault, match="race at a place of shared memory"):
        watched.same_place(1, 32, torch.zeros(1), shared=4)


def test_a_barrier_of_the_warp_orders_one_warp_and_not_two():
    watched = build(SHARED, counted=True)
    watched.rotated(1, 32, torch.ones(32), 1)
    with pytest.raises(KernelFault, match="race at s"):
        watched.rotated(1, 64, torch.ones(64), 1)


def test_atomics_are_no_race():
    x = torch.zeros(64)
    build(SHARED, counted=True).atomic(1, 64, x)
    assert torch.equal(x, torch.full((64,), 64.0))


POINTERS = """
extern "C" __global__ void indexed(const float* x, float* out, int d) {
    float sum = 0.0f;
    for (int k = 0; k < d; k++) sum += x[threadIdx.x * d + k];
    out[threadIdx.x] = sum;
}
extern "C" __global__ void row(const float* x, float* out, int d) {
    float sum = 0.0f;
    const float* row = x + threadIdx.x * d;
    for (int k = 0; k < d; k++) sum += row[k];
    *(out + threadIdx.x) = sum;
}
extern "C" __global__ void moved(const float* __restrict__ x, float* out, int d) {
    float sum = 0.0f;
    x += threadIdx.x * d;
    for (const float* p = x; p < x + d; p++) sum += *p;
    float* mine = threadIdx.x + out;
    *mine = sum;
}
extern "C" __global__ void backwards(const float* x, float* out, int d) {
    float sum = 0.0f;
    auto begin = x + threadIdx.x * d, p = begin + d;
    while (p != begin) {
        p -= 1;
        sum += *p;
    }
    (out + threadIdx.x)[p - begin] = sum;
}
extern "C" __global__ void shared_row(const float* x, float* out, int d) {
    __shared__ float tile[32][33];
    float* mine = tile[threadIdx.x];
    for (int k = 0; k < d; k++) mine[k] = x[threadIdx.x * d + k];
    float sum = 0.0f;
    for (int k = 0; k < d; k++) sum += mine[k];
    out[threadIdx.x] = sum;
}
extern "C" __global__ void first_alone(const float* x, float* out, int wait) {
    float v = 0.0f;
    if (threadIdx.x == 0) v = x[1000];
    if (wait) __syncthreads();
    out[threadIdx.x] = x[threadIdx.x] + v;
}
"""


@pytest.mark.parametrize("name", ["row", "moved", "backwards", "shared_row"])
def test_pointers_can_be_moved_and_kept_and_count_as_an_index_does(name):
    x, out = torch.arange(32.0 * 20), torch.zeros(32)
    watched = build(POINTERS, counted=True)
    expected = watched.indexed(1, 32, x, out, 20)
    found = watched.launch(name, 1, 32, x, out.zero_(), 20)
    assert torch.equal(out, x.view(32, 20).sum(1))
    assert (found.requests, found.sectors) == (expected.requests, expected.sectors)
    if name == "shared_row":
        assert (found.shared, found.passes) == (40, 40)


def test_a_barrier_puts_threads_together_again_that_took_different_ways():
    x, out = torch.zeros(1024), torch.zeros(32)
    watched = build(POINTERS, counted=True)
    # One float for the first thread, 32 in a row for all, and 32 stores.
    assert watched.first_alone(1, 32, x, out, 1).sectors == 1 + 4 + 4
    # Without it the first thread is one access ahead: its two loads and its store go with others' or alone.
    assert watched.first_alone(1, 32, x, out, 0).sectors == 11


TENSOR = """
#include <mma.h>
using namespace nvcuda;
template <class T> __device__ void product(const __half* a, const __half* b, T* out, int n) {
    wmma::fragment<wmma::accumulator, 16, 16, 16, T> sum;
    wmma::fill_fragment(sum, T(0.0f));
    for (int k = 0; k < n; k += 16) {
        wmma::fragment<wmma::matrix_a, 16, 16, 16, __half, wmma::row_major> u;
        wmma::fragment<wmma::matrix_b, 16, 16, 16, __half, wmma::col_major> v;
        wmma::load_matrix_sync(u, a + k, n);
        wmma::load_matrix_sync(v, b + k, n);
        wmma::mma_sync(sum, u, v, sum);
    }
    wmma::store_matrix_sync(out, sum, 16, wmma::mem_row_major);
}
extern "C" __global__ void in_float(const __half* a, const __half* b, float* out, int n) { product(a, b, out, n); }
extern "C" __global__ void in_half(const __half* a, const __half* b, __half* out, int n) { product(a, b, out, n); }
"""


def test_a_sum_kept_in_half_stops_growing_where_one_kept_in_float_does_not():
    # 16 more than 32,768 lies halfway between two numbers of half precision, and is rounded to the even one.
    ones, n = torch.ones(16, 2**15 + 64, dtype=torch.float16), 2**15 + 64
    in_float, in_half = torch.empty(16, 16), torch.empty(16, 16, dtype=torch.float16)
    build(TENSOR).in_float(1, 32, ones, ones, in_float, n)
    build(TENSOR).in_half(1, 32, ones, ones, in_half, n)
    assert torch.equal(in_float, torch.full((16, 16), float(n)))
    assert torch.equal(in_half, torch.full((16, 16), 2.0**15, dtype=torch.float16))
