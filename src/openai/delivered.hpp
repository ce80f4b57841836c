#pragma once

#include "tokenizer/tokenizer.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace sluice::openai {

// Counts text that comes in pieces smaller than tokens and larger. Text is kept until there is
// enough to count, and cut at a space, so that the count is nearly that of the whole.
class DeliveredText {
 public:
    explicit DeliveredText(const tokenizer::Tokenizer& tokenizer) : tokenizer_{&tokenizer} {}

    // `source` tells apart texts that do not continue each other: choices, fields.
    void add(std::uint64_t source, std::string_view text);
    std::int64_t tokens();

 private:
    void count_all_but(std::size_t kept);

    const tokenizer::Tokenizer* tokenizer_;
    std::uint64_t source_ = 0;
    std::string pending_;
    std::int64_t counted_ = 0;  // what is no longer pending
    std::int64_t pending_tokens_ = 0;
    bool is_pending_counted_ = true;
};

}  // namespace sluice::openai
