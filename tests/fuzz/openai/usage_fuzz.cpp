// A tap comes to the same end however the answer is cut, relays every byte unless it hides, and
// never counts backwards. The first byte chooses the options and the cuts.
#include "openai/usage.hpp"
#include "tokenizer/estimate.hpp"

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace sluice::openai;

struct Outcome {
    std::string relayed;
    std::optional<TokenUsage> usage;
    bool is_complete = false;
    bool has_error = false;
    bool operator==(const Outcome&) const = default;
};

Outcome run(const TapOptions& options, std::string_view answer, std::size_t step) {
    static JsonReader reader;
    static const sluice::tokenizer::EstimateTokenizer tokenizer;
    UsageTap tap{options, reader, tokenizer};
    std::vector<std::string_view> out;
    Outcome outcome;
    std::int64_t delivered = 0;
    const auto take = [&] {
        for (const std::string_view bytes : out) outcome.relayed += bytes;
        out.clear();
        if (tap.delivered_tokens() < delivered) std::abort();
        delivered = tap.delivered_tokens();
    };
    while (!answer.empty()) {
        const std::string piece{answer.substr(0, step)};
        answer.remove_prefix(piece.size());
        tap.feed(piece, out);
        take();
    }
    tap.finish(out);
    take();
    outcome.usage = tap.usage();
    outcome.is_complete = tap.is_complete();
    outcome.has_error = tap.has_error();
    return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    if (size == 0) return 0;
    TapOptions options;
    options.kind = static_cast<EndpointKind>(bytes[0] % 6);
    options.is_event_stream = (bytes[0] & 0x40) != 0;
    options.hides_usage_chunk = (bytes[0] & 0x80) != 0;
    const std::string_view answer{reinterpret_cast<const char*>(bytes) + 1, size - 1};

    const Outcome whole = run(options, answer, answer.size());
    if (run(options, answer, 1 + bytes[0] % 7) != whole) std::abort();
    const bool hides = options.is_event_stream && options.hides_usage_chunk;
    if (!hides && whole.relayed != answer) std::abort();
    return 0;
}
