#pragma once

#include "openai/endpoint.hpp"
#include "openai/json.hpp"
#include "tokenizer/tokenizer.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

namespace sluice::openai {

// What the upstream says it has used.
struct TokenUsage {
    std::int64_t input_tokens = 0;
    std::int64_t output_tokens = 0;  // reasoning included
    std::int64_t cached_tokens = 0;  // part of input_tokens
    friend bool operator==(const TokenUsage&, const TokenUsage&) = default;
};

struct TapOptions {
    EndpointKind kind = EndpointKind::other;
    bool is_event_stream = false;    // the answer's content type is text/event-stream
    bool hides_usage_chunk = false;  // the caller did not ask for the usage that we injected
};

// Sees every byte of one answer on its way to the caller and knows what it cost.
//
// When nothing is hidden every piece is relayed at once, untouched. When the usage chunk is hidden,
// an event of the stream is relayed as soon as its blank line has come, and an event without
// choices (empty or missing) and with a usage object is not relayed; nothing else is changed, so
// other chunks keep the `"usage":null` that came with the injection.
//
// `reader` and `tokenizer` must outlive the tap; the reader is used within calls only.
class UsageTap {
 public:
    UsageTap(TapOptions options, JsonReader& reader, const tokenizer::Tokenizer& tokenizer);
    ~UsageTap();
    UsageTap(UsageTap&&) noexcept;
    UsageTap& operator=(UsageTap&&) noexcept;

    // Appends what may be relayed now to `out`: views of `piece` or of the tap, good until the next
    // call of `feed` or `finish`.
    void feed(std::string_view piece, std::vector<std::string_view>& out);

    // The answer has ended. Appends what was held back.
    void finish(std::vector<std::string_view>& out);

    // The last usage that is not null; vLLM and others repeat it in every chunk, growing.
    const std::optional<TokenUsage>& usage() const;

    // Output tokens that came so far: counted from the text, or reported if that is more. Never
    // falls. Counts what is new since the last call.
    std::int64_t delivered_tokens();

    // What to charge as output. Reported usage, once the answer has come to its proper end; until
    // then the larger of reported and delivered; delivered if nothing was reported.
    std::int64_t output_tokens();

    // The answer came to its own end: [DONE], a final event of the responses API, or `finish` on a
    // body whose JSON is closed.
    bool is_complete() const;
    // An error event was seen in the stream, or the body is an error object.
    bool has_error() const;

 private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace sluice::openai
