#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace sluice::gateway {

// How many output tokens a subject's answers from a model usually take: the smoothed mean plus two
// smoothed deviations of what was seen. Bounded memory: a table of fixed size in which a newer pair
// may push out an older one. One worker only.
class OutputEstimate {
 public:
    // What is assumed of a pair that was never seen.
    static constexpr std::int64_t kUnknown = 512;

    OutputEstimate();

    std::int64_t expect(std::string_view subject, std::string_view model) const;
    void learn(std::string_view subject, std::string_view model, std::int64_t tokens);

 private:
    struct Entry {
        std::uint64_t tag = 0;  // 0: free
        double mean = 0;
        double deviation = 0;
    };
    static constexpr std::size_t kEntries = 4096;

    std::vector<Entry> entries_;
};

}  // namespace sluice::gateway
