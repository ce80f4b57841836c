#include "http/tunnel.hpp"

#include "net/task_group.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/this_coro.hpp>

namespace sluice::http {
namespace {

namespace asio = net::asio;

constexpr seconds kGrace{5};  // for the other side's last words

struct Tunnel {
    Tunnel(Input& c, Input& u, milliseconds idle)
        : caller{c}, upstream{u}, idle_timeout{idle}, end{Deadline::never()} {}

    Deadline deadline() const { return Deadline::at(active_at + idle_timeout).sooner(end); }
    void fail(const Error& error) {
        if (!outcome.error && !has_failed) outcome.error = error;
        has_failed = true;
        caller.stream().close();
        upstream.stream().close();
    }

    Input& caller;
    Input& upstream;
    milliseconds idle_timeout;
    Deadline end;
    SteadyTime active_at = steady_now();
    bool has_failed = false;
    TunnelOutcome outcome;
};

// One direction until it ends.
net::Task<> carry(Tunnel& tunnel, Input& from, Input& to, std::uint64_t& count) {
    for (;;) {
        const std::string_view bytes = from.bytes();
        if (!bytes.empty()) {
            const Error error =
                co_await to.stream().write(asio::buffer(bytes), Deadline::in(tunnel.idle_timeout));
            if (error) co_return tunnel.fail(error);
            count += bytes.size();
            tunnel.active_at = steady_now();
            from.consume(bytes.size());
        }
        const Error error = co_await from.fill(tunnel.deadline());
        if (!error) continue;
        if (error == asio::error::timed_out && !tunnel.deadline().has_passed()) continue;
        if (error != asio::error::eof) {
            // After one side's orderly end the other is waited for only so long.
            const bool is_over = error == asio::error::timed_out && !tunnel.end.is_never();
            co_return tunnel.fail(is_over ? Error{} : error);
        }
        to.stream().shutdown_write();
        tunnel.end = tunnel.end.sooner(Deadline::in(kGrace));
        co_return;
    }
}

}  // namespace

net::Task<TunnelOutcome> tunnel(
    ServerConnection& caller, ClientConnection& upstream, milliseconds idle_timeout
) {
    caller.stop_watching();
    Tunnel both{caller.input(), upstream.input(), idle_timeout};
    net::TaskGroup directions{co_await asio::this_coro::executor};
    directions.spawn(carry(both, both.caller, both.upstream, both.outcome.from_caller));
    directions.spawn(carry(both, both.upstream, both.caller, both.outcome.from_upstream));
    while (!co_await directions.wait_empty(Deadline::never())) {
        both.fail(asio::error::operation_aborted);  // we are cancelled
    }
    caller.close();
    upstream.abort();
    co_return both.outcome;
}

}  // namespace sluice::http
