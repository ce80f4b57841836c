#pragma once

#include <cstdint>
#include <string>

#include "base/result.hpp"
#include "net/stream.hpp"

namespace sluice::net {

struct Endpoint {
    std::string host;  // name, IPv4, or IPv6 without brackets
    std::uint16_t port = 0;
    friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

// Resolves (off the worker's path) and connects, trying each address in turn. TLS is the caller's
// next step.
Task<Result<Stream>> connect(Endpoint endpoint, Deadline deadline);

}  // namespace sluice::net
