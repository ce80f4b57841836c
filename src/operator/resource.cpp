#include "operator/resource.hpp"

#include <algorithm>
#include <optional>
#include <string_view>
#include <tuple>

namespace sluice::operators {
namespace {

using kube::Json;

constexpr std::size_t kMostKeys = 64;  // the schema allows 16

std::optional<Key> key_of(const Json& entry) {
    const std::string hash = kube::text_at(entry, {"hash"});
    if (!hash.empty()) {
        const std::optional<Digest> digest = Digest::parse(hash);
        if (!digest) return std::nullopt;
        return Key{*digest};
    }
    SecretEntry secret;
    secret.name = kube::text_at(entry, {"secretRef", "name"});
    secret.key = kube::text_at(entry, {"secretRef", "key"});
    // They become part of a path; the API server lets only such names through.
    const auto is_safe = [](const std::string& name) {
        return !name.empty() && name.size() <= 253 && name != "." && name != ".." &&
               name.find_first_not_of(
                   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._"
               ) == std::string::npos;
    };
    if (!is_safe(secret.name) || !is_safe(secret.key)) return std::nullopt;
    return Key{std::move(secret)};
}

void read_keys(const Json& object, Resource& resource) {
    const Json* keys = kube::find(object, {"spec", "keys"});
    if (keys == nullptr || !keys->is_array() || keys->empty() || keys->size() > kMostKeys) {
        resource.fault = "spec.keys must hold 1 to 16 keys";
        return;
    }
    for (std::size_t i = 0; i < keys->size(); ++i) {
        std::optional<Key> key = key_of((*keys)[i]);
        if (!key) {
            resource.fault =
                "spec.keys[" + std::to_string(i) + "] is neither a Secret's entry nor a hash";
            return;
        }
        resource.keys.push_back(std::move(*key));
    }
}

void read_limit(
    const Json& object, const char* name, std::optional<std::int64_t>& limit, std::string& fault
) {
    const Json* value = kube::find(object, {"spec", "limits", name});
    if (value == nullptr || value->is_null()) return;
    limit = kube::integer_at(object, {"spec", "limits", name});
    if (!limit || *limit < 0 || *limit > limits::kMaxAmount) {
        fault = std::string{"spec.limits."} + name + " must be a whole number from 0 to " +
                std::to_string(limits::kMaxAmount);
        limit.reset();
    }
}

Status status_of(const Json& object) {
    Status status;
    status.observed_generation =
        kube::integer_at(object, {"status", "observedGeneration"}).value_or(0);
    status.revision = kube::text_at(object, {"status", "revision"});
    const auto count = [&](const char* name) {
        const std::int64_t value =
            kube::integer_at(object, {"status", "replicas", name}).value_or(-1);
        return static_cast<int>(std::clamp<std::int64_t>(value, -1, 1'000'000));
    };
    status.ready = count("ready");
    status.programmed = count("programmed");
    const Json* conditions = kube::find(object, {"status", "conditions"});
    if (conditions == nullptr || !conditions->is_array()) return status;
    for (const Json& entry : *conditions) {
        if (status.conditions.size() == 8) break;
        status.conditions.push_back(Condition{
            .type = kube::text_at(entry, {"type"}),
            .status = kube::text_at(entry, {"status"}),
            .reason = kube::text_at(entry, {"reason"}),
            .message = kube::text_at(entry, {"message"}),
            .since = kube::text_at(entry, {"lastTransitionTime"}),
            .observed_generation = kube::integer_at(entry, {"observedGeneration"}).value_or(0),
        });
    }
    return status;
}

}  // namespace

const Condition* Status::find(std::string_view type) const {
    const auto place = std::find_if(conditions.begin(), conditions.end(), [&](const Condition& c) {
        return c.type == type;
    });
    return place == conditions.end() ? nullptr : &*place;
}

bool Resource::is_same_spec(const Resource& other) const {
    const auto all = [](const Resource& r) {
        return std::tie(
            r.uid, r.created, r.generation, r.is_deleting, r.is_suspended, r.keys, r.limits, r.fault
        );
    };
    return all(*this) == all(other);
}

Resource resource_of(const Json& object) {
    kube::Metadata metadata = kube::metadata_of(object);
    Resource resource;
    resource.namespace_name = std::move(metadata.namespace_name);
    resource.name = std::move(metadata.name);
    resource.uid = std::move(metadata.uid);
    resource.created = std::move(metadata.created);
    resource.generation = metadata.generation;
    resource.is_deleting = metadata.is_deleting;
    resource.is_suspended = kube::is_true_at(object, {"spec", "suspended"});
    read_keys(object, resource);
    read_limit(object, "requestsPerMinute", resource.limits.requests, resource.fault);
    read_limit(object, "inputTokensPerMinute", resource.limits.input_tokens, resource.fault);
    read_limit(object, "outputTokensPerMinute", resource.limits.output_tokens, resource.fault);
    resource.status = status_of(object);
    return resource;
}

}  // namespace sluice::operators
