#pragma once

#include "openai/json.hpp"
#include "tokenizer/tokenizer.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace sluice::gateway {

// What the built-in upstream answers: the last user text comes back, word by word, one token each,
// cut at the caller's cap; `usage` says so. Pure.
struct EchoAnswer {
    unsigned status = 200;
    // One piece: a JSON body. Several: the events of a stream, each with its blank line.
    std::vector<std::string> pieces;
    bool is_stream = false;
};

EchoAnswer echo(
    std::string_view method,
    std::string_view target,
    std::string_view body,
    openai::JsonReader& reader,
    const tokenizer::Tokenizer& tokenizer
);

}  // namespace sluice::gateway
