#pragma once

#include "base/result.hpp"
#include "base/secret.hpp"
#include "redis/reply.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace sluice::redis {

// What a new connection says first. Read anew for each connection, so that secrets may rotate.
struct Login {
    Secret username;
    Secret password;
    int database = 0;
    std::string client_name;
    bool must_be_master = true;
    std::vector<std::string> scripts;  // loaded on the way; a server that forbids it is no error
};

// What is known of the server afterwards.
struct ServerIdentity {
    // Names the server's data: changes when it starts empty and when a replica takes over. Empty
    // when the server does not tell.
    std::string replication_id;
};

// AUTH, CLIENT SETNAME, SELECT, INFO replication, SCRIPT LOAD…: sent in one write, answered in
// order. Pure.
class Handshake {
 public:
    explicit Handshake(const Login& login);

    // Every command, ready to be sent.
    const std::string& bytes() const { return bytes_; }
    bool is_done() const { return answered_ == steps_.size(); }
    // The next reply. An error means: close this connection.
    Error take(const Reply& reply);
    const ServerIdentity& identity() const { return identity_; }

 private:
    enum class Step : std::uint8_t { auth, select, info, optional };
    Error take_info(const Reply& reply);

    bool must_be_master_;
    std::string bytes_;
    std::vector<Step> steps_;
    std::size_t answered_ = 0;
    ServerIdentity identity_;
};

// Reads `username_file` and `password_file` (no file: none). A trailing newline is no part of them.
Result<Secret> read_secret(const std::string& file);

}  // namespace sluice::redis
