#pragma once

#include "base/result.hpp"

#include <string_view>
#include <type_traits>

namespace sluice::kube {

enum class Errc {
    bad_request = 1,      // 400, 405, 406, 415, 422: what we sent cannot be right
    unauthorized,         // 401: the token is not, or no longer, good
    forbidden,            // 403: no role allows it
    not_found,            // 404
    conflict,             // 409: somebody else wrote first, or it exists
    gone,                 // 410: that resource version is no longer known
    version_too_large,    // that resource version is not known yet
    too_many_requests,    // 429: come back later
    server_error,         // 5xx and everything unforeseen
    bad_answer,           // the answer is no Kubernetes API's
    answer_too_large,     // the answer is larger than we accept
    watch_line_too_long,  // an event of a watch is larger than we accept
    no_credentials,       // token or certificate authority cannot be read
    stopped,              // we are ending
};

const boost::system::error_category& error_category();
Error make_error_code(Errc code);

// What an answer with this HTTP status says; `reason` is that of the Status object, if any.
// Requires: the status is not of the 2xx.
Errc errc_of(int http_status, std::string_view reason);

}  // namespace sluice::kube

template <>
struct boost::system::is_error_code_enum<sluice::kube::Errc> : std::true_type {};
