#include "limits/wire.hpp"

#include <algorithm>
#include <cassert>

namespace sluice::limits::wire {
namespace {

constexpr std::uint64_t kUnlimited = (std::uint64_t{1} << 48) - 1;

constexpr int kWindowBytes = 4;
constexpr int kCountBytes = 2;
constexpr int kAmountBytes = 6;
constexpr int kLabelBytes = 6;
constexpr int kSequenceBytes = 8;
constexpr int kDeltaBytes = 8;
constexpr int kEmptyInBytes = 4;
constexpr std::size_t kQuestionBytes = kWindowBytes + kCountBytes + 6 * kAmountBytes;
constexpr std::size_t kSettlementBytes = kLabelBytes + kSequenceBytes + 3 * kDeltaBytes;
constexpr std::size_t kAnswerBytes =
    2 + kLabelBytes + kSequenceBytes + 3 * kAmountBytes + 3 * kEmptyInBytes;

enum Status : std::uint8_t { kDenied = 0, kAdmitted = 1, kNeverFits = 2, kPeeked = 3 };

void put(std::string& to, std::uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) to.push_back(static_cast<char>(value >> (8 * i) & 0xff));
}

// Takes `bytes` off the front. Requires that they are there.
std::uint64_t take(std::string_view& from, int bytes) {
    std::uint64_t value = 0;
    for (int i = 0; i < bytes; ++i) {
        const auto byte = static_cast<unsigned char>(from[static_cast<std::size_t>(i)]);
        value |= std::uint64_t{byte} << (8 * i);
    }
    from.remove_prefix(static_cast<std::size_t>(bytes));
    return value;
}

std::uint64_t bounded(std::int64_t amount) {
    return static_cast<std::uint64_t>(std::clamp<std::int64_t>(amount, 0, kMaxAmount));
}

std::string pack(
    milliseconds window,
    const Limits& limits,
    const Amounts& amounts,
    std::span<const Settlement> settlements
) {
    assert(settlements.size() <= kMaxSettlements);
    settlements = settlements.first(std::min(settlements.size(), kMaxSettlements));
    std::string text;
    text.reserve(kQuestionBytes + settlements.size() * kSettlementBytes);
    const std::int64_t length = std::clamp<std::int64_t>(window.count(), 1, UINT32_MAX);
    put(text, static_cast<std::uint64_t>(length), kWindowBytes);
    put(text, settlements.size(), kCountBytes);
    for (const Dimension d : kAllDimensions) {
        put(text, limits[d] ? bounded(*limits[d]) : kUnlimited, kAmountBytes);
    }
    for (const Dimension d : kAllDimensions) put(text, bounded(amounts[d]), kAmountBytes);
    for (const Settlement& settlement : settlements) {
        put(text, settlement.slot.label_ms, kLabelBytes);
        put(text, settlement.slot.sequence, kSequenceBytes);
        for (const Dimension d : kAllDimensions) {
            // Wraps to two's complement, which the script reads as signed.
            put(text, bounded(settlement.used[d]) - bounded(settlement.reserved[d]), kDeltaBytes);
        }
    }
    return text;
}

struct Answer {
    std::uint8_t status = 0;
    std::uint8_t dimension = 0;
    std::uint64_t label_or_wait = 0;
    std::uint64_t sequence = 0;
    Usage usage;
};

std::optional<Answer> unpack(std::string_view text) {
    if (text.size() != kAnswerBytes) return std::nullopt;
    Answer answer;
    answer.status = static_cast<std::uint8_t>(take(text, 1));
    answer.dimension = static_cast<std::uint8_t>(take(text, 1));
    answer.label_or_wait = take(text, kLabelBytes);
    answer.sequence = take(text, kSequenceBytes);
    for (const Dimension d : kAllDimensions) {
        answer.usage.used[d] = static_cast<std::int64_t>(take(text, kAmountBytes));
    }
    for (milliseconds& wait : answer.usage.empty_in) {
        wait = milliseconds{static_cast<std::int64_t>(take(text, kEmptyInBytes))};
    }
    if (answer.status > kPeeked || answer.dimension >= kDimensions) return std::nullopt;
    return answer;
}

}  // namespace

std::string key_of(std::string_view subject) {
    std::string key{"sluice:1:{"};
    key.append(subject).push_back('}');
    return key;
}

std::string pack_acquire(
    milliseconds window,
    const Limits& limits,
    const Amounts& amounts,
    std::span<const Settlement> settlements
) {
    return pack(window, limits, amounts, settlements);
}

std::string pack_settle(milliseconds window, std::span<const Settlement> settlements) {
    return pack(window, Limits{}, Amounts{}, settlements);
}

std::string pack_peek(milliseconds window) {
    return pack(window, Limits{}, Amounts{}, {});
}

std::optional<Decision> unpack_decision(std::string_view text) {
    const std::optional<Answer> answer = unpack(text);
    if (!answer || answer->status == kPeeked) return std::nullopt;
    Decision decision;
    decision.usage = answer->usage;
    if (answer->status == kAdmitted) {
        decision.is_admitted = true;
        decision.slot = Slot{answer->label_or_wait, answer->sequence};
    } else {
        decision.denied_by = kAllDimensions[answer->dimension];
        decision.retry_after = milliseconds{static_cast<std::int64_t>(answer->label_or_wait)};
        decision.fits_never = answer->status == kNeverFits;
    }
    return decision;
}

std::optional<Usage> unpack_usage(std::string_view text) {
    const std::optional<Answer> answer = unpack(text);
    if (!answer || answer->status != kPeeked) return std::nullopt;
    return answer->usage;
}

}  // namespace sluice::limits::wire
