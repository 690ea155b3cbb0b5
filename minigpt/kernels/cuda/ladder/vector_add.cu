// One thread for each number. There is nothing to share and nothing to reuse: two loads, one addition, one store, so
// that the speed is that of the memory.
extern "C" __global__ void vector_add(const float* a, const float* b, float* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) out[i] = a[i] + b[i];
}
