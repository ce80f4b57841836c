#pragma once

#include "config/config.hpp"
#include "limits/types.hpp"
#include "openai/endpoint.hpp"
#include "openai/request.hpp"

#include <cstdint>
#include <optional>

namespace sluice::gateway {

// What one request is charged before it is let through, and the cap on its answer that makes the
// charge true.
struct Reserve {
    limits::Amounts amounts;
    // For each choice; to be written into the body because the caller gave none.
    std::optional<std::int64_t> injected_cap;
};

// The cap that `maxTokens` writes into a request without one, unless the limit itself is smaller.
inline constexpr std::int64_t kInjectedCap = 4096;

// Of a path that is not token-limited: one request.
Reserve reserve_request();

// Of a token-limited path. `expected_output` is what answers like this one usually take.
//
// Where there is an output limit, a request that may generate at all reserves at least one output
// token unless the mode is `none` and the limit is above 0: so a limit of 0 admits nothing. An
// estimate alone never makes a request too large: it is cut to the limit.
Reserve reserve_tokens(
    config::OutputReservation mode,
    const openai::Endpoint& endpoint,
    const openai::ParsedRequest& request,
    std::int64_t input_tokens,
    std::int64_t expected_output,
    const limits::Limits& limits
);

}  // namespace sluice::gateway
