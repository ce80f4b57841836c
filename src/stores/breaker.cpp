#include "stores/breaker.hpp"

#include <algorithm>

namespace sluice::stores {

void Breaker::succeed() {
    state_ = State::closed;
    failures_ = 0;
    pause_ = milliseconds{0};
}

void Breaker::fail(SteadyTime now) {
    if (state_ == State::open) return;  // a late answer to what was asked before
    if (state_ == State::half_open || ++failures_ >= rules_.failures_to_open) open(now);
}

void Breaker::trip(SteadyTime now) {
    if (state_ != State::open) open(now);
}

void Breaker::open(SteadyTime now) {
    pause_ = pause_.count() == 0 ? rules_.first_pause : std::min(pause_ * 2, rules_.longest_pause);
    state_ = State::open;
    failures_ = 0;
    next_probe_ = now + pause_;
}

}  // namespace sluice::stores
