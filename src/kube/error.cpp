#include "kube/error.hpp"

#include <string>

namespace sluice::kube {
namespace {

struct Category final : boost::system::error_category {
    const char* name() const noexcept override { return "kube"; }
    std::string message(int value) const override {
        switch (static_cast<Errc>(value)) {
            case Errc::bad_request:
                return "the API server refused the request as invalid";
            case Errc::unauthorized:
                return "the API server does not accept the token";
            case Errc::forbidden:
                return "no role allows this";
            case Errc::not_found:
                return "not found";
            case Errc::conflict:
                return "somebody else wrote first";
            case Errc::gone:
                return "the resource version is no longer known";
            case Errc::version_too_large:
                return "the resource version is not known yet";
            case Errc::too_many_requests:
                return "the API server asks to come back later";
            case Errc::server_error:
                return "the API server failed";
            case Errc::bad_answer:
                return "the answer is not one of a Kubernetes API";
            case Errc::answer_too_large:
                return "the answer is too large";
            case Errc::watch_line_too_long:
                return "an event of the watch is too large";
            case Errc::no_credentials:
                return "token or certificate authority cannot be read";
            case Errc::stopped:
                return "stopped";
        }
        return "unknown";
    }
};

}  // namespace

const boost::system::error_category& error_category() {
    static const Category category;
    return category;
}

Error make_error_code(Errc code) {
    return Error{static_cast<int>(code), error_category()};
}

Errc errc_of(int http_status, std::string_view reason) {
    if (reason == "Expired" || reason == "Gone") return Errc::gone;
    if (reason == "ResourceVersionTooLarge") return Errc::version_too_large;
    switch (http_status) {
        case 400:
        case 405:
        case 406:
        case 415:
        case 422:
            return Errc::bad_request;
        case 401:
            return Errc::unauthorized;
        case 403:
            return Errc::forbidden;
        case 404:
            return Errc::not_found;
        case 409:
            return Errc::conflict;
        case 410:
            return Errc::gone;
        case 413:
            return Errc::bad_request;
        case 429:
            return Errc::too_many_requests;
        default:
            return Errc::server_error;
    }
}

}  // namespace sluice::kube
