#include "base/stats.hpp"

#include <gtest/gtest.h>

namespace sluice {
namespace {

TEST(HistogramTest, PutsADurationIntoTheFirstBucketThatHoldsIt) {
    struct Row {
        const char* name;
        nanoseconds duration;
        std::size_t bucket;
    };
    const Row rows[] = {
        {"zero", nanoseconds{0}, 0},
        {"at the first bound", microseconds{16}, 0},
        {"just above it", nanoseconds{16'001}, 1},
        {"at the second", microseconds{32}, 1},
        {"between", microseconds{50}, 2},
        {"at the last", microseconds{std::int64_t{16} << 21}, 21},
        {"above all", seconds{3600}, Histogram::kBounds},
        {"negative", nanoseconds{-5}, 0},
    };
    for (const Row& row : rows) {
        Histogram histogram;
        histogram.observe(row.duration);
        EXPECT_EQ(histogram.count(row.bucket), 1U) << row.name;
    }
    EXPECT_DOUBLE_EQ(Histogram::upper_bound_seconds(0), 16e-6);
}

}  // namespace
}  // namespace sluice
