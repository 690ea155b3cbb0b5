// Softmax of each row of x, one block of 256 threads a row.

// Three passes over the row in global memory: its largest number, the sum of the exponentials, the quotients.
extern "C" __global__ void softmax_passes(const float* x, float* out, int columns) {
    __shared__ float part[256];
    int t = threadIdx.x, start = blockIdx.x * columns;
    float high = -3.402823466e38f;
    for (int i = t; i < columns; i += 256) high = fmaxf(high, x[start + i]);
    part[t] = high;
    __syncthreads();
    for (int step = 128; step > 0; step /= 2) {
        if (t < step) part[t] = fmaxf(part[t], part[t + step]);
        __syncthreads();
    }
    high = part[0];
    __syncthreads();
    float sum = 0.0f;
    for (int i = t; i < columns; i += 256) sum += expf(x[start + i] - high);
    part[t] = sum;
    __syncthreads();
    for (int step = 128; step > 0; step /= 2) {
        if (t < step) part[t] += part[t + step];
        __syncthreads();
    }
    sum = part[0];
    for (int i = t; i < columns; i += 256) out[start + i] = expf(x[start + i] - high) / sum;
}

// One pass finds both, with a sum that is corrected whenever a larger number comes; one more writes the quotients.
// Two threads' results are merged as one thread merges a number: the smaller maximum's sum is scaled down.
extern "C" __global__ void softmax_online(const float* x, float* out, int columns) {
    __shared__ float highs[8], sums[8];
    int t = threadIdx.x, start = blockIdx.x * columns;
    float high = -3.402823466e38f, sum = 0.0f;
    for (int i = t; i < columns; i += 256) {
        float value = x[start + i], higher = fmaxf(high, value);
        sum = sum * expf(high - higher) + expf(value - higher);
        high = higher;
    }
    for (int step = 16; step > 0; step /= 2) {
        float other = __shfl_xor_sync(0xffffffffu, high, step), more = __shfl_xor_sync(0xffffffffu, sum, step);
        float higher = fmaxf(high, other);
        sum = sum * expf(high - higher) + more * expf(other - higher);
        high = higher;
    }
    if (t % 32 == 0) highs[t / 32] = high, sums[t / 32] = sum;
    __syncthreads();
    float top = highs[0], total = 0.0f;
    for (int w = 1; w < 8; w++) top = fmaxf(top, highs[w]);
    for (int w = 0; w < 8; w++) total += sums[w] * expf(highs[w] - top);
    for (int i = t; i < columns; i += 256) out[start + i] = expf(x[start + i] - top) / total;
}
