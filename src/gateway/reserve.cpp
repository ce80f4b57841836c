#include "gateway/reserve.hpp"

#include <algorithm>

namespace sluice::gateway {
namespace {

std::int64_t at_most(std::int64_t amount) {
    return std::min(amount, limits::kMaxAmount);
}

// The whole answer's share of a cap for each choice.
void reserve_capped(
    Reserve& reserve, const openai::ParsedRequest& request, std::int64_t output_limit
) {
    if (const auto allowed = request.max_output_total()) {
        reserve.amounts.output_tokens = std::max<std::int64_t>(at_most(*allowed), 1);
        return;
    }
    const std::int64_t choices = std::max<std::int64_t>(request.choices, 1);
    const std::int64_t share = std::min(kInjectedCap, output_limit / choices);
    reserve.injected_cap = std::max<std::int64_t>(share, 1);
    reserve.amounts.output_tokens = at_most(*reserve.injected_cap * choices);
}

void reserve_estimated(
    Reserve& reserve,
    const openai::ParsedRequest& request,
    std::int64_t expected,
    std::int64_t output_limit
) {
    std::int64_t output = std::min(expected, output_limit);
    if (const auto allowed = request.max_output_total()) output = std::min(output, *allowed);
    reserve.amounts.output_tokens = std::max<std::int64_t>(output, 1);
}

}  // namespace

Reserve reserve_request() {
    Reserve reserve;
    reserve.amounts.requests = 1;
    return reserve;
}

Reserve reserve_tokens(
    config::OutputReservation mode,
    const openai::Endpoint& endpoint,
    const openai::ParsedRequest& request,
    std::int64_t input_tokens,
    std::int64_t expected_output,
    const limits::Limits& limits
) {
    Reserve reserve = reserve_request();
    reserve.amounts.input_tokens = at_most(input_tokens);
    if (!endpoint.has_output() || !limits.output_tokens) return reserve;

    const std::int64_t output_limit = *limits.output_tokens;
    switch (mode) {
        case config::OutputReservation::max_tokens:
            reserve_capped(reserve, request, output_limit);
            break;
        case config::OutputReservation::estimate:
            reserve_estimated(reserve, request, expected_output, output_limit);
            break;
        case config::OutputReservation::none:
            reserve.amounts.output_tokens = output_limit == 0 ? 1 : 0;
            break;
    }
    return reserve;
}

}  // namespace sluice::gateway
