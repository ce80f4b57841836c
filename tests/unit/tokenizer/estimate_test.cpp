#include "tokenizer/estimate.hpp"

#include "tokenizer/registry.hpp"

#include <gtest/gtest.h>
#include <time.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

namespace sluice::tokenizer {
namespace {

std::string read_sample(const std::string& name) {
    const char* root = std::getenv("SLUICE_SOURCE_DIR");
    std::ifstream file{std::string{root ? root : "."} + "/tests/data/tokens/" + name};
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

std::string repeated(std::string_view unit, std::size_t times) {
    std::string text;
    for (std::size_t i = 0; i < times; ++i) text += unit;
    return text;
}

// Of this thread: what else the machine does is not counted.
std::chrono::nanoseconds cpu_time() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return std::chrono::seconds{now.tv_sec} + std::chrono::nanoseconds{now.tv_nsec};
}

TEST(EstimateTest, IsWithinFifteenPercentOfTheExactCountOnOrdinaryText) {
    std::istringstream counts{read_sample("counts.txt")};
    int samples = 0;
    for (std::string line; std::getline(counts, line);) {
        if (line.empty() || line.front() == '#') continue;
        std::istringstream fields{line};
        std::string name;
        double cl100k = 0;
        double o200k = 0;
        fields >> name >> cl100k >> o200k;
        const std::string text = read_sample(name);
        ASSERT_FALSE(text.empty()) << name;

        const auto by_cl100k = static_cast<double>(EstimateTokenizer{Family::cl100k}.count(text));
        const auto by_o200k = static_cast<double>(EstimateTokenizer{Family::o200k}.count(text));
        EXPECT_NEAR(by_cl100k / cl100k, 1.0, 0.15) << name;
        EXPECT_NEAR(by_o200k / o200k, 1.0, 0.15) << name;
        ++samples;
    }
    EXPECT_EQ(samples, 5);
}

TEST(EstimateTest, CountsSmallTextsAsThePublishedVocabulariesDo) {
    struct Row {
        const char* name;
        const char* text;
        std::uint64_t tokens;
    };
    const Row rows[] = {
        {"nothing", "", 0},
        {"a word", "hello", 2},  // 1.09 rounded up
        {"a letter", "a", 1},
        {"seven digits", "1234567", 3},
        {"a contraction", "I'm", 2},
        {"indentation", "        ", 1},
        {"bytes that are not UTF-8", "\xFF\xFE", 2},
        {"a character cut off", "\xE4\xBD", 2},
    };
    const EstimateTokenizer estimate;
    for (const Row& row : rows) EXPECT_EQ(estimate.count(row.text), row.tokens) << row.name;
}

TEST(EstimateTest, NeverCountsTextAsNothing) {
    const EstimateTokenizer estimate;
    for (int c = 1; c < 256; ++c) {
        EXPECT_GE(estimate.count(std::string(1, static_cast<char>(c))), 1U) << c;
    }
    EXPECT_GE(estimate.count("\n"), 1U);
}

TEST(EstimateTest, StopsSoonAfterItsBoundAndSaysThatItIsExceeded) {
    const std::string text = repeated("many words ", 100'000);
    const EstimateTokenizer estimate;
    const std::uint64_t exact = estimate.count(text);

    EXPECT_GT(estimate.count(text, 10), 10U);
    EXPECT_LT(estimate.count(text, 10), 20U);
    EXPECT_EQ(estimate.count(text, exact), exact);
    EXPECT_EQ(estimate.count(text, exact + 1), exact);
}

// Ten times the text may take ten times as long; a quadratic scan would take a hundred.
TEST(EstimateTest, IsLinearOnRunsThatMakeOthersQuadratic) {
    const EstimateTokenizer estimate;
    const auto time_of = [&](const std::string& text) {
        auto best = std::chrono::nanoseconds::max();
        for (int i = 0; i < 5; ++i) {
            const auto begin = cpu_time();
            EXPECT_GT(estimate.count(text), 0U);
            best = std::min(best, cpu_time() - begin);
        }
        return best;
    };
    for (const char* unit : {"a", "A", "_", "^~", "0", "'s", " ", "\n", " \n", "\xE4\xBA\x9A"}) {
        const auto small = time_of(repeated(unit, 20'000));
        const auto large = time_of(repeated(unit, 200'000));
        EXPECT_LT(large.count(), small.count() * 40 + 2'000'000) << "unit '" << unit << "'";
    }
}

}  // namespace
}  // namespace sluice::tokenizer
