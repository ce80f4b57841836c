#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

// A real redis-server (or valkey-server) of a test's own: a child process on a free port of
// 127.0.0.1, with a directory of its own, nothing persisted, killed by its pid at the end. It also
// dies with the thread that started it, so start it on a thread that lives as long as the test.
//
//     RedisProcess redis;                                  // plain, no password
//     RedisProcess replica{{.replica_of_port = redis.port()}};
//     RedisProcess guarded{{.with_tls = true, .password = "secret"}};
//     redis.command({"SET", "a", "1"});                    // "OK"
namespace sluice::testing {

struct RedisProcessOptions {
    // Empty: $SLUICE_REDIS_SERVER, or else redis-server, found on the PATH.
    std::string program = {};
    // Appended to the command line: {"--maxmemory", "10mb"}, {"--cluster-enabled", "yes"}, …
    std::vector<std::string> arguments = {};
    // A second, encrypted port (`tls_port()`) with a fresh certificate for 127.0.0.1 and localhost.
    bool with_tls = false;
    std::string password = {};  // requirepass
    // ACL rules, one user each: "app on >secret ~* &* +@all".
    std::vector<std::string> users = {};
    std::uint16_t replica_of_port = 0;  // 0: a primary; the primary's password is `password`
    bool is_sentinel = false;           // what to watch is in `config`
    std::string config = {};            // lines of a configuration file
    std::uint16_t port = 0;             // 0: a free one
};

class RedisProcess {
 public:
    // Starts the server and waits until it answers. Throws std::runtime_error, with the end of
    // the server's log, when it does not within ten seconds.
    explicit RedisProcess(RedisProcessOptions options = {});
    ~RedisProcess();
    RedisProcess(const RedisProcess&) = delete;
    RedisProcess& operator=(const RedisProcess&) = delete;

    static bool is_installed(const std::string& program);

    std::uint16_t port() const { return port_; }
    std::uint16_t tls_port() const { return tls_port_; }
    pid_t pid() const { return pid_; }
    std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
    std::string url() const { return "redis://" + address() + "/0"; }
    std::string tls_url() const { return "rediss://127.0.0.1:" + std::to_string(tls_port_) + "/0"; }
    std::string certificate_file() const { return directory_ + "/cert.pem"; }  // its own authority
    std::string key_file() const { return directory_ + "/key.pem"; }
    const std::string& directory() const { return directory_; }
    std::string log() const;  // what the server has written so far

    void kill();   // at once, as in a crash; nothing listens afterwards
    void start();  // again, on the same ports, with nothing kept; requires that it was killed
    void pause();  // hangs: connections stay open, nothing is answered
    void resume();

    // One command on a connection of its own, authenticated with `password`. The reply as text:
    // nested replies one element a line, nil "(nil)", errors as they are ("ERR …").
    std::string command(const std::vector<std::string>& words) const;
    // Asks `words` until the answer contains `text`; false when it never did before the bound.
    bool wait_for(
        const std::vector<std::string>& words,
        const std::string& text,
        std::chrono::milliseconds bound = std::chrono::seconds{10}
    ) const;

 private:
    std::vector<std::string> command_line() const;
    bool launch();
    void make_certificate() const;

    RedisProcessOptions options_;
    std::string directory_;
    std::uint16_t port_ = 0;
    std::uint16_t tls_port_ = 0;
    pid_t pid_ = -1;
};

}  // namespace sluice::testing
