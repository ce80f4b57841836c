#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::config {

// "host:port"; IPv6 in brackets, here without them. Port 0 asks the system for a free one.
struct Address {
    std::string host;
    std::uint16_t port = 0;

    std::string text() const;
    friend bool operator==(const Address&, const Address&) = default;
};

// Empty when `text` is no "host:port".
std::optional<Address> parse_address(std::string_view text);

// Where requests go: "http://host[:port][/prefix]", "https://…", or "echo:", the built-in upstream.
struct UpstreamUrl {
    enum class Scheme : std::uint8_t { http, https, echo };
    Scheme scheme = Scheme::http;
    Address address;     // empty with echo
    std::string prefix;  // put before each request's path; "" or "/…" without a slash at its end

    std::string text() const;
    friend bool operator==(const UpstreamUrl&, const UpstreamUrl&) = default;
};

// Empty when `text` is none of the forms above: a user, a query or a fragment have no place there.
std::optional<UpstreamUrl> parse_upstream_url(std::string_view text);

// redis://host[:port][/database] or rediss://…; empty when it is neither.
struct RedisUrl {
    bool is_tls = false;
    Address address;
    int database = 0;
};
std::optional<RedisUrl> parse_redis_url(std::string_view text);

}  // namespace sluice::config
