#include "gateway/output_estimate.hpp"

#include <gtest/gtest.h>

#include <string>

namespace sluice::gateway {
namespace {

TEST(OutputEstimateTest, AssumesAFixedAmountOfAPairItNeverSaw) {
    const OutputEstimate estimate;

    EXPECT_EQ(estimate.expect("a/b", "gpt-4o"), OutputEstimate::kUnknown);
}

TEST(OutputEstimateTest, ConvergesOnAnswersThatAreAllAlike) {
    OutputEstimate estimate;

    for (int i = 0; i < 200; ++i) estimate.learn("a/b", "gpt-4o", 40);

    EXPECT_EQ(estimate.expect("a/b", "gpt-4o"), 41);  // rounded up
}

TEST(OutputEstimateTest, ExpectsMoreThanTheMeanOfAnswersThatVary) {
    OutputEstimate estimate;

    for (int i = 0; i < 200; ++i) estimate.learn("a/b", "gpt-4o", i % 2 == 0 ? 10 : 190);

    EXPECT_GT(estimate.expect("a/b", "gpt-4o"), 190);
}

TEST(OutputEstimateTest, TellsSubjectsAndModelsApart) {
    OutputEstimate estimate;
    estimate.learn("a/b", "small", 4);

    EXPECT_EQ(estimate.expect("a/b", "large"), OutputEstimate::kUnknown);
    EXPECT_EQ(estimate.expect("a/c", "small"), OutputEstimate::kUnknown);
}

TEST(OutputEstimateTest, StaysWithinItsMemoryWhateverComes) {
    OutputEstimate estimate;

    for (int i = 0; i < 100'000; ++i) estimate.learn("a/" + std::to_string(i), "m", i);

    EXPECT_GE(estimate.expect("a/99999", "m"), 99'999);
}

}  // namespace
}  // namespace sluice::gateway
