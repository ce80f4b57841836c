#include "gateway/reserve.hpp"

#include <gtest/gtest.h>

namespace sluice::gateway {
namespace {

using config::OutputReservation;

TEST(ReserveTest, ChargesOutputByTheModeInForce) {
    struct Row {
        const char* name;
        OutputReservation mode;
        std::optional<std::int64_t> limit;
        std::optional<std::int64_t> cap;
        std::int64_t choices;
        std::int64_t expected;
        std::int64_t output;
        std::optional<std::int64_t> injected;
    };
    const Row rows[] = {
        {"estimate: what is expected", OutputReservation::estimate, 1000, {}, 1, 200, 200, {}},
        {"estimate: not above the cap", OutputReservation::estimate, 1000, 50, 1, 200, 50, {}},
        {"estimate: never too large by itself",
         OutputReservation::estimate,
         100,
         {},
         1,
         200,
         100,
         {}},
        {"estimate: at least one", OutputReservation::estimate, 0, {}, 1, 200, 1, {}},
        {"estimate: nothing without a limit", OutputReservation::estimate, {}, 50, 1, 200, 0, {}},
        {"maxTokens: the cap", OutputReservation::max_tokens, 1000, 50, 1, 200, 50, {}},
        {"maxTokens: the cap of each choice",
         OutputReservation::max_tokens,
         1000,
         50,
         3,
         200,
         150,
         {}},
        {"maxTokens: a cap above the limit",
         OutputReservation::max_tokens,
         1000,
         5000,
         1,
         9,
         5000,
         {}},
        {"maxTokens: injects the limit",
         OutputReservation::max_tokens,
         1000,
         {},
         1,
         200,
         1000,
         1000},
        {"maxTokens: injects no more than a good answer",
         OutputReservation::max_tokens,
         1'000'000,
         {},
         1,
         200,
         4096,
         4096},
        {"maxTokens: shares it between choices",
         OutputReservation::max_tokens,
         1000,
         {},
         4,
         200,
         1000,
         250},
        {"maxTokens: nothing without a limit",
         OutputReservation::max_tokens,
         {},
         {},
         1,
         200,
         0,
         {}},
        {"none: nothing", OutputReservation::none, 1000, 50, 1, 200, 0, {}},
        {"none: a limit of 0 admits nothing", OutputReservation::none, 0, 50, 1, 200, 1, {}},
    };
    for (const Row& row : rows) {
        openai::Endpoint endpoint;
        endpoint.kind = openai::EndpointKind::chat_completions;
        openai::ParsedRequest request;
        request.kind = endpoint.kind;
        request.max_output = row.cap;
        request.choices = row.choices;
        limits::Limits limits;
        limits.output_tokens = row.limit;

        const Reserve reserve =
            reserve_tokens(row.mode, endpoint, request, 10, row.expected, limits);

        EXPECT_EQ(reserve.amounts, (limits::Amounts{1, 10, row.output})) << row.name;
        EXPECT_EQ(reserve.injected_cap, row.injected) << row.name;
    }
}

TEST(ReserveTest, ChargesEmbeddingsNoOutput) {
    openai::Endpoint endpoint;
    endpoint.kind = openai::EndpointKind::embeddings;
    limits::Limits limits;
    limits.output_tokens = 0;

    const Reserve reserve =
        reserve_tokens(OutputReservation::estimate, endpoint, {}, 10, 500, limits);

    EXPECT_EQ(reserve.amounts, (limits::Amounts{1, 10, 0}));
}

}  // namespace
}  // namespace sluice::gateway
