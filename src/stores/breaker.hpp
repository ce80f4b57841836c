#pragma once

#include "base/time.hpp"

namespace sluice::stores {

// Whether it makes sense to ask the store. Pure: it is told what happens and when.
//
// Closed: everybody asks. After `failures_to_open` failures in a row, or one that says there is no
// connection, it opens: nobody asks, so nobody waits for a timeout. From time to time one probe
// goes out (half open); its answer closes the breaker, its failure doubles the time to the next.
class Breaker {
 public:
    enum class State { closed, half_open, open };
    struct Rules {
        int failures_to_open = 5;
        milliseconds first_pause{50};
        milliseconds longest_pause{1'000};
    };

    Breaker() = default;
    explicit Breaker(Rules rules) : rules_{rules} {}

    State state() const { return state_; }
    bool is_closed() const { return state_ == State::closed; }

    void succeed();
    void fail(SteadyTime now);
    // Opens it at once.
    void trip(SteadyTime now);

    // When the next probe is due. Requires: open.
    SteadyTime next_probe() const { return next_probe_; }
    // A probe goes out now. Requires: open.
    void begin_probe() { state_ = State::half_open; }

 private:
    void open(SteadyTime now);

    Rules rules_;
    State state_ = State::closed;
    int failures_ = 0;
    milliseconds pause_{0};
    SteadyTime next_probe_{};
};

}  // namespace sluice::stores
