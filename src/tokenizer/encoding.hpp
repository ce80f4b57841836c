#pragma once

#include "tokenizer/tokenizer.hpp"
#include "tokenizer/vocabulary.hpp"

#include <cstdint>
#include <string_view>

// The two encodings of OpenAI's models, exact for every input. Their rank data is in the program;
// each is unpacked at its first use (once, by whichever thread comes first) and then shared by all.
// Text is counted as plain text: what looks like a special token is counted as its characters.
namespace sluice::tokenizer {

const Tokenizer& cl100k_base();
const Tokenizer& o200k_base();

// Unpacks those that are wanted now, side by side, so that no request waits for it. Throws
// std::runtime_error if the rank data in the program is damaged.
void load_encodings(bool with_cl100k, bool with_o200k);

const Vocabulary& cl100k_vocabulary();
const Vocabulary& o200k_vocabulary();

// What the two hold in memory, in bytes. Loads them.
std::uint64_t encodings_memory();

}  // namespace sluice::tokenizer
