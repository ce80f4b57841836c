#pragma once

#include "base/time.hpp"

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

// Plain numbers that any thread may read and, as a rule, one thread writes. `telemetry` reads
// them when it is scraped; no metrics library is touched on the request path.
namespace sluice {

class Counter {
 public:
    void add(std::uint64_t amount = 1) { value_.fetch_add(amount, std::memory_order_relaxed); }
    std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
    std::atomic<std::uint64_t> value_{0};
};

class Gauge {
 public:
    void set(std::int64_t value) { value_.store(value, std::memory_order_relaxed); }
    void add(std::int64_t amount) { value_.fetch_add(amount, std::memory_order_relaxed); }
    std::int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
    std::atomic<std::int64_t> value_{0};
};

// Durations in buckets whose upper bounds double: 16 µs, 32 µs, … 2^25 µs (33 s), and above.
class Histogram {
 public:
    static constexpr std::size_t kBounds = 22;
    static constexpr double upper_bound_seconds(std::size_t bucket) {
        return static_cast<double>(std::uint64_t{16} << bucket) * 1e-6;
    }

    void observe(nanoseconds duration) {
        const auto nanos = static_cast<std::uint64_t>(duration.count() < 0 ? 0 : duration.count());
        const std::uint64_t sixteenths = (nanos + 15'999) / 16'000;  // of 16 µs, rounded up
        const auto bucket = sixteenths <= 1
                                ? std::size_t{0}
                                : static_cast<std::size_t>(std::bit_width(sixteenths - 1));
        counts_[bucket < kBounds ? bucket : kBounds].fetch_add(1, std::memory_order_relaxed);
        nanos_.fetch_add(nanos, std::memory_order_relaxed);
    }
    // Observations in this bucket alone; `kBounds` is the one above every bound.
    std::uint64_t count(std::size_t bucket) const {
        return counts_[bucket].load(std::memory_order_relaxed);
    }
    double sum_seconds() const {
        return static_cast<double>(nanos_.load(std::memory_order_relaxed)) * 1e-9;
    }

 private:
    std::array<std::atomic<std::uint64_t>, kBounds + 1> counts_{};
    std::atomic<std::uint64_t> nanos_{0};
};

}  // namespace sluice
