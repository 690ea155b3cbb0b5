// C = A B in float32, rung by rung. A is M x K, B is K x N, C is M x N, all row by row.
#define TILE 16

// Rung 1. A thread for each number of C. Neighbouring threads have neighbouring rows: their loads of A are K numbers
// apart, so that one request of a warp touches up to 32 places of the memory.
extern "C" __global__ void matmul_naive(const float* A, const float* B, float* C, int M, int N, int K) {
    int row = blockIdx.x * TILE + threadIdx.x, column = blockIdx.y * TILE + threadIdx.y;
    if (row >= M || column >= N) return;
    float sum = 0.0f;
    for (int k = 0; k < K; k++) sum += A[row * K + k] * B[k * N + column];
    C[row * N + column] = sum;
}

// Rung 2. The same with x and y exchanged: neighbouring threads have neighbouring columns, and read neighbouring numbers.
extern "C" __global__ void matmul_coalesced(const float* A, const float* B, float* C, int M, int N, int K) {
    int row = blockIdx.y * TILE + threadIdx.y, column = blockIdx.x * TILE + threadIdx.x;
    if (row >= M || column >= N) return;
    float sum = 0.0f;
    for (int k = 0; k < K; k++) sum += A[row * K + k] * B[k * N + column];
    C[row * N + column] = sum;
}

// Rung 3. The block brings a tile of A and one of B to shared memory, and each number is used 16 times there.
extern "C" __global__ void matmul_tiled(const float* A, const float* B, float* C, int M, int N, int K) {
    __shared__ float a[TILE][TILE], b[TILE][TILE];
    int x = threadIdx.x, y = threadIdx.y, row = blockIdx.y * TILE + y, column = blockIdx.x * TILE + x;
    float sum = 0.0f;
    for (int start = 0; start < K; start += TILE) {
        a[y][x] = row < M && start + x < K ? A[row * K + start + x] : 0.0f;
        b[y][x] = start + y < K && column < N ? B[(start + y) * N + column] : 0.0f;
        __syncthreads();
        for (int k = 0; k < TILE; k++) sum += a[y][k] * b[k][x];
        __syncthreads();
    }
    if (row < M && column < N) C[row * N + column] = sum;
}

// From here on a block of 256 threads has a tile of 64 x 64 of C, and goes along K in steps of 8.
#define BM 64
#define BN 64
#define BK 8

// Rung 4. A thread has 4 x 4 numbers of C in registers: 16 products need eight numbers of shared memory, not 32.
extern "C" __global__ void __launch_bounds__(256) matmul_registers(const float* A, const float* B, float* C, int M,
                                                                    int N, int K) {
    __shared__ float a[BK][BM], b[BK][BN];
    int t = threadIdx.x, y = t / 16 * 4, x = t % 16 * 4, top = blockIdx.y * BM, left = blockIdx.x * BN;
    float sum[4][4] = {};
    for (int start = 0; start < K; start += BK) {
        for (int i = t; i < BM * BK; i += 256) {
            int row = top + i / BK, k = start + i % BK;
            a[i % BK][i / BK] = row < M && k < K ? A[row * K + k] : 0.0f;
        }
        for (int i = t; i < BK * BN; i += 256) {
            int k = start + i / BN, column = left + i % BN;
            b[i / BN][i % BN] = k < K && column < N ? B[k * N + column] : 0.0f;
        }
        __syncthreads();
        for (int k = 0; k < BK; k++)
            for (int i = 0; i < 4; i++)
                for (int j = 0; j < 4; j++) sum[i][j] += a[k][y + i] * b[k][x + j];
        __syncthreads();
    }
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++)
            if (top + y + i < M && left + x + j < N) C[(top + y + i) * N + left + x + j] = sum[i][j];
}

// Four neighbouring numbers of a row, in one load of 16 bytes where they are whole and aligned.
#define LOAD4(into, P, row, rows, column, columns)                                          \
    float4 into = make_float4(0.0f, 0.0f, 0.0f, 0.0f);                                      \
    if ((row) < (rows)) {                                                                   \
        int at = (row) * (columns) + (column);                                              \
        if ((columns) % 4 == 0 && (column) + 3 < (columns)) into = *(const float4*)&P[at];  \
        else {                                                                              \
            if ((column) < (columns)) into.x = P[at];                                       \
            if ((column) + 1 < (columns)) into.y = P[at + 1];                               \
            if ((column) + 2 < (columns)) into.z = P[at + 2];                               \
            if ((column) + 3 < (columns)) into.w = P[at + 3];                               \
        }                                                                                   \
    }

// Four neighbouring numbers to a row of C, in one store where they are whole and aligned. One by one, neighbouring
// threads would write four numbers apart, and each request would touch every sector for a quarter of it.
#define STORE4(v, row, column)                                                                        \
    if ((row) < M) {                                                                                  \
        int at = (row) * N + (column);                                                                \
        if (N % 4 == 0 && (column) + 3 < N) *(float4*)&C[at] = make_float4(v[0], v[1], v[2], v[3]);   \
        else                                                                                          \
            for (int j = 0; j < 4; j++)                                                               \
                if ((column) + j < N) C[at + j] = v[j];                                               \
    }

// Rung 5. The first 128 threads bring A and the others B, each four numbers by one instruction; the inner loop fetches
// four numbers from shared memory by one instruction as well.
extern "C" __global__ void __launch_bounds__(256) matmul_vectorised(const float* A, const float* B, float* C, int M,
                                                                     int N, int K) {
    __shared__ __align__(16) float a[BK][BM];
    __shared__ __align__(16) float b[BK][BN];
    int t = threadIdx.x, y = t / 16 * 4, x = t % 16 * 4, top = blockIdx.y * BM, left = blockIdx.x * BN;
    float sum[4][4] = {};
    for (int start = 0; start < K; start += BK) {
        if (t < 128) {
            int row = t / 2, k = t % 2 * 4;
            LOAD4(v, A, top + row, M, start + k, K)
            a[k][row] = v.x, a[k + 1][row] = v.y, a[k + 2][row] = v.z, a[k + 3][row] = v.w;
        } else {
            int k = (t - 128) / 16, column = (t - 128) % 16 * 4;
            LOAD4(v, B, start + k, K, left + column, N)
            *(float4*)&b[k][column] = v;
        }
        __syncthreads();
        for (int k = 0; k < BK; k++) {
            float4 u = *(float4*)&a[k][y], v = *(float4*)&b[k][x];
            float down[4] = {u.x, u.y, u.z, u.w}, across[4] = {v.x, v.y, v.z, v.w};
            for (int i = 0; i < 4; i++)
                for (int j = 0; j < 4; j++) sum[i][j] += down[i] * across[j];
        }
        __syncthreads();
    }
    for (int i = 0; i < 4; i++) STORE4(sum[i], top + y + i, left + x)
}

// Rung 6. Two pairs of tiles: while one is multiplied the loads of the next are under way, and one barrier a step is
// enough, since nobody writes where another still reads.
extern "C" __global__ void __launch_bounds__(256) matmul_buffered(const float* A, const float* B, float* C, int M,
                                                                   int N, int K) {
    __shared__ __align__(16) float a[2][BK][BM];
    __shared__ __align__(16) float b[2][BK][BN];
    int t = threadIdx.x, y = t / 16 * 4, x = t % 16 * 4, top = blockIdx.y * BM, left = blockIdx.x * BN;
    bool first = t < 128;
    int row = t / 2, k4 = t % 2 * 4, kb = (t - 128) / 16, column = (t - 128) % 16 * 4;
    float sum[4][4] = {};
    for (int start = -BK, now = 1; start < K; start += BK, now = 1 - now) {
        int next = start + BK;
        float4 ahead = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
        if (next < K) {
            if (first) {
                LOAD4(v, A, top + row, M, next + k4, K)
                ahead = v;
            } else {
                LOAD4(v, B, next + kb, K, left + column, N)
                ahead = v;
            }
        }
        if (start >= 0)
            for (int k = 0; k < BK; k++) {
                float4 u = *(float4*)&a[now][k][y], v = *(float4*)&b[now][k][x];
                float down[4] = {u.x, u.y, u.z, u.w}, across[4] = {v.x, v.y, v.z, v.w};
                for (int i = 0; i < 4; i++)
                    for (int j = 0; j < 4; j++) sum[i][j] += down[i] * across[j];
            }
        if (first) {
            a[1 - now][k4][row] = ahead.x, a[1 - now][k4 + 1][row] = ahead.y;
            a[1 - now][k4 + 2][row] = ahead.z, a[1 - now][k4 + 3][row] = ahead.w;
        } else {
            *(float4*)&b[1 - now][kb][column] = ahead;
        }
        __syncthreads();
    }
    for (int i = 0; i < 4; i++) STORE4(sum[i], top + y + i, left + x)
}
