#include "redis/reply.hpp"

#include "redis/error.hpp"

#include <charconv>
#include <utility>

namespace sluice::redis {

Reply Reply::of_integer(std::int64_t value) {
    Reply reply;
    reply.kind_ = Kind::integer;
    reply.integer_ = value;
    return reply;
}

Reply Reply::of_text(std::string value) {
    Reply reply;
    reply.kind_ = Kind::text;
    reply.text_ = std::move(value);
    return reply;
}

Reply Reply::of_status(std::string value) {
    Reply reply = of_text(std::move(value));
    reply.kind_ = Kind::status;
    return reply;
}

Reply Reply::of_error(std::string value) {
    Reply reply = of_text(std::move(value));
    reply.kind_ = Kind::error;
    return reply;
}

Reply Reply::of_array(std::vector<Reply> items) {
    Reply reply;
    reply.kind_ = Kind::array;
    reply.items_ = std::move(items);
    return reply;
}

bool Reply::is_error(std::string_view word) const {
    const std::string_view text{text_};
    return is_error() && text.starts_with(word) &&
           (text.size() == word.size() || text[word.size()] == ' ');
}

Result<std::int64_t> to_integer(const Reply& reply) {
    if (reply.kind() == Reply::Kind::integer) return reply.integer();
    const std::string& text = reply.text();
    const char* end = text.data() + text.size();
    std::int64_t value = 0;
    const auto parsed = std::from_chars(text.data(), end, value);
    if (!reply.is_text() || parsed.ec != std::errc{} || parsed.ptr != end) {
        return Error{Errc::bad_reply};
    }
    return value;
}

Error error_of(const Reply& reply) {
    if (!reply.is_error()) return {};
    return reply.is_error("NOSCRIPT") ? Errc::no_script : Errc::refused;
}

}  // namespace sluice::redis
