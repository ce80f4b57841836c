#pragma once

#include "base/time.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

namespace sluice::http {

// Which kept connection to use, and which to let go: decisions only.
class PoolState {
 public:
    using Id = std::uint64_t;

    PoolState(std::size_t max_idle, milliseconds idle_timeout)
        : max_idle_{max_idle}, idle_timeout_{idle_timeout} {}

    // A connection came to rest. Gives the one to close for it, if there are too many: the one that
    // rested longest.
    std::optional<Id> rest(Id id, SteadyTime now);
    // The connection that rested least, so that a quiet time leaves the others to their timeout.
    std::optional<Id> take(SteadyTime now);
    // It ended by itself.
    void forget(Id id);
    // Those whose time is over; they are forgotten.
    std::vector<Id> expire(SteadyTime now);
    // When `expire` will next have something to say.
    std::optional<SteadyTime> next_expiry() const;
    std::size_t size() const { return resting_.size(); }

 private:
    struct Resting {
        Id id;
        SteadyTime since;
    };

    std::size_t max_idle_;
    milliseconds idle_timeout_;
    std::deque<Resting> resting_;  // longest first
};

}  // namespace sluice::http
