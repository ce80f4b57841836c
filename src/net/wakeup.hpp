#pragma once

#include "base/result.hpp"
#include "net/deadlines.hpp"
#include "net/task.hpp"

#include <memory>

namespace sluice::net {

// One coroutine waits, another lets it go on. A wake with nobody waiting is remembered (once) for
// the next wait. Belongs to one worker; costs no timer.
class Wakeup final : private Deadlines::Entry {
 public:
    explicit Wakeup(Executor executor);
    // Nobody may be waiting.
    ~Wakeup();
    Wakeup(const Wakeup&) = delete;
    Wakeup& operator=(const Wakeup&) = delete;

    // No error when woken, asio::error::timed_out at the deadline, asio::error::operation_aborted
    // when the waiting coroutine is cancelled. One waiter at a time.
    Task<Error> wait(Deadline deadline);

    // The waiter goes on in a later turn of the loop.
    void wake();
    // The waiter goes on within this call, which must be the last thing its caller does: it may
    // destroy whatever owns this.
    void wake_here();
    bool is_waited_for() const { return waiter_ != nullptr; }

 private:
    struct Waiter;
    template <class Handler>
    struct WaiterOf;

    void on_deadline() override;
    void on_shutdown() override;
    void finish(Error error);

    Executor executor_;
    Deadlines& deadlines_;
    std::unique_ptr<Waiter> waiter_;
    bool is_woken_ = false;
};

}  // namespace sluice::net
