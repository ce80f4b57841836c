#pragma once

#include "base/result.hpp"
#include "net/stream.hpp"

#include <cstdint>
#include <string>
#include <utility>

namespace sluice::net {

struct Endpoint {
    Endpoint() = default;
    Endpoint(std::string host_name, std::uint16_t port_number)
        : host{std::move(host_name)}, port{port_number} {}

    std::string host;  // name, IPv4, or IPv6 without brackets
    std::uint16_t port = 0;
    friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

// Resolves (off the worker's path) and connects, trying each address in turn. TLS is the caller's
// next step.
Task<Result<Stream>> connect(Endpoint endpoint, Deadline deadline);

}  // namespace sluice::net
