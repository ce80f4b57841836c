#pragma once

#include <cstdint>
#include <limits>
#include <string_view>

namespace sluice::tokenizer {

inline constexpr std::uint64_t kNoBound = std::numeric_limits<std::uint64_t>::max();

// Counts tokens of plain text. Immutable after construction and thread-safe.
class Tokenizer {
 public:
    virtual ~Tokenizer() = default;

    // "cl100k_base", "o200k_base", "estimate".
    virtual std::string_view name() const = 0;

    // Tokens of `text` (UTF-8; invalid bytes are counted, never refused). May stop early and answer
    // any number above `bound` once the count is known to exceed it. Linear in the length.
    virtual std::uint64_t count(std::string_view text, std::uint64_t bound = kNoBound) const = 0;
};

}  // namespace sluice::tokenizer
