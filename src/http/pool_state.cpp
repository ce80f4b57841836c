#include "http/pool_state.hpp"

#include <algorithm>

namespace sluice::http {

std::optional<PoolState::Id> PoolState::rest(Id id, SteadyTime now) {
    if (max_idle_ == 0) return id;
    std::optional<Id> surplus;
    if (resting_.size() == max_idle_) {
        surplus = resting_.front().id;
        resting_.pop_front();
    }
    resting_.push_back(Resting{id, now});
    return surplus;
}

std::optional<PoolState::Id> PoolState::take(SteadyTime now) {
    if (resting_.empty()) return std::nullopt;
    const Resting last = resting_.back();
    if (now - last.since >= idle_timeout_) return std::nullopt;  // then all are, and expire tells
    resting_.pop_back();
    return last.id;
}

void PoolState::forget(Id id) {
    std::erase_if(resting_, [id](const Resting& resting) { return resting.id == id; });
}

std::vector<PoolState::Id> PoolState::expire(SteadyTime now) {
    std::vector<Id> expired;
    while (!resting_.empty() && now - resting_.front().since >= idle_timeout_) {
        expired.push_back(resting_.front().id);
        resting_.pop_front();
    }
    return expired;
}

std::optional<SteadyTime> PoolState::next_expiry() const {
    if (resting_.empty()) return std::nullopt;
    return resting_.front().since + idle_timeout_;
}

}  // namespace sluice::http
