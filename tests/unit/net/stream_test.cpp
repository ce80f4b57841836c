#include "net/stream.hpp"

#include "net/connect.hpp"
#include "net/listener.hpp"
#include "net/task_group.hpp"
#include "net/wakeup.hpp"
#include "tests/support/http/run_task.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/ip/address.hpp>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <string>
#include <string_view>
#include <vector>

namespace sluice::net {
namespace {

using std::literals::operator""s;
using test::run_task;

constexpr seconds kLong{10};

struct Pair {
    Stream near;
    Stream far;
};

Task<Pair> connected_pair() {
    const Executor executor = co_await asio::this_coro::executor;
    Result<Listener> listener = Listener::open(executor, "127.0.0.1", 0);
    const Endpoint endpoint{"127.0.0.1", listener->port()};
    Result<Stream> near = co_await connect(endpoint, Deadline::in(kLong));
    Result<Stream> far = co_await listener->accept();
    Pair pair{std::move(*near), std::move(*far)};
    co_return pair;
}

Task<Result<std::string>> read_text(Stream& stream, Deadline deadline) {
    std::string text(1 << 16, '\0');
    const Result<std::size_t> size = co_await stream.read_some(asio::buffer(text), deadline);
    if (!size) co_return size.error();
    text.resize(*size);
    co_return text;
}

class StreamTest : public testing::Test {
 protected:
    asio::io_context context{1};
};

TEST_F(StreamTest, CarriesPiecesInOrderBothWays) {
    const auto story = []() -> Task<> {
        Pair pair = co_await connected_pair();
        const std::vector<asio::const_buffer> pieces{
            asio::buffer("one ", 4), asio::buffer("", 0), asio::buffer("two", 3)};
        EXPECT_FALSE(co_await pair.near.write(pieces, Deadline::in(kLong)));
        const Result<std::string> got = co_await read_text(pair.far, Deadline::in(kLong));
        EXPECT_EQ(*got, "one two");
        EXPECT_FALSE(co_await pair.far.write(asio::buffer("back", 4), Deadline::in(kLong)));
        const Result<std::string> back = co_await read_text(pair.near, Deadline::in(kLong));
        EXPECT_EQ(*back, "back");
        EXPECT_EQ(pair.far.remote_address(), "127.0.0.1");
    };
    run_task(context, story());
}

TEST_F(StreamTest, SendsMoreThanTheSocketTakesAtOnce) {
    const auto send = [](Stream& stream, std::string_view bytes) -> Task<> {
        const std::vector<asio::const_buffer> pieces(20, asio::buffer(bytes));
        EXPECT_FALSE(co_await stream.write(pieces, Deadline::in(kLong)));
        stream.shutdown_write();
    };
    const auto story = [&]() -> Task<> {
        Pair pair = co_await connected_pair();
        const std::string bytes(1 << 20, 'x');
        TaskGroup group{co_await asio::this_coro::executor};
        group.spawn(send(pair.near, bytes));
        std::size_t total = 0;
        for (;;) {
            const Result<std::string> got = co_await read_text(pair.far, Deadline::in(kLong));
            if (!got) {
                EXPECT_EQ(got.error(), asio::error::eof);
                break;
            }
            total += got->size();
        }
        EXPECT_EQ(total, 20 * bytes.size());
        EXPECT_TRUE(co_await group.wait_empty(Deadline::in(kLong)));
    };
    run_task(context, story());
}

TEST_F(StreamTest, EndsAReadAtItsDeadlineNeverEarly) {
    const auto story = []() -> Task<> {
        Pair pair = co_await connected_pair();
        const SteadyTime begun = steady_now();
        const Result<std::string> got =
            co_await read_text(pair.near, Deadline::in(milliseconds{50}));
        EXPECT_EQ(got.error(), asio::error::timed_out);
        EXPECT_GE(steady_now() - begun, milliseconds{50});
    };
    run_task(context, story());
}

TEST_F(StreamTest, EndsAWriteThatNobodyReadsAtItsDeadline) {
    const auto story = []() -> Task<> {
        Pair pair = co_await connected_pair();
        const std::string bytes(64 << 20, 'x');
        const Error error =
            co_await pair.near.write(asio::buffer(bytes), Deadline::in(milliseconds{50}));
        EXPECT_EQ(error, asio::error::timed_out);
    };
    run_task(context, story());
}

TEST_F(StreamTest, TellsAStaleConnectionFromAQuietOne) {
    const auto story = []() -> Task<> {
        Pair pair = co_await connected_pair();
        EXPECT_FALSE(pair.near.is_stale());
        pair.far.close();
        EXPECT_FALSE(co_await pair.near.wait_readable(Deadline::in(kLong)));
        EXPECT_TRUE(pair.near.is_stale());
    };
    run_task(context, story());
}

struct Seen final : ReadObserver {
    explicit Seen(Executor executor) : wakeup{executor} {}
    void on_read(Error e, std::size_t n) override {
        error = e;
        size = n;
        wakeup.wake();
    }
    Wakeup wakeup;
    Error error;
    std::size_t size = 0;
};

TEST_F(StreamTest, ReadsInTheBackgroundWhileWriting) {
    const auto story = []() -> Task<> {
        Pair pair = co_await connected_pair();
        Seen seen{co_await asio::this_coro::executor};
        std::string text(100, '\0');
        pair.near.start_read(asio::buffer(text), seen);
        EXPECT_FALSE(co_await pair.near.write(asio::buffer("ping", 4), Deadline::in(kLong)));
        EXPECT_EQ(*co_await read_text(pair.far, Deadline::in(kLong)), "ping");
        EXPECT_FALSE(co_await pair.far.write(asio::buffer("pong", 4), Deadline::in(kLong)));
        EXPECT_FALSE(co_await seen.wakeup.wait(Deadline::in(kLong)));
        EXPECT_FALSE(seen.error);
        EXPECT_EQ(text.substr(0, seen.size), "pong");
    };
    run_task(context, story());
}

TEST_F(StreamTest, TellsNobodyOfABackgroundReadAfterItsEnd) {
    const auto story = []() -> Task<> {
        Pair pair = co_await connected_pair();
        Seen seen{co_await asio::this_coro::executor};
        std::string text(100, '\0');
        {
            const Stream brief = std::move(pair.near);
            Stream& stream = const_cast<Stream&>(brief);
            stream.start_read(asio::buffer(text), seen);
        }
        EXPECT_EQ(
            co_await seen.wakeup.wait(Deadline::in(milliseconds{40})), asio::error::timed_out
        );
    };
    run_task(context, story());
}

TEST_F(StreamTest, ConnectsByNameAndTriesEveryAddress) {
    const auto story = []() -> Task<> {
        const Executor executor = co_await asio::this_coro::executor;
        Result<Listener> listener = Listener::open(executor, "127.0.0.1", 0);
        const Endpoint endpoint{"localhost", listener->port()};
        Result<Stream> near = co_await connect(endpoint, Deadline::in(kLong));
        EXPECT_TRUE(near.has_value()) << near.error().message();
        const Endpoint nobody{"name.invalid", 80};
        Result<Stream> none = co_await connect(nobody, Deadline::in(kLong));
        EXPECT_FALSE(none.has_value());
        listener->close();
        Result<Stream> refused = co_await connect(endpoint, Deadline::in(kLong));
        EXPECT_EQ(refused.error(), asio::error::connection_refused);
    };
    run_task(context, story());
}

TEST_F(StreamTest, WaitsUntilDescriptorsAreThereAgain) {
#ifdef __SANITIZE_ADDRESS__
    GTEST_SKIP() << "the sanitizer needs descriptors for its own checks";
#endif
    rlimit limit{};
    ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    const auto raise_later = [](rlimit before) -> Task<> {
        Wakeup pause{co_await asio::this_coro::executor};
        (void)co_await pause.wait(Deadline::in(milliseconds{80}));
        setrlimit(RLIMIT_NOFILE, &before);
    };
    const auto story = [&]() -> Task<> {
        const Executor executor = co_await asio::this_coro::executor;
        Result<Listener> listener = Listener::open(executor, "127.0.0.1", 0);
        const Endpoint endpoint{"127.0.0.1", listener->port()};
        Result<Stream> near = co_await connect(endpoint, Deadline::in(kLong));
        const int next_free = dup(0);
        close(next_free);
        rlimit none = limit;
        none.rlim_cur = static_cast<rlim_t>(next_free);
        EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
        const SteadyTime begun = steady_now();
        TaskGroup group{executor};
        group.spawn(raise_later(limit));
        Result<Stream> far = co_await listener->accept();
        EXPECT_TRUE(far.has_value());
        EXPECT_GE(steady_now() - begun, milliseconds{80});
        EXPECT_TRUE(co_await group.wait_empty(Deadline::in(kLong)));
    };
    run_task(context, story());
}

TEST_F(StreamTest, SharesOnePortAmongListeners) {
    Result<Listener> first = Listener::open(context.get_executor(), "", 0);
    ASSERT_TRUE(first.has_value());
    Result<Listener> second = Listener::open(context.get_executor(), "", first->port());
    EXPECT_TRUE(second.has_value());
    EXPECT_EQ(
        Listener::open(context.get_executor(), "no address", 0).error(),
        asio::error::invalid_argument
    );
}

}  // namespace
}  // namespace sluice::net
