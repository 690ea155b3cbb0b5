// Runs CUDA C++ on a CPU. A block of threads is run by one thread of the operating system; each of its CUDA threads is
// a fiber: a stack of its own, and a switch of a few instructions. A fiber runs until it comes to a barrier, then the
// next one has its turn. So every run is the same, and a barrier that not every thread reaches is found, not waited for.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <type_traits>
#include <vector>

#include "watch.h"

struct uint3 { unsigned x, y, z; };
struct dim3 {
    unsigned x, y, z;
    dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};
struct alignas(8) float2 { float x, y; };
struct alignas(16) float4 { float x, y, z, w; };
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))
#define __shared__ static thread_local

namespace cpu {

// Saves the registers that a called function must keep, changes the stack, and fetches them from there.
extern "C" void minigpt_switch(void** save, void* load);
#if defined(__x86_64__)
asm(".text\n.globl minigpt_switch\n.hidden minigpt_switch\nminigpt_switch:\n"
    " push %rbp\n push %rbx\n push %r12\n push %r13\n push %r14\n push %r15\n"
    " mov %rsp, (%rdi)\n mov %rsi, %rsp\n"
    " pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbx\n pop %rbp\n ret\n");
inline void* fresh_stack(char* top, void (*entry)()) {
    void** sp = (void**)((uintptr_t)top & ~uintptr_t(15));
    *--sp = nullptr;  // where `entry` would return to; it never does
    *--sp = (void*)entry;
    for (int i = 0; i < 6; i++) *--sp = nullptr;
    return sp;
}
#elif defined(__aarch64__)
asm(".text\n.globl minigpt_switch\n.hidden minigpt_switch\nminigpt_switch:\n"
    " sub sp, sp, #160\n"
    " stp x19, x20, [sp, #0]\n stp x21, x22, [sp, #16]\n stp x23, x24, [sp, #32]\n stp x25, x26, [sp, #48]\n"
    " stp x27, x28, [sp, #64]\n stp x29, x30, [sp, #80]\n"
    " stp d8, d9, [sp, #96]\n stp d10, d11, [sp, #112]\n stp d12, d13, [sp, #128]\n stp d14, d15, [sp, #144]\n"
    " mov x9, sp\n str x9, [x0]\n mov sp, x1\n"
    " ldp x19, x20, [sp, #0]\n ldp x21, x22, [sp, #16]\n ldp x23, x24, [sp, #32]\n ldp x25, x26, [sp, #48]\n"
    " ldp x27, x28, [sp, #64]\n ldp x29, x30, [sp, #80]\n"
    " ldp d8, d9, [sp, #96]\n ldp d10, d11, [sp, #112]\n ldp d12, d13, [sp, #128]\n ldp d14, d15, [sp, #144]\n"
    " add sp, sp, #160\n ret\n");
inline void* fresh_stack(char* top, void (*entry)()) {
    void** sp = (void**)((uintptr_t)top & ~uintptr_t(15)) - 20;
    std::fill(sp, sp + 20, nullptr);
    sp[11] = (void*)entry;  // x30, the address to return to
    return sp;
}
#else
#error "the CPU runner of CUDA kernels knows x86-64 and aarch64 only; add a switch of stacks for this processor"
#endif

constexpr size_t STACK = 64 << 10;
constexpr size_t GUARD = 256;  // bytes behind dynamic shared memory that nobody may touch
constexpr unsigned char POISON = 0xA5;
enum State { READY, AT_BLOCK, AT_WARP, DONE };

struct Fiber {
    void* sp;
    uint3 index;
    State state;
    int line;       // of the barrier at which it waits
    long accesses;  // of global memory, counted so far
    long shared;    // accesses of shared memory since the last barrier, if it is watched
    int warp_barriers;
};

// What a launch tells the caller besides its results.
struct Report {
    char message[512];
    long long requests;  // of a warp to global memory, and ...
    long long sectors;   // ... the pieces of 32 bytes in which they are served
    long long shared;    // requests of a warp to shared memory, and ...
    long long passes;    // ... the passes that the banks need for them
};

struct Block {
    std::vector<Fiber> fibers;
    std::unique_ptr<char[]> stacks;
    std::vector<unsigned char> shared;
    std::vector<uint64_t> exchange;         // for shuffles: a word for each thread
    std::vector<float> matrices;            // for wmma: two 16 x 16 matrices for each warp
    std::vector<std::vector<uintptr_t>> touched;  // by the warp and the number of the access: sectors
    Watch watch;                            // of shared memory
    uint3 index;
    dim3 size, grid;
    void* caller;
    int current, direction, arrived;
    bool stopped;
    void (*kernel)(void**);
    void** arguments;
    Report* report;
};
inline thread_local Block* block;

inline Fiber& self() { return block->fibers[block->current]; }

// Ends the launch: the fibers are given up where they stand.
[[noreturn]] inline void stop() {
    block->stopped = true;
    void* given_up;
    minigpt_switch(&given_up, block->caller);
    abort();
}

inline void name_block(char* text, size_t size) {
    snprintf(text, size, "block (%u, %u, %u)", block->index.x, block->index.y, block->index.z);
}

// Every fiber waits or has ended, and no barrier is complete.
[[noreturn]] inline void deadlock() {
    int waiting = 0, warps = 0, ended = 0, first = 0, other = 0;
    for (Fiber& f : block->fibers) {
        if (f.state == AT_BLOCK) {
            waiting++;
            if (!first) first = f.line;
            else if (f.line != first) other = f.line;
        }
        warps += f.state == AT_WARP;
        ended += f.state == DONE;
    }
    char where[64];
    name_block(where, sizeof where);
    if (other)
        snprintf(block->report->message, sizeof block->report->message,
                 "divided barrier in %s: some threads wait at the __syncthreads() of line %d and others at that of line %d",
                 where, first, other);
    else
        snprintf(block->report->message, sizeof block->report->message,
                 "divided barrier in %s: %d of %zu threads wait at the __syncthreads() of line %d, %d have ended and %d "
                 "wait for their warp; every thread of a block must come to the same barrier",
                 where, waiting, block->fibers.size(), first, ended, warps);
    stop();
}

// The next fiber that can run, in the order of this launch.
inline void yield() {
    int n = block->fibers.size(), old = block->current, i = old;
    do i = (i + block->direction + n) % n;
    while (block->fibers[i].state != READY && i != old);
    if (block->fibers[i].state != READY) deadlock();
    block->current = i;
    if (i != old) minigpt_switch(&block->fibers[old].sp, block->fibers[i].sp);
}

inline void block_barrier(int line) {
    self().state = AT_BLOCK;
    self().line = line;
    if (++block->arrived == (int)block->fibers.size()) {
        for (Fiber& f : block->fibers)
            if (f.line != line) deadlock();
        long most = 0;
        for (Fiber& f : block->fibers) most = std::max(most, f.accesses);
        for (Fiber& f : block->fibers) f.state = READY, f.shared = 0, f.accesses = most;
        block->watch.barrier();
        block->arrived = 0;
    }
    yield();
}

inline void release_warp(int first) {
    int last = std::min<int>(first + 32, block->fibers.size());
    for (int i = first; i < last; i++)
        if (block->fibers[i].state != AT_WARP && block->fibers[i].state != DONE) return;
    for (int i = first; i < last; i++)
        if (block->fibers[i].state == AT_WARP) block->fibers[i].state = READY;
}

inline void warp_barrier() {
    self().state = AT_WARP;
    release_warp(block->current & ~31);
    if (self().state != READY) yield();
}

inline void body() {
    block->kernel(block->arguments);
    self().state = DONE;
    release_warp(block->current & ~31);
    for (Fiber& f : block->fibers)
        if (f.state != DONE) {
            yield();
            abort();
        }
    void* given_up;
    minigpt_switch(&given_up, block->caller);
    abort();
}

inline void* dynamic_shared() { return (void*)(((uintptr_t)block->shared.data() + 15) & ~uintptr_t(15)); }

// A pointer to global memory that counts. An access is put together with those of the same number, since the last barrier
// of the block, of the other threads of its warp: that is the request which a GPU would make of it, as long as all threads
// take the same way from one barrier to the next.
template <class T> struct Counted {
    T* pointer;
    T& operator[](long i) const {
        Fiber& f = self();
        size_t warp = block->current / 32, key = f.accesses++ * ((block->fibers.size() + 31) / 32) + warp;
        if (block->touched.size() <= key) block->touched.resize(key + 1);
        auto& sectors = block->touched[key];
        uintptr_t sector = (uintptr_t)(pointer + i) / 32;
        if (std::find(sectors.begin(), sectors.end(), sector) == sectors.end()) sectors.push_back(sector);
        return pointer[i];
    }
    T& operator*() const { return (*this)[0]; }
    Counted operator+(long i) const { return {pointer + i}; }
    Counted operator-(long i) const { return {pointer - i}; }
    long operator-(Counted other) const { return pointer - other.pointer; }
    Counted& operator+=(long i) { pointer += i; return *this; }
    Counted& operator-=(long i) { pointer -= i; return *this; }
    Counted& operator++() { ++pointer; return *this; }
    Counted operator++(int) { return {pointer++}; }
    bool operator<(Counted other) const { return pointer < other.pointer; }
    bool operator==(Counted other) const { return pointer == other.pointer; }
    bool operator!=(Counted other) const { return pointer != other.pointer; }
    friend Counted operator+(long i, Counted p) { return p + i; }
};

// Ends the launch with the two accesses that no barrier orders.
[[noreturn]] inline void report_race(const Race& race) {
    char where[64], place[128] = "a place of shared memory";
    name_block(where, sizeof where);
    for (Name& name : block->watch.names) {
        if (race.address < name.begin || race.address >= name.end) continue;
        size_t i = (race.address - name.begin) / name.size;
        if (name.row) snprintf(place, sizeof place, "%s[%zu][%zu]", name.text, i / name.row, i % name.row);
        else snprintf(place, sizeof place, "%s[%zu]", name.text, i);
    }
    uint3 t = block->fibers[race.thread].index, u = block->fibers[race.earlier].index;
    snprintf(block->report->message, sizeof block->report->message,
             "race at %s in %s: thread (%u, %u, %u) %s what thread (%u, %u, %u) has %s, and no barrier lies between", place,
             where, t.x, t.y, t.z, race.wrote ? "writes" : "reads", u.x, u.y, u.z, race.earlier_wrote ? "written" : "read");
    stop();
}

inline void touch(const void* address, bool writes) {
    if ((uintptr_t)address - (uintptr_t)block->stacks.get() < (block->fibers.size() + 1) * STACK) return;  // a copy
    Fiber& f = self();
    size_t request = f.shared++ * ((block->fibers.size() + 31) / 32) + block->current / 32;
    Race race;
    if (block->watch.touch((uintptr_t)address, {block->current, f.warp_barriers}, request, writes, race)) report_race(race);
}

// A number in shared memory that is watched. What goes through a pointer (`&s[i]`, as in loads of four numbers, atomics
// and wmma) is not seen.
template <class T> struct Watched {
    T value;
    Watched() = default;
    Watched(const Watched& other) : value(other) {}
    operator T() const { touch(&value, false); return value; }
    Watched& operator=(T now) { touch(&value, true); value = now; return *this; }
    Watched& operator=(const Watched& other) { return *this = (T)other; }
    Watched& operator+=(T by) { return *this = (T)*this + by; }
    Watched& operator-=(T by) { return *this = (T)*this - by; }
    Watched& operator*=(T by) { return *this = (T)*this * by; }
    T* operator&() { return &value; }
};

// Tells the name of what was declared as shared, for the report of a race.
template <class A> void named(A& array, const char* text) {
    uintptr_t begin = (uintptr_t)std::addressof(array);
    for (Name& name : block->watch.names)
        if (name.begin == begin) return;
    using Number = std::remove_all_extents_t<A>;
    block->watch.names.push_back({begin, begin + sizeof(A), sizeof(Number), std::extent_v<A, 1>, text});
}

inline void launch(void (*kernel)(void**), dim3 grid, dim3 size, void** arguments, unsigned shared, int reverse,
                   Report* report) {
    Block b;
    int n = size.x * size.y * size.z;
    b.fibers.resize(n);
    b.stacks.reset(new char[(n + 1) * STACK]);
    b.shared.resize(shared + GUARD + 16);
    b.exchange.resize(n);
    b.matrices.resize((n + 31) / 32 * 512);
    b.size = size; b.grid = grid; b.kernel = kernel; b.arguments = arguments; b.report = report;
    b.direction = reverse ? -1 : 1;
    b.stopped = false;
    block = &b;
    long long total = (long long)grid.x * grid.y * grid.z;
    for (long long step = 0; step < total && !b.stopped; step++) {
        long long k = reverse ? total - 1 - step : step;
        b.index = {unsigned(k % grid.x), unsigned(k / grid.x % grid.y), unsigned(k / grid.x / grid.y)};
        std::fill(b.shared.begin(), b.shared.end(), POISON);
        for (int i = 0; i < n; i++) {
            uint3 index = {i % size.x, i / size.x % size.y, i / (size.x * size.y)};
            b.fibers[i] = {fresh_stack(b.stacks.get() + (i + 1) * STACK, body), index, READY, 0, 0, 0, 0};
        }
        b.current = reverse ? n - 1 : 0;
        b.arrived = 0;
        minigpt_switch(&b.caller, b.fibers[b.current].sp);
        unsigned char* end = (unsigned char*)dynamic_shared() + shared;
        for (size_t i = 0; i < GUARD - 16 && !b.stopped; i++)
            if (end[i] != POISON) {
                char where[64];
                name_block(where, sizeof where);
                snprintf(report->message, sizeof report->message,
                         "overrun of dynamic shared memory in %s: byte %zu was written, and the launch asked for %u bytes",
                         where, shared + i, shared);
                b.stopped = true;
            }
        for (auto& sectors : b.touched) {
            report->requests += !sectors.empty();
            report->sectors += sectors.size();
        }
        b.touched.clear();
        b.watch.barrier();
    }
    report->shared = b.watch.requests;
    report->passes = b.watch.passes;
    block = nullptr;
}

}  // namespace cpu

// The compiler puts a call to this before each access to an array that is out of its bounds (-fsanitize=bounds).
struct MinigptPlace { const char* file; uint32_t line, column; };
struct MinigptOutOfBounds { MinigptPlace place; const void* array; const void* index; };
extern "C" __attribute__((visibility("hidden"), used)) inline void __ubsan_handle_out_of_bounds(MinigptOutOfBounds* what,
                                                                                           uintptr_t index) {
    if (!cpu::block) abort();
    char where[64];
    cpu::name_block(where, sizeof where);
    uint3 t = cpu::self().index;
    snprintf(cpu::block->report->message, sizeof cpu::block->report->message,
             "overrun of an array in line %u: index %lld, by thread (%u, %u, %u) of %s", what->place.line,
             (long long)(int32_t)index, t.x, t.y, t.z, where);
    cpu::stop();
}

#define threadIdx (cpu::self().index)
#define blockIdx (cpu::block->index)
#define blockDim (cpu::block->size)
#define gridDim (cpu::block->grid)
#define __syncthreads() cpu::block_barrier(__LINE__)
inline void __syncwarp(unsigned = ~0u) {
    cpu::warp_barrier();
    cpu::self().warp_barriers++;
}

template <class T> T minigpt_shuffle(T value, int lane) {
    static_assert(sizeof(T) <= 8);
    int me = cpu::block->current, from = (me & ~31) + lane;
    if (from >= (int)cpu::block->fibers.size()) from = me;
    memcpy(&cpu::block->exchange[me], &value, sizeof value);
    cpu::warp_barrier();  // a shuffle is no promise about memory
    memcpy(&value, &cpu::block->exchange[from], sizeof value);
    cpu::warp_barrier();
    return value;
}
template <class T> T __shfl_sync(unsigned, T value, int lane) { return minigpt_shuffle(value, lane & 31); }
template <class T> T __shfl_xor_sync(unsigned, T value, int mask) {
    return minigpt_shuffle(value, ((cpu::block->current & 31) ^ mask) & 31);
}
template <class T> T __shfl_down_sync(unsigned, T value, int by) {
    int lane = cpu::block->current & 31;
    return minigpt_shuffle(value, lane + by < 32 ? lane + by : lane);
}

// One operating-system thread runs a launch, and a fiber gives way only at a barrier: these need no lock.
template <class T> T atomicAdd(T* where, T by) { T old = *where; *where += by; return old; }
template <class T> T atomicMax(T* where, T other) { T old = *where; *where = std::max(old, other); return old; }
template <class T> T atomicAdd(cpu::Counted<T> where, T by) { return atomicAdd(&where[0], by); }
template <class T> T atomicMax(cpu::Counted<T> where, T other) { return atomicMax(&where[0], other); }

inline float __expf(float x) { return expf(x); }
inline float rsqrtf(float x) { return 1 / sqrtf(x); }
inline float __fdividef(float a, float b) { return a / b; }
template <class T> T __ldg(const T* p) { return *p; }
using std::max;
using std::min;
inline float max(float a, float b) { return std::max(a, b); }
inline float min(float a, float b) { return std::min(a, b); }
