#include "stores/settle_queue.hpp"

#include <algorithm>

namespace sluice::stores {

using limits::Amounts;
using limits::Dimension;
using limits::kAllDimensions;
using limits::Settlement;

namespace {

bool is_zero(const Amounts& amounts) {
    return amounts == Amounts{};
}

// Adds up to the largest amount there is, and no further.
void add_bounded(Amounts& to, const Amounts& more) {
    for (const Dimension d : kAllDimensions) {
        to[d] = std::min(to[d] + more[d], limits::kMaxAmount);
    }
}

}  // namespace

std::size_t SettleQueue::add(const std::string& subject, const Settlement& settlement) {
    Amounts excess;
    Settlement refund;
    refund.slot = settlement.slot;
    for (const Dimension d : kAllDimensions) {
        const std::int64_t delta = settlement.used[d] - settlement.reserved[d];
        (delta > 0 ? excess[d] : refund.reserved[d]) = delta > 0 ? delta : -delta;
    }
    const bool has_refund = !is_zero(refund.reserved);
    if (is_zero(excess) && !has_refund) return 0;

    Waiting& waiting = waiting_[subject];
    add_bounded(waiting.excess, excess);
    if (!has_refund) return 0;
    // Latest first: what is settled together was mostly charged together.
    const auto same = std::find_if(
        waiting.refunds.rbegin(),
        waiting.refunds.rend(),
        [&](const Settlement& other) { return other.slot == refund.slot; }
    );
    if (same != waiting.refunds.rend()) {
        add_bounded(same->reserved, refund.reserved);
        return 0;
    }
    if (refunds_ >= max_refunds_) {
        if (is_zero(waiting.excess) && waiting.refunds.empty()) waiting_.erase(subject);
        return 1;
    }
    waiting.refunds.push_back(refund);
    ++refunds_;
    return 0;
}

std::vector<Settlement> SettleQueue::take(const std::string& subject, std::size_t max) {
    std::vector<Settlement> taken;
    const auto found = waiting_.find(subject);
    if (found == waiting_.end() || max == 0) return taken;
    Waiting& waiting = found->second;
    if (!is_zero(waiting.excess)) {
        Settlement charge;
        charge.used = waiting.excess;
        taken.push_back(charge);
        waiting.excess = Amounts{};
    }
    while (taken.size() < max && !waiting.refunds.empty()) {
        taken.push_back(waiting.refunds.back());
        waiting.refunds.pop_back();
        --refunds_;
    }
    if (waiting.refunds.empty()) waiting_.erase(found);
    return taken;
}

std::vector<std::string> SettleQueue::subjects() const {
    std::vector<std::string> names;
    names.reserve(waiting_.size());
    for (const auto& [name, waiting] : waiting_) names.push_back(name);
    return names;
}

std::size_t SettleQueue::drop_before(std::uint64_t label_ms) {
    std::size_t dropped = 0;
    for (auto it = waiting_.begin(); it != waiting_.end();) {
        Waiting& waiting = it->second;
        dropped += std::erase_if(waiting.refunds, [&](const Settlement& refund) {
            return refund.slot.label_ms < label_ms;
        });
        const bool is_done = waiting.refunds.empty() && is_zero(waiting.excess);
        it = is_done ? waiting_.erase(it) : std::next(it);
    }
    refunds_ -= dropped;
    return dropped;
}

}  // namespace sluice::stores
