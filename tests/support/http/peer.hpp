#pragma once

#include "base/time.hpp"
#include "net/connect.hpp"
#include "net/listener.hpp"
#include "net/stream.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/this_coro.hpp>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>

namespace sluice::test {

inline constexpr seconds kLong{30};
inline Deadline soon() {
    return Deadline::in(kLong);
}

// The other end of a connection, which says what the test wants, byte by byte if need be.
class Peer {
 public:
    explicit Peer(net::Stream stream) : stream_{std::move(stream)} {}

    net::Task<> send(std::string text);
    // Everything received so far, once it contains `text`; what came on an early end.
    net::Task<std::string> expect(std::string text);
    // Everything until the other side closed or reset.
    net::Task<std::string> expect_end();
    void finish() { stream_.shutdown_write(); }
    void close() { stream_.close(); }
    net::Stream& stream() { return stream_; }

 private:
    net::Task<bool> receive();
    bool has(std::string_view text) const { return received_.find(text) != std::string::npos; }
    std::string take() { return std::exchange(received_, std::string{}); }

    net::Stream stream_;
    std::string received_;
};

inline net::Task<> Peer::send(std::string text) {
    const Error error = co_await stream_.write(net::asio::buffer(text), soon());
    EXPECT_FALSE(error) << error.message();
}

inline net::Task<bool> Peer::receive() {
    std::string piece(1 << 16, '\0');
    const Result<std::size_t> size = co_await stream_.read_some(net::asio::buffer(piece), soon());
    if (!size) {
        EXPECT_NE(size.error(), net::asio::error::timed_out);
        co_return false;
    }
    received_.append(piece, 0, *size);
    co_return true;
}

inline net::Task<std::string> Peer::expect(std::string text) {
    bool is_open = true;
    while (is_open && !has(text)) is_open = co_await receive();
    EXPECT_TRUE(is_open) << "the end came first: " << received_;
    co_return take();
}

inline net::Task<std::string> Peer::expect_end() {
    bool is_open = true;
    while (is_open) is_open = co_await receive();
    co_return take();
}

struct Ends {
    Ends(net::Stream n, net::Stream f) : near{std::move(n)}, far{std::move(f)} {}
    net::Stream near;
    net::Stream far;
};

// Two ends of one loopback connection.
inline net::Task<Ends> connected_ends() {
    const net::Executor executor = co_await net::asio::this_coro::executor;
    Result<net::Listener> listener = net::Listener::open(executor, "127.0.0.1", 0);
    const net::Endpoint endpoint{"127.0.0.1", listener->port()};
    Result<net::Stream> near = co_await net::connect(endpoint, soon());
    Result<net::Stream> far = co_await listener->accept();
    Ends ends{std::move(*near), std::move(*far)};
    co_return ends;
}

}  // namespace sluice::test
