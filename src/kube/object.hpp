#pragma once

#include "base/time.hpp"
#include "kube/error.hpp"
#include "kube/json.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace sluice::kube {

// What every object of the API carries. Resource versions are opaque: compare for equality only.
struct Metadata {
    std::string namespace_name;  // empty for objects of the whole cluster
    std::string name;
    std::string uid;
    std::string resource_version;
    std::string created;  // RFC 3339 in UTC, so that text order is order in time
    std::int64_t generation = 0;
    bool is_deleting = false;

    // "namespace/name": the key of an object among its kind.
    std::string key() const { return namespace_name + "/" + name; }
};

Metadata metadata_of(const Json& object);

// A Status object: how the API says that something went wrong.
struct ApiStatus {
    int code = 0;
    std::string reason;
    std::string message;
    std::optional<seconds> retry_after;

    Errc errc() const { return errc_of(code, reason); }
};

// `http_status` counts when the object does not carry a code of its own.
ApiStatus status_of(const Json& object, int http_status);

// "2006-01-02T15:04:05.000000Z", the form of times in Lease objects.
std::string to_micro_time(WallTime time);
// "2006-01-02T15:04:05Z", the form of times in conditions.
std::string to_second_time(WallTime time);

// What `text` encodes; nothing when it is no base64 (RFC 4648, padded).
std::optional<std::string> from_base64(std::string_view text);

}  // namespace sluice::kube
