#pragma once

#include "kube/backoff.hpp"
#include "kube/object.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace sluice::kube {

// Why everything is listed (again).
enum class ListReason : std::uint8_t {
    first,          // nothing is known yet
    gone,           // our resource version was compacted away (410 in either shape)
    version_ahead,  // our resource version is from the future: the store was restored
    broken_stream,  // what arrived was no watch
    server_errors,  // the watch failed inside the server for too long
    refused,        // the API server does not watch this (the resource is not installed, say)
};
inline constexpr std::size_t kListReasons = 6;
std::string_view to_text(ListReason reason);

// What a reflector should do next, and after which wait.
struct ReflectStep {
    enum class Kind : std::uint8_t { list, watch } kind = Kind::list;
    milliseconds wait{0};
};

// How a watch came to its end.
struct WatchEnd {
    SteadyTime began;
    SteadyTime ended;
    std::size_t events = 0;  // bookmarks too
    Error error;             // of the connection or of the stream; none: the server ended it
    bool is_event = false;   // the error came as an event inside a good answer
    std::optional<seconds> retry_after;
};

// The decisions of a reflector: list, then watch, then again. After client-go's
// tools/cache/reflector.go, with one difference: every list is a paged, consistent read without a
// resource version, so a list can never be older than what is known already, nor itself be gone
// for its version.
//
// Pure. Nothing that fails forgets what is known: a new list replaces it whole.
class Reflect {
 public:
    explicit Reflect(BackoffOptions options = BackoffOptions()) : backoff_{options} {}

    ListReason list_reason() const { return reason_; }
    // Where the next watch begins.
    const std::string& resource_version() const { return version_; }
    void seen(std::string resource_version) {
        if (!resource_version.empty()) version_ = std::move(resource_version);
    }

    ReflectStep listed(std::string resource_version);
    ReflectStep list_failed(
        Error error, std::optional<seconds> retry_after, SteadyTime now, double chance
    );
    ReflectStep watch_ended(const WatchEnd& end, double chance);

 private:
    ReflectStep relist(ListReason reason, const WatchEnd& end, double chance);
    milliseconds wait(std::optional<seconds> retry_after, SteadyTime now, double chance);

    Backoff backoff_;
    ListReason reason_ = ListReason::first;
    std::string version_;
    SteadyTime server_errors_since_{};  // zero: none
    bool has_watched_ = false;          // since the last list
};

}  // namespace sluice::kube
