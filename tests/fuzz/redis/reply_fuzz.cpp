// What a Redis server sends. The first byte chooses where the input is cut: whole or cut, the same
// replies must come out, and none may hold more than the bounds allow.
#include "redis/codec.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

using namespace sluice;
using namespace sluice::redis;

namespace {

constexpr ReplyParser::Bounds kBounds{.bytes = 4096, .items = 64};

void require(bool holds) {
    if (!holds) std::abort();
}

bool is_same(const Reply& a, const Reply& b) {
    return a.kind() == b.kind() && a.integer() == b.integer() && a.text() == b.text() &&
           std::equal(
               a.items().begin(), a.items().end(), b.items().begin(), b.items().end(), is_same
           );
}

std::size_t items_in(const Reply& reply) {
    std::size_t count = reply.items().size();
    for (const Reply& item : reply.items()) count += items_in(item);
    return count;
}

struct Outcome {
    std::vector<Reply> replies;
    bool is_bad = false;
};

Outcome read(std::string_view text, std::size_t piece) {
    Outcome outcome;
    ReplyParser parser{kBounds};
    while (!text.empty() && !outcome.is_bad) {
        const std::size_t size = std::min(piece, text.size());
        outcome.is_bad = static_cast<bool>(parser.feed(text.substr(0, size)));
        text.remove_prefix(size);
        while (!outcome.is_bad) {
            Result<std::optional<Reply>> reply = parser.next();
            outcome.is_bad = !reply;
            if (!reply || !*reply) break;
            outcome.replies.push_back(std::move(**reply));
        }
    }
    if (outcome.is_bad) require(!parser.next() && parser.feed("+OK\r\n"));
    return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0 || size > kBounds.bytes) return 0;
    const std::string_view text{reinterpret_cast<const char*>(data) + 1, size - 1};
    const Outcome whole = read(text, kBounds.bytes);
    const Outcome cut = read(text, data[0] % 32 + 1U);
    require(whole.is_bad == cut.is_bad);
    require(std::equal(
        whole.replies.begin(), whole.replies.end(), cut.replies.begin(), cut.replies.end(), is_same
    ));
    for (const Reply& reply : whole.replies) require(items_in(reply) <= kBounds.items);
    return 0;
}
