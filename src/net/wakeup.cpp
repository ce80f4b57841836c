#include "net/wakeup.hpp"

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/recycling_allocator.hpp>

#include <cassert>
#include <utility>

namespace sluice::net {

// The suspended coroutine, its type erased. Memory comes from Asio's per-thread recycling.
struct Wakeup::Waiter {
    virtual ~Waiter() = default;
    virtual void resume(Error error) = 0;  // within the call
    virtual void resume_later(const Executor& executor, Error error) = 0;

    static void* operator new(std::size_t size) {
        return asio::recycling_allocator<std::byte>{}.allocate(size);
    }
    static void operator delete(void* memory, std::size_t size) {
        asio::recycling_allocator<std::byte>{}.deallocate(static_cast<std::byte*>(memory), size);
    }
};

template <class Handler>
struct Wakeup::WaiterOf final : Waiter {
    explicit WaiterOf(Handler&& h) : handler{std::move(h)} {}
    void resume(Error error) override { std::move(handler)(error); }
    void resume_later(const Executor& executor, Error error) override {
        asio::post(executor, [h = std::move(handler), error]() mutable { std::move(h)(error); });
    }
    Handler handler;
};

Wakeup::Wakeup(Executor executor) : executor_{executor}, deadlines_{Deadlines::of(executor)} {}

Wakeup::~Wakeup() {
    assert(!waiter_);
}

Task<Error> Wakeup::wait(Deadline deadline) {
    if (std::exchange(is_woken_, false)) co_return Error{};
    assert(!waiter_);
    auto start = [this, deadline](auto handler) {
        auto slot = asio::get_associated_cancellation_slot(handler);
        if (slot.is_connected()) {
            slot.assign([this](asio::cancellation_type type) {
                if (type != asio::cancellation_type::none) finish(asio::error::operation_aborted);
            });
        }
        waiter_ = std::make_unique<WaiterOf<decltype(handler)>>(std::move(handler));
        deadlines_.add(*this, deadline);
    };
    auto [error] = co_await asio::async_initiate<const TaskToken, void(Error)>(start, use_task);
    co_return error;
}

void Wakeup::finish(Error error) {
    if (!waiter_) return;
    Deadlines::remove(*this);
    const auto waiter = std::exchange(waiter_, nullptr);
    waiter->resume_later(executor_, error);
}

void Wakeup::wake() {
    if (waiter_) {
        finish(Error{});
    } else {
        is_woken_ = true;
    }
}

void Wakeup::wake_here() {
    if (!waiter_) {
        is_woken_ = true;
        return;
    }
    Deadlines::remove(*this);
    const auto waiter = std::exchange(waiter_, nullptr);
    waiter->resume(Error{});
}

void Wakeup::on_deadline() {
    finish(asio::error::timed_out);
}

void Wakeup::on_shutdown() {
    const auto waiter = std::exchange(waiter_, nullptr);  // its frame may own this
}

}  // namespace sluice::net
