#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace sluice::openai {

// Finds the `usage` object of a JSON document of any size without keeping the document: the member
// of the outermost object, or of its `response`. Takes any split of the input.
//
// What stands before the first brace is skipped. The document is taken for well-formed.
class UsageScan {
 public:
    void feed(std::string_view piece);

    // The text of the last usage object; empty when there was none, or larger than `kMaxUsage`.
    const std::string& usage() const { return usage_; }
    // The outermost object has ended.
    bool is_closed() const { return is_closed_; }

 private:
    static constexpr std::size_t kMaxUsage = 16 * 1024;
    static constexpr std::size_t kMaxKey = 16;

    void open(char bracket);
    void close();
    std::size_t take_string(std::string_view piece, std::size_t at);
    void keep(std::string_view bytes);
    bool is_watched_object() const { return depth_ == 1 || (depth_ == 2 && is_in_response_); }

    std::uint64_t depth_ = 0;
    bool is_closed_ = false;
    bool is_in_string_ = false;
    bool is_escaped_ = false;
    bool is_key_next_ = false;      // in a watched object, after `{` or `,`
    bool is_key_ = false;           // the string we are in is a key
    bool is_in_response_ = false;   // at depth 2, in the object under "response"
    std::string key_;               // the last key of a watched object
    std::uint64_t keep_depth_ = 0;  // depth outside of the usage object being kept; 0: none is
    std::string kept_;
    std::string usage_;
};

}  // namespace sluice::openai
