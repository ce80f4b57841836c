#pragma once

#include "base/time.hpp"
#include "gateway/small_server.hpp"
#include "openai/json.hpp"
#include "tokenizer/registry.hpp"

namespace sluice::gateway {

// The built-in upstream ("echo:"): speaks HTTP on a loopback port, so that requests take the same
// way as to any other upstream. See echo.hpp for what it answers.
class EchoServer {
 public:
    // Between two events of a stream, so that a person can watch it flow.
    static constexpr milliseconds kPace{5};

    EchoServer(
        net::Executor executor, net::Listener listener, const tokenizer::Registry& tokenizers
    );

    void start() { server_.start(); }
    net::Task<> stop(Deadline deadline) { return server_.stop(deadline); }
    std::uint16_t port() const { return server_.port(); }

 private:
    net::Task<> answer(http::ServerConnection& caller);

    net::Executor executor_;
    const tokenizer::Registry& tokenizers_;
    openai::JsonReader reader_;
    SmallServer server_;
};

}  // namespace sluice::gateway
