#pragma once

#include "openai/endpoint.hpp"
#include "openai/error.hpp"
#include "openai/json.hpp"

#include <boost/system/result.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

// What a limiter must know of a request's body, and the two changes it may make to it.
//
// Where keys are doubled the last one counts, and escaped keys ("\u0073tream") are read, as
// Python's, JavaScript's and most other readers do.
namespace sluice::openai {

struct ParsedRequest {
    EndpointKind kind = EndpointKind::other;
    std::string model;            // empty when the body names none
    bool is_stream = false;       // `stream` is JSON true
    bool asks_for_usage = false;  // `stream_options.include_usage` is true

    // `background` of the responses API is true: the answer comes without usage, the work later.
    bool is_background = false;

    // The most tokens one choice may have, as the caller said: the largest of the names that this
    // endpoint reads. Absent: the caller gave none (null, or the -1 of llama.cpp).
    std::optional<std::int64_t> max_output;
    // Answers the upstream will generate: n or best_of, times the prompts of a batch.
    std::int64_t choices = 1;

    // What the caller allows altogether, below limits::kMaxAmount.
    std::optional<std::int64_t> max_output_total() const;

    // Holds the document for `count_input`, until the reader reads the next one.
    const JsonReader* document = nullptr;
};

using ParseResult = boost::system::result<ParsedRequest, ApiError>;

// Reads a decoded body of a token-limited endpoint. The error is a 400 ready to send. What OpenAI
// refuses but a limiter need not understand is left to the upstream.
ParseResult parse_request(EndpointKind kind, std::string_view body, JsonReader& reader);

struct EditPlan {
    // Ask a stream for its usage: "stream_options":{"include_usage":true}. Left out by itself for a
    // body that is no stream or asks already, and for anything but (chat) completions.
    bool inject_usage = false;
    // The cap for each choice: `max_completion_tokens`, `max_tokens` or `max_output_tokens`.
    std::optional<std::int64_t> output_cap;

    bool is_empty() const { return !inject_usage && !output_cap; }
};

// The body with the plan carried out by insertions and replacements of single values; every other
// byte is as it was. `body` must be what `request` was parsed from.
std::string edited_body(const ParsedRequest& request, std::string_view body, const EditPlan& plan);

}  // namespace sluice::openai
