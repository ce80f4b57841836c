#include "kube/client.hpp"

#include "kube/error.hpp"

#include <string_view>

namespace sluice::kube {
namespace {

http::ClientOptions to_options() {
    http::ClientOptions options;
    options.connect_timeout = milliseconds{10'000};
    options.max_idle = 32;
    return options;
}

std::string head_of(const Request& request, const net::Endpoint& server, const Secret& token) {
    const bool is_v6 = server.host.find(':') != std::string::npos;
    std::string head = request.method + " " + request.target + " HTTP/1.1\r\nHost: ";
    head += is_v6 ? "[" + server.host + "]" : server.host;
    head += ":" + std::to_string(server.port) +
            "\r\nUser-Agent: sluice-operator\r\nAccept: " + request.accept + "\r\n";
    if (!token.is_empty()) {
        head += "Authorization: Bearer ";
        head += token.reveal();
        head += "\r\n";
    }
    if (!request.content_type.empty()) {
        head += "Content-Type: " + request.content_type +
                "\r\nContent-Length: " + std::to_string(request.body.size()) + "\r\n";
    }
    return head + "\r\n";
}

net::Task<Result<std::string>> read_body(
    http::ClientConnection& connection, std::size_t most, Deadline deadline
) {
    std::string body;
    const auto length = connection.head().content_length();
    if (length && *length > most) co_return Error{Errc::answer_too_large};
    if (length) body.reserve(static_cast<std::size_t>(*length));
    for (;;) {
        const Result<std::string_view> piece = co_await connection.read_body_piece(deadline);
        if (!piece) co_return piece.error();
        if (piece->empty()) co_return body;
        if (body.size() + piece->size() > most) co_return Error{Errc::answer_too_large};
        body.append(*piece);
    }
}

ApiStatus status_of_answer(const http::Head& head, std::string_view body) {
    const int code = static_cast<int>(head.status());
    const std::optional<Json> object = parse_json(body);
    ApiStatus status = status_of(object ? *object : Json{}, code);
    if (const auto wait = head.find("Retry-After")) {
        const int whole = std::atoi(std::string{*wait}.c_str());
        if (whole > 0) status.retry_after = seconds{std::min(whole, 300)};
    }
    return status;
}

}  // namespace

std::string Answer::why() const {
    std::string out = std::to_string(http_status);
    if (!status.reason.empty()) out += " " + status.reason;
    if (!status.message.empty()) out += ": " + status.message;
    return out;
}

std::string escaped(std::string_view text) {
    constexpr std::string_view kHex = "0123456789ABCDEF";
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (std::isalnum(byte) || c == '-' || c == '.' || c == '_' || c == '~') {
            out += c;
        } else {
            out += '%';
            out += kHex[byte >> 4];
            out += kHex[byte & 15];
        }
    }
    return out;
}

net::Task<Result<std::vector<WatchEvent>>> WatchStream::next(Deadline deadline) {
    std::vector<WatchEvent> events;
    while (events.empty()) {
        const Result<std::string_view> piece = co_await connection_->read_body_piece(deadline);
        if (!piece) co_return piece.error();
        if (piece->empty()) break;
        if (const Error error = parser_.feed(*piece, events); error && events.empty()) {
            co_return error;
        }
    }
    co_return events;
}

Client::Client(net::Executor executor, AccessOptions access, ClientStats& stats)
    : stats_{stats},
      access_{std::move(access), stats},
      options_{to_options()},
      pool_{executor, access_.options().server, nullptr, options_, http_stats_} {}

// Sends it, on a fresh connection if a kept one turns out to be dead, and reads the head.
net::Task<Result<http::Lease>> Client::send(const Request& request, Deadline deadline) {
    bool has_changed = false;
    const Result<std::shared_ptr<SSL_CTX>> tls = access_.tls(has_changed);
    if (!tls) co_return tls.error();
    if (has_changed) pool_.set_tls(*tls);

    const std::string head =
        head_of(request, access_.options().server, access_.token(steady_now()));
    const auto framing = request.content_type.empty() ? http::Framing::none : http::Framing::length;
    http::Pool::Prefer prefer = http::Pool::Prefer::kept;
    for (;;) {
        Result<http::Lease> lease = co_await pool_.lease(deadline, prefer);
        if (!lease) co_return lease.error();
        http::ClientConnection& connection = **lease;
        (void)co_await connection.send_head(head, request.method, framing, request.body, deadline);
        const Error error = co_await connection.read_head(deadline);
        if (!error) co_return lease;
        if (error != http::Errc::nothing_received || prefer == http::Pool::Prefer::fresh) {
            co_return error;
        }
        prefer = http::Pool::Prefer::fresh;
    }
}

net::Task<Result<Answer>> Client::exchange(
    const Request& request, Deadline deadline, std::size_t most
) {
    const SteadyTime began = steady_now();
    stats_.calls.add();
    Result<http::Lease> lease = co_await send(request, deadline);
    if (!lease) co_return lease.error();
    http::ClientConnection& connection = **lease;
    Result<std::string> body = co_await read_body(connection, most, deadline);
    if (!body) co_return body.error();
    Answer answer;
    answer.http_status = static_cast<int>(connection.head().status());
    answer.body = std::move(*body);
    if (!answer.is_success()) answer.status = status_of_answer(connection.head(), answer.body);
    stats_.call_time.observe(steady_now() - began);
    co_return answer;
}

net::Task<Result<Answer>> Client::call(Request request, Deadline deadline, std::size_t most) {
    Result<Answer> answer = co_await exchange(request, deadline, most);
    if (answer && answer->http_status == 401) {
        stats_.refused_tokens.add();
        const Secret before = access_.token(steady_now());
        access_.distrust_token();
        // Once more if it had only been an old one.
        if (access_.token(steady_now()) != before) {
            answer = co_await exchange(request, deadline, most);
        }
    }
    if (!answer || answer->http_status >= 500 || answer->http_status == 429) stats_.failures.add();
    co_return answer;
}

net::Task<Result<std::unique_ptr<WatchStream>>> Client::watch(
    Request request, ApiStatus& refusal, Deadline deadline
) {
    Result<http::Lease> lease = co_await send(request, deadline);
    if (!lease) {
        stats_.failures.add();
        co_return lease.error();
    }
    http::ClientConnection& connection = **lease;
    if (connection.head().status() == 200) {
        co_return std::unique_ptr<WatchStream>{new WatchStream{std::move(*lease)}};
    }
    const Result<std::string> body = co_await read_body(connection, 1 << 20, deadline);
    refusal = status_of_answer(connection.head(), body ? std::string_view{*body} : "");
    if (connection.head().status() == 401) {
        stats_.refused_tokens.add();
        access_.distrust_token();
    }
    stats_.failures.add();
    co_return std::unique_ptr<WatchStream>{};
}

}  // namespace sluice::kube
