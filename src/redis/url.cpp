#include "redis/url.hpp"

#include "redis/error.hpp"

#include <charconv>

namespace sluice::redis {

namespace {

template <class Number>
bool parse_number(std::string_view text, Number& value) {
    const char* end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data(), end, value);
    return parsed.ec == std::errc{} && parsed.ptr == end;
}

}  // namespace

Result<net::Endpoint> parse_node(std::string_view text, std::uint16_t default_port) {
    net::Endpoint endpoint;
    endpoint.port = default_port;
    std::string_view rest;
    if (text.starts_with('[')) {
        const std::size_t end = text.find(']');
        if (end == std::string_view::npos) return Error{Errc::bad_url};
        endpoint.host = text.substr(1, end - 1);
        rest = text.substr(end + 1);
    } else {
        const std::size_t end = std::min(text.find(':'), text.size());
        endpoint.host = text.substr(0, end);
        rest = text.substr(end);
    }
    const bool has_port = !rest.empty();
    if (has_port && (rest[0] != ':' || !parse_number(rest.substr(1), endpoint.port))) {
        return Error{Errc::bad_url};
    }
    const bool is_strange = endpoint.host.find_first_of(" /@?#\t\r\n") != std::string::npos;
    if (endpoint.host.empty() || endpoint.port == 0 || is_strange) return Error{Errc::bad_url};
    return endpoint;
}

Result<Url> parse_url(std::string_view text) {
    Url url;
    if (text.starts_with("rediss://")) {
        url.is_tls = true;
        text.remove_prefix(9);
    } else if (text.starts_with("redis://")) {
        text.remove_prefix(8);
    } else {
        return Error{Errc::bad_url};
    }
    const std::size_t slash = std::min(text.find('/'), text.size());
    const std::string_view path = text.substr(slash);
    const bool is_path_good =
        path.empty() || path == "/" || parse_number(path.substr(1), url.database);
    if (!is_path_good || url.database < 0) return Error{Errc::bad_url};
    Result<net::Endpoint> endpoint = parse_node(text.substr(0, slash));
    if (!endpoint) return endpoint.error();
    url.endpoint = *endpoint;
    return url;
}

std::string to_text(const net::Endpoint& endpoint) {
    const bool is_v6 = endpoint.host.find(':') != std::string::npos;
    return (is_v6 ? "[" + endpoint.host + "]" : endpoint.host) + ":" +
           std::to_string(endpoint.port);
}

}  // namespace sluice::redis
