#include "redis/handshake.hpp"

#include "redis/codec.hpp"
#include "redis/error.hpp"
#include "redis/topology.hpp"

#include <fstream>
#include <iterator>

namespace sluice::redis {

Handshake::Handshake(const Login& login) : must_be_master_{login.must_be_master} {
    if (!login.password.is_empty()) {
        steps_.push_back(Step::auth);
        if (login.username.is_empty()) {
            append_command(bytes_, {"AUTH", login.password.reveal()});
        } else {
            append_command(bytes_, {"AUTH", login.username.reveal(), login.password.reveal()});
        }
    }
    steps_.push_back(Step::optional);
    append_command(bytes_, {"CLIENT", "SETNAME", login.client_name});
    if (login.database != 0) {
        steps_.push_back(Step::select);
        append_command(bytes_, {"SELECT", std::to_string(login.database)});
    }
    steps_.push_back(Step::info);
    append_command(bytes_, {"INFO", "replication"});
    for (const std::string& script : login.scripts) {
        steps_.push_back(Step::optional);
        append_command(bytes_, {"SCRIPT", "LOAD", script});
    }
}

Error Handshake::take(const Reply& reply) {
    if (is_done()) return Errc::bad_reply;
    // Asked before a login that the server insists on, everything is answered so.
    if (reply.is_error("NOAUTH") || reply.is_error("WRONGPASS")) return Errc::login_failed;
    switch (steps_[answered_++]) {
        case Step::auth:
        case Step::select:
            return reply.is_error() ? Error{Errc::login_failed} : Error{};
        case Step::info:
            return take_info(reply);
        case Step::optional:
            return {};
    }
    return {};
}

// A server that does not let us ask is taken at its word; a replica then shows itself by READONLY.
Error Handshake::take_info(const Reply& reply) {
    if (reply.is_error()) return reply.is_error("LOADING") ? Error{Errc::refused} : Error{};
    const std::string_view role = info_field(reply.text(), "role");
    if (must_be_master_ && !role.empty() && role != "master") return Errc::not_a_master;
    identity_.replication_id = info_field(reply.text(), "master_replid");
    return {};
}

Result<Secret> read_secret(const std::string& file) {
    if (file.empty()) return Secret{};
    std::ifstream in{file, std::ios::binary};
    std::string text{std::istreambuf_iterator<char>{in}, std::istreambuf_iterator<char>{}};
    if (!in.good() && !in.eof()) return Error{Errc::unreadable_file};
    while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
    return Secret{std::move(text)};
}

}  // namespace sluice::redis
