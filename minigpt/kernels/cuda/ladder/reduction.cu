// The sum of n numbers, five times. Each kernel leaves one number for each block (the last adds them up as well).

// Version 1. A tree over shared memory. Which threads work is asked by a remainder, so that every warp holds both kinds.
extern "C" __global__ void sum_remainder(const float* x, float* out, int n) {
    __shared__ float part[256];
    int t = threadIdx.x, i = blockIdx.x * 256 + t;
    part[t] = i < n ? x[i] : 0.0f;
    __syncthreads();
    for (int step = 1; step < 256; step *= 2) {
        if (t % (2 * step) == 0) part[t] += part[t + step];
        __syncthreads();
    }
    if (t == 0) out[blockIdx.x] = part[0];
}

// Version 2. The threads that work are the first ones: whole warps are idle, and no warp is divided until its last steps.
// But neighbouring threads are now 2 * step numbers apart, and ask the same bank of shared memory at once.
extern "C" __global__ void sum_strided(const float* x, float* out, int n) {
    __shared__ float part[256];
    int t = threadIdx.x, i = blockIdx.x * 256 + t;
    part[t] = i < n ? x[i] : 0.0f;
    __syncthreads();
    for (int step = 1; step < 256; step *= 2) {
        int k = 2 * step * t;
        if (k < 256) part[k] += part[k + step];
        __syncthreads();
    }
    if (t == 0) out[blockIdx.x] = part[0];
}

// Version 3. From the largest step to the smallest: neighbouring threads have neighbouring numbers, in 32 different banks.
extern "C" __global__ void sum_halves(const float* x, float* out, int n) {
    __shared__ float part[256];
    int t = threadIdx.x, i = blockIdx.x * 256 + t;
    part[t] = i < n ? x[i] : 0.0f;
    __syncthreads();
    for (int step = 128; step > 0; step /= 2) {
        if (t < step) part[t] += part[t + step];
        __syncthreads();
    }
    if (t == 0) out[blockIdx.x] = part[0];
}

// Version 4. A thread first adds up many numbers in a register; the tree, whose threads are mostly idle, is run once for all.
extern "C" __global__ void sum_many(const float* x, float* out, int n) {
    __shared__ float part[256];
    int t = threadIdx.x;
    float sum = 0.0f;
    for (int i = blockIdx.x * 256 + t; i < n; i += gridDim.x * 256) sum += x[i];
    part[t] = sum;
    __syncthreads();
    for (int step = 128; step > 0; step /= 2) {
        if (t < step) part[t] += part[t + step];
        __syncthreads();
    }
    if (t == 0) out[blockIdx.x] = part[0];
}

// Version 5. The threads of a warp read each other's registers: five shuffles in place of five steps with a barrier each.
// One barrier is left, and one atomic addition for each block ends the sum. `out` is one number, and begins at zero.
extern "C" __global__ void sum_shuffle(const float* x, float* out, int n) {
    __shared__ float part[8];
    int t = threadIdx.x;
    float sum = 0.0f;
    for (int i = blockIdx.x * 256 + t; i < n; i += gridDim.x * 256) sum += x[i];
    for (int step = 16; step > 0; step /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, step);
    if (t % 32 == 0) part[t / 32] = sum;
    __syncthreads();
    if (t < 32) {
        sum = t < 8 ? part[t] : 0.0f;
        for (int step = 4; step > 0; step /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, step);
        if (t == 0) atomicAdd(out, sum);
    }
}
