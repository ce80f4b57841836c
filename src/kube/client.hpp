#pragma once

#include "http/pool.hpp"
#include "kube/access.hpp"
#include "kube/object.hpp"
#include "kube/watch.hpp"

#include <memory>
#include <string>
#include <vector>

namespace sluice::kube {

// A call of the API. Has a constructor because it travels into tasks.
struct Request {
    Request(std::string m, std::string t) : method{std::move(m)}, target{std::move(t)} {}
    Request(std::string m, std::string t, std::string type, std::string b)
        : method{std::move(m)},
          target{std::move(t)},
          content_type{std::move(type)},
          body{std::move(b)} {}

    std::string method;
    std::string target;  // path and query, escaped
    std::string content_type;
    std::string body;
    std::string accept = "application/json";
};

inline constexpr const char* kApplyPatch = "application/apply-patch+yaml";
inline constexpr const char* kMergePatch = "application/merge-patch+json";
inline constexpr const char* kJson = "application/json";

// What the server said, good or bad.
struct Answer {
    int http_status = 0;
    std::string body;
    ApiStatus status;  // when it is no success

    bool is_success() const { return http_status >= 200 && http_status < 300; }
    Error error() const { return is_success() ? Error{} : Error{status.errc()}; }
    // Why, for people: the server's own words.
    std::string why() const;
};

class Client;

// The stream of a watch. Ends the connection when destroyed.
class WatchStream {
 public:
    // The next events, at least one; none: the server has ended the stream.
    net::Task<Result<std::vector<WatchEvent>>> next(Deadline deadline);

 private:
    friend Client;
    explicit WatchStream(http::Lease connection) : connection_{std::move(connection)} {}
    http::Lease connection_;
    WatchParser parser_;
};

// Calls the API: TLS with the cluster's authority, fresh tokens, kept connections. Belongs to one
// worker; any number of calls at a time. Outlives its calls and streams.
class Client {
 public:
    Client(net::Executor executor, AccessOptions access, ClientStats& stats);

    // An error means that there is no answer; whether the call took effect is then not known.
    // Bodies larger than `most` are refused with Errc::answer_too_large.
    net::Task<Result<Answer>> call(Request request, Deadline deadline, std::size_t most = 8 << 20);
    // Begins a watch. A refusal is a success here: look at `refusal`, which is set instead.
    net::Task<Result<std::unique_ptr<WatchStream>>> watch(
        Request request, ApiStatus& refusal, Deadline deadline
    );
    // Ends everything that is kept open.
    void close() { pool_.close(); }

 private:
    net::Task<Result<http::Lease>> send(const Request& request, Deadline deadline);
    net::Task<Result<Answer>> exchange(const Request& request, Deadline deadline, std::size_t most);

    ClientStats& stats_;
    Access access_;
    http::ClientOptions options_;
    http::ClientStats http_stats_;
    http::Pool pool_;
};

// For names and tokens inside of a query.
std::string escaped(std::string_view text);

}  // namespace sluice::kube
