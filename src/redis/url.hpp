#pragma once

#include "base/result.hpp"
#include "net/connect.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace sluice::redis {

struct Url {
    net::Endpoint endpoint;
    int database = 0;
    bool is_tls = false;
};

// redis://host[:port][/database] or rediss://…; an IPv6 address stands in brackets. User and
// password never stand in an address (they come from files), so one with '@' is refused.
Result<Url> parse_url(std::string_view text);

// host:port, with the port 6379 (or `default_port`) when it is left out.
Result<net::Endpoint> parse_node(std::string_view text, std::uint16_t default_port = 6379);

std::string to_text(const net::Endpoint& endpoint);

}  // namespace sluice::redis
