#include "net/worker.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <pthread.h>

#include <atomic>
#include <cassert>

namespace sluice::net {
namespace {

constexpr std::chrono::milliseconds kHeartbeat{200};

}  // namespace

struct Worker::Impl {
    Impl() : heartbeat{context.get_executor()} { beat(); }

    void beat() {
        turned_at.store(std::chrono::steady_clock::now(), std::memory_order_relaxed);
        heartbeat.expires_after(kHeartbeat);
        heartbeat.async_wait([this](const auto& error) {
            if (!error && !is_ending) beat();
        });
    }

    // One thread does all I/O, so descriptors need no lock; what is posted still has one.
    asio::io_context context{BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO};
    Timer heartbeat;
    bool is_ending = false;  // the worker's thread only
    std::atomic<std::chrono::steady_clock::time_point> turned_at{};
    std::thread thread;
};

Worker::Worker(std::string name) : impl_{std::make_unique<Impl>()} {
    impl_->thread = std::thread{[impl = impl_.get(), name = name.substr(0, 15)] {
        pthread_setname_np(pthread_self(), name.c_str());
        impl->context.run();
    }};
}

Worker::~Worker() {
    impl_->context.stop();
    if (impl_->thread.joinable()) impl_->thread.join();
}

void Worker::post(std::function<void()> work) {
    asio::post(impl_->context, std::move(work));
}

Executor Worker::get_executor() {
    return impl_->context.get_executor();
}

void Worker::join() {
    assert(impl_->thread.get_id() != std::this_thread::get_id());
    if (!impl_->thread.joinable()) return;
    post([impl = impl_.get()] {
        impl->is_ending = true;
        impl->heartbeat.cancel();
    });
    impl_->thread.join();
}

std::chrono::steady_clock::time_point Worker::last_turn() const {
    return impl_->turned_at.load(std::memory_order_relaxed);
}

}  // namespace sluice::net
