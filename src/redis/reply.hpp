#pragma once

#include "base/result.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::redis {

// One RESP2 reply as a value.
class Reply {
 public:
    enum class Kind : std::uint8_t { nil, integer, status, text, error, array };

    Reply() = default;
    static Reply of_integer(std::int64_t value);
    static Reply of_text(std::string value);
    static Reply of_status(std::string value);
    static Reply of_error(std::string value);
    static Reply of_array(std::vector<Reply> items);

    Kind kind() const { return kind_; }
    bool is_nil() const { return kind_ == Kind::nil; }
    bool is_error() const { return kind_ == Kind::error; }
    bool is_array() const { return kind_ == Kind::array; }
    bool is_text() const { return kind_ == Kind::text || kind_ == Kind::status; }
    // True for an error whose first word is `word`, as in "MOVED 3999 127.0.0.1:6381".
    bool is_error(std::string_view word) const;

    std::int64_t integer() const { return integer_; }           // 0 for every other kind
    const std::string& text() const { return text_; }           // "" for every other kind
    const std::vector<Reply>& items() const { return items_; }  // empty for every other kind
    std::string take_text() { return std::move(text_); }

 private:
    friend class ReplyParser;

    Kind kind_ = Kind::nil;
    std::int64_t integer_ = 0;
    std::string text_;
    std::vector<Reply> items_;
};

// The number in a reply that is an integer, or a text of decimal digits.
Result<std::int64_t> to_integer(const Reply& reply);

// Errc::refused or Errc::no_script for an error reply, none for every other.
Error error_of(const Reply& reply);

}  // namespace sluice::redis
