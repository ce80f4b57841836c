#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>

// The coroutine vocabulary in one place. A Task tells what happens in the order it happens; it runs
// on one worker from beginning to end.
//
// "Name it, then await it": a statement with co_await constructs no aggregate and no capturing
// lambda, because g++ 12 destroys such temporaries twice. Name them in the statement before.
namespace sluice::net {

namespace asio = boost::asio;

// The concrete executor: a Task cannot even be spawned on a foreign kind.
using Executor = asio::io_context::executor_type;

template <class T = void>
using Task = asio::awaitable<T, Executor>;

// Every operation gives its error back as a value: auto [error, size] = co_await x.async_y(…,
// use_task);
using TaskToken = asio::as_tuple_t<asio::use_awaitable_t<Executor>>;
inline constexpr TaskToken use_task{};

using Timer = asio::basic_waitable_timer<
    std::chrono::steady_clock,
    asio::wait_traits<std::chrono::steady_clock>,
    Executor>;

}  // namespace sluice::net
