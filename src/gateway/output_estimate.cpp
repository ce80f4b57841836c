#include "gateway/output_estimate.hpp"

#include <algorithm>
#include <cmath>
#include <functional>

namespace sluice::gateway {
namespace {

constexpr double kWeight = 1.0 / 8;  // of the newest answer, as in TCP's round-trip estimate

std::uint64_t tag_of(std::string_view subject, std::string_view model) {
    const std::hash<std::string_view> hash;
    const std::uint64_t tag = hash(subject) * 0x9E3779B97F4A7C15U + hash(model);
    return tag == 0 ? 1 : tag;
}

}  // namespace

OutputEstimate::OutputEstimate() : entries_(kEntries) {}

std::int64_t OutputEstimate::expect(std::string_view subject, std::string_view model) const {
    const std::uint64_t tag = tag_of(subject, model);
    const Entry& entry = entries_[tag % kEntries];
    if (entry.tag != tag) return kUnknown;
    return static_cast<std::int64_t>(std::ceil(entry.mean + 2 * entry.deviation));
}

void OutputEstimate::learn(std::string_view subject, std::string_view model, std::int64_t tokens) {
    const std::uint64_t tag = tag_of(subject, model);
    Entry& entry = entries_[tag % kEntries];
    const auto seen = static_cast<double>(std::max<std::int64_t>(tokens, 0));
    if (entry.tag != tag) {
        entry = Entry{tag, seen, seen / 2};
        return;
    }
    entry.deviation += kWeight * (std::abs(seen - entry.mean) - entry.deviation);
    entry.mean += kWeight * (seen - entry.mean);
}

}  // namespace sluice::gateway
