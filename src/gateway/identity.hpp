#pragma once

#include "http/head.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace sluice::gateway {

// The API key of a request, as its caller sent it: "Authorization: Bearer", "api-key", "x-api-key",
// or, from browsers that cannot set headers, a WebSocket subprotocol
// "openai-insecure-api-key.<key>". A view into the head.
std::optional<std::string_view> find_key(const http::Head& head);

// The value of Sec-WebSocket-Protocol without the subprotocol that carries the key; empty when
// nothing else was in it.
std::string protocols_without_key(const http::Head& head);

}  // namespace sluice::gateway
