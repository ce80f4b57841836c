#include "redis/pipeline.hpp"

#include "redis/error.hpp"

#include <algorithm>
#include <utility>

namespace sluice::redis {

bool Pipeline::push(Waiter* waiter, SteadyTime deadline, SteadyTime now) {
    if (calls_.size() >= max_unanswered_) return false;
    calls_.push_back(Call{waiter, deadline, now});
    return true;
}

bool Pipeline::answer(Reply reply) {
    if (calls_.empty()) return false;
    Waiter* waiter = calls_.front().waiter;
    calls_.pop_front();
    if (waiter != nullptr) waiter->end(std::move(reply));
    return true;
}

std::size_t Pipeline::expire(SteadyTime now) {
    std::size_t late = 0;
    for (Call& call : calls_) {
        if (call.waiter != nullptr && call.deadline <= now) {
            std::exchange(call.waiter, nullptr)->end(Error{Errc::timed_out});
            ++late;
        }
    }
    return late;
}

void Pipeline::fail_all(Error error) {
    const std::deque<Call> calls = std::exchange(calls_, {});
    for (const Call& call : calls) {
        if (call.waiter != nullptr) call.waiter->end(error);
    }
}

void Pipeline::forget(const Waiter* waiter) {
    for (Call& call : calls_) {
        if (call.waiter == waiter) call.waiter = nullptr;
    }
}

SteadyTime Pipeline::next_deadline() const {
    SteadyTime next = SteadyTime::max();
    for (const Call& call : calls_) {
        if (call.waiter != nullptr) next = std::min(next, call.deadline);
    }
    return next;
}

}  // namespace sluice::redis
