#include "net/task_group.hpp"

#include "net/wakeup.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>

#include <cassert>
#include <exception>
#include <list>
#include <utility>

namespace sluice::net {

struct TaskGroup::State {
    explicit State(Executor e) : executor{e}, emptied{e} {}

    void cancel(asio::cancellation_type type) {
        // A task that ends within the signal takes its own signal off the list, later: completions
        // are posted, never run from here.
        for (asio::cancellation_signal& signal : signals) signal.emit(type);
    }

    Executor executor;
    std::list<asio::cancellation_signal> signals;  // one a task
    Wakeup emptied;
    bool is_dropping = false;
};

namespace {

// Total cancellation is seen by the task (this_coro::cancellation_state) and interrupts nothing;
// terminal cancellation ends its operations. Neither throws.
Task<> run(Task<> task) {
    co_await asio::this_coro::throw_if_cancelled(false);
    co_await asio::this_coro::reset_cancellation_state(
        asio::enable_total_cancellation{}, asio::enable_terminal_cancellation{}
    );
    co_await std::move(task);
}

}  // namespace

TaskGroup::TaskGroup(Executor executor) : state_{std::make_shared<State>(executor)} {}

TaskGroup::~TaskGroup() {
    assert(state_->signals.empty());
}

void TaskGroup::spawn(Task<> task) {
    State& state = *state_;
    const auto signal = state.signals.emplace(state.signals.end());
    auto ended = [owner = state_, signal](const std::exception_ptr& failure) noexcept {
        if (failure) std::rethrow_exception(failure);  // ends the process, and says why
        owner->signals.erase(signal);
        if (owner->signals.empty() && owner->emptied.is_waited_for()) owner->emptied.wake();
    };
    asio::co_spawn(
        state.executor,
        run(std::move(task)),
        asio::bind_cancellation_slot(signal->slot(), std::move(ended))
    );
}

void TaskGroup::cancel_total() {
    state_->cancel(asio::cancellation_type::total);
}

void TaskGroup::cancel_terminal() {
    state_->is_dropping = true;
    state_->cancel(asio::cancellation_type::terminal);
}

std::size_t TaskGroup::size() const {
    return state_->signals.size();
}

Task<bool> TaskGroup::wait_empty(Deadline deadline) {
    const auto state = state_;
    while (!state->signals.empty()) {
        if (deadline.has_passed()) co_return false;
        // A signal that came between two operations is lost; being dropped is said again.
        const Deadline next =
            state->is_dropping ? deadline.sooner(Deadline::in(milliseconds{50})) : deadline;
        const Error error = co_await state->emptied.wait(next);
        if (error == asio::error::operation_aborted) co_return state->signals.empty();
        if (error && state->is_dropping) state->cancel(asio::cancellation_type::terminal);
    }
    co_return true;
}

}  // namespace sluice::net
