// Every byte of the stream is in exactly one event, and the events are the same however the stream
// is cut. The first byte chooses the bound and the cuts.
#include "openai/sse.hpp"

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace sluice::openai;

struct Seen {
    std::vector<std::string> bytes{""};
    std::vector<std::string> data;

    void take(const SseEvent& event) {
        bytes.back() += event.bytes;
        if (!event.is_end) return;
        data.emplace_back(event.is_oversize ? "(oversize)" : event.data);
        bytes.emplace_back();
    }
    bool operator==(const Seen&) const = default;
};

Seen see(std::string_view stream, std::size_t step, std::size_t max_event) {
    SseSplitter splitter{max_event};
    Seen seen;
    while (!stream.empty()) {
        const std::string piece{stream.substr(0, step)};
        stream.remove_prefix(piece.size());
        splitter.feed(piece);
        while (const auto event = splitter.next()) seen.take(*event);
    }
    if (const auto event = splitter.finish()) seen.take(*event);
    return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    if (size == 0) return 0;
    const std::size_t step = 1 + bytes[0] % 16;
    const std::size_t max_event = bytes[0] < 128 ? 24 : SseSplitter::kMaxEvent;
    const std::string_view stream{reinterpret_cast<const char*>(bytes) + 1, size - 1};

    const Seen whole = see(stream, stream.size(), max_event);
    std::string together;
    for (const std::string& event : whole.bytes) together += event;
    if (together != stream) std::abort();
    if (see(stream, step, max_event) != whole) std::abort();
    return 0;
}
