#pragma once

#include <cstdint>

// What the split patterns ask of a code point, as one byte of flags (Unicode 16.0, as in the regex
// engine of tiktoken 0.14.0). The tables are generated: see make_unicode_tables.py.
namespace sluice::tokenizer::unicode {

using Class = std::uint8_t;

// 0 is everything else: punctuation, symbols, control characters, unassigned.
inline constexpr Class kUpper = 1;     // Lu Lt Lm Lo M: what o200k allows before the small letters
inline constexpr Class kLower = 2;     // Ll Lm Lo M: what o200k allows as small letters
inline constexpr Class kLetter = 4;    // L (combining marks are not letters)
inline constexpr Class kNumber = 8;    // N
inline constexpr Class kSpace = 16;    // White_Space
inline constexpr Class kNewline = 32;  // CR and LF, which are also kSpace

inline constexpr std::uint32_t kBlockSize = 128;
extern const std::uint32_t kIndexSize;
extern const std::uint8_t* const kIndexTable;
extern const std::uint8_t* const kBlockTable;

inline Class classify(std::uint32_t scalar) {
    std::uint32_t block = scalar / kBlockSize;
    block = block < kIndexSize ? block : kIndexSize - 1;
    return kBlockTable[kIndexTable[block] * kBlockSize + scalar % kBlockSize];
}

}  // namespace sluice::tokenizer::unicode
