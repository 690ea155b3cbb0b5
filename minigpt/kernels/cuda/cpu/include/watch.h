// What is known of the shared memory of a block since its last barrier: who read and wrote which place. From that follow
// the passes that the banks need, and the races.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

namespace cpu {

struct Access { int thread, warp_barriers; };

// An array or a number that the source declares as shared.
struct Name {
    uintptr_t begin, end;
    size_t size, row;  // bytes of a number, numbers of a row
    const char* text;
};

struct Race {
    uintptr_t address;
    int thread, earlier;
    bool wrote, earlier_wrote;
};

class Watch {
    struct Place {
        Access writer{-1, 0};
        std::vector<Access> readers;
    };
    std::unordered_map<uintptr_t, Place> places;
    std::vector<std::vector<uintptr_t>> words;  // of 4 bytes, by the number of the access and the warp

    // Threads of two warps are ordered by __syncthreads() only, those of one warp by __syncwarp() as well.
    static bool unordered(Access earlier, Access now) {
        return earlier.thread != now.thread &&
               (earlier.thread / 32 != now.thread / 32 || earlier.warp_barriers == now.warp_barriers);
    }

public:
    std::vector<Name> names;
    long long requests = 0, passes = 0;

    // Notes an access; whether it and an earlier one are a race.
    bool touch(uintptr_t address, Access now, size_t request, bool writes, Race& race) {
        if (words.size() <= request) words.resize(request + 1);
        auto& asked = words[request];
        if (std::find(asked.begin(), asked.end(), address / 4) == asked.end()) asked.push_back(address / 4);
        Place& place = places[address];
        if (place.writer.thread >= 0 && unordered(place.writer, now)) {
            race = {address, now.thread, place.writer.thread, writes, true};
            return true;
        }
        if (!writes) {
            auto same = [&](Access a) { return a.thread == now.thread && a.warp_barriers == now.warp_barriers; };
            if (place.readers.empty() || !same(place.readers.back())) place.readers.push_back(now);
            return false;
        }
        for (Access reader : place.readers)
            if (unordered(reader, now)) {
                race = {address, now.thread, reader.thread, true, false};
                return true;
            }
        place.writer = now;
        return false;
    }

    // A bank holds every 32nd word and gives one in each pass, however many threads want it.
    void barrier() {
        for (auto& asked : words) {
            int banks[32] = {};
            for (uintptr_t word : asked) banks[word % 32]++;
            requests += !asked.empty();
            passes += *std::max_element(banks, banks + 32);
        }
        words.clear();
        places.clear();
    }
};

}  // namespace cpu
