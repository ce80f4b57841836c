#pragma once

#include "base/result.hpp"
#include "base/time.hpp"
#include "redis/reply.hpp"

#include <cstddef>
#include <deque>

namespace sluice::redis {

// Which reply belongs to which call, on one connection. Redis answers in order, so this is a queue;
// a call that is given up keeps its place until its reply has come and gone.
//
// Waiters are told exactly once, never from inside push. Told of a reply, a waiter may call
// anything here; told of an error, it must only take note (others are told in the same pass).
class Pipeline {
 public:
    class Waiter {
     public:
        virtual void end(Result<Reply> reply) = 0;

     protected:
        ~Waiter() = default;
    };

    explicit Pipeline(std::size_t max_unanswered = 65'536) : max_unanswered_{max_unanswered} {}

    // False when too many are unanswered. `waiter` lives until it is told; null when the reply is
    // of no interest.
    bool push(Waiter* waiter, SteadyTime deadline, SteadyTime now);

    // Gives `reply` to the oldest unanswered call. False when there is none.
    bool answer(Reply reply);
    // Tells Errc::timed_out to those whose deadline has passed; says how many.
    std::size_t expire(SteadyTime now);
    // Tells `error` to all who still wait, and forgets every call.
    void fail_all(Error error);
    // `waiter` is going away untold.
    void forget(const Waiter* waiter);

    std::size_t unanswered() const { return calls_.size(); }
    // When the oldest unanswered call was sent. Requires: there is one.
    SteadyTime oldest() const { return calls_.front().sent; }
    // The earliest deadline of those who still wait; SteadyTime::max() when nobody does.
    SteadyTime next_deadline() const;

 private:
    struct Call {
        Waiter* waiter;
        SteadyTime deadline;
        SteadyTime sent;
    };

    std::size_t max_unanswered_;
    std::deque<Call> calls_;
};

}  // namespace sluice::redis
