#pragma once

#include "base/result.hpp"

namespace sluice::redis {

enum class Errc {
    not_connected = 1,  // no connection to the server; nothing was sent
    queue_full,         // too many calls wait for their answers already; nothing was sent
    timed_out,          // sent, no answer in time: it may or may not be carried out
    disconnected,       // sent, then the connection was lost: it may or may not be carried out
    refused,            // the server answered with an error; it was not carried out
    no_script,          // the server does not know the script; nothing was carried out
    bad_reply,          // bytes that are no RESP, or a reply of a kind that was not asked for
    login_failed,       // the server took neither user nor password, or not this database
    not_a_master,       // the server is a replica
    no_master,          // no Sentinel names a master
    no_slot_owner,      // no known node of the cluster serves this key
    bad_url,            // neither redis://host:port/db nor rediss://host:port/db
    unreadable_file,    // a user, password or certificate file cannot be read
    stopped,            // the client is being stopped; nothing was sent
};

const boost::system::error_category& redis_category();
inline Error make_error_code(Errc code) {
    return {static_cast<int>(code), redis_category()};
}

// True when what was asked may have been carried out all the same: it must never be sent again.
bool is_outcome_unknown(const Error& error);

}  // namespace sluice::redis

template <>
struct boost::system::is_error_code_enum<sluice::redis::Errc> : std::true_type {};
