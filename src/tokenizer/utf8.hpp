#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace sluice::tokenizer {

// How many bytes at the start of `text` are well-formed UTF-8 (no surrogates, no overlong forms,
// nothing above U+10FFFF).
std::size_t valid_prefix(std::string_view text);

// `text` with U+FFFD for each maximal subpart of an ill-formed sequence, as the Unicode standard
// recommends (3.9, "U+FFFD Substitution of Maximal Subparts") and Python, Rust and browsers do.
std::string with_replacements(std::string_view text);

}  // namespace sluice::tokenizer
