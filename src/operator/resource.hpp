#pragma once

#include "base/sha256.hpp"
#include "kube/object.hpp"
#include "limits/types.hpp"

#include <compare>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace sluice::operators {

// One entry of a Secret.
struct SecretEntry {
    std::string name;
    std::string key;
    friend auto operator<=>(const SecretEntry&, const SecretEntry&) = default;
};

using Key = std::variant<Digest, SecretEntry>;

struct Condition {
    std::string type;
    std::string status;  // "True", "False", "Unknown"
    std::string reason;
    std::string message;
    std::string since;  // lastTransitionTime
    std::int64_t observed_generation = 0;
    friend bool operator==(const Condition&, const Condition&) = default;
};

// The status of an ApiKeyLimit, as found or as it should be.
struct Status {
    std::int64_t observed_generation = 0;
    std::string revision;
    int ready = 0;       // ready gateways
    int programmed = 0;  // those that enforce this generation
    std::vector<Condition> conditions;
    friend bool operator==(const Status&, const Status&) = default;

    const Condition* find(std::string_view type) const;
};

// An ApiKeyLimit, as much of it as matters: 20,000 of them are kept in memory.
struct Resource {
    std::string namespace_name;
    std::string name;
    std::string uid;
    std::string created;
    std::int64_t generation = 0;
    bool is_deleting = false;
    bool is_suspended = false;
    std::vector<Key> keys;
    limits::Limits limits;
    std::string fault;  // what of the spec cannot be understood; empty as a rule
    Status status;

    // "namespace/name": the name of the subject in tables, metrics and logs.
    std::string key() const { return namespace_name + "/" + name; }
    // Same in everything that the limit table depends on.
    bool is_same_spec(const Resource& other) const;
};

// Total: what the API server should have refused ends in `fault`.
Resource resource_of(const kube::Json& object);

}  // namespace sluice::operators
