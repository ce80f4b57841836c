#pragma once

#include "operator/desired.hpp"
#include "operator/resource.hpp"

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace sluice::operators {

// A resource with one hashed key, made of `text`.
inline Resource make_resource(const std::string& name, const std::string& text) {
    Resource resource;
    resource.namespace_name = "team";
    resource.name = name;
    resource.uid = "uid-" + name;
    resource.created = "2026-01-01T00:00:00Z";
    resource.generation = 1;
    resource.keys = {Digest::of(text)};
    resource.limits.requests = 5;
    return resource;
}

inline std::vector<const Resource*> pointers(const std::vector<Resource>& resources) {
    std::vector<const Resource*> out;
    for (const Resource& resource : resources) out.push_back(&resource);
    return out;
}

inline Finding found(const std::string& text) {
    Finding finding;
    finding.kind = Finding::Kind::found;
    finding.digest = Digest::of(text);
    finding.has_digest = true;
    return finding;
}

inline Finding not_found(Finding::Kind kind) {
    Finding finding;
    finding.kind = kind;
    return finding;
}

inline Lookup lookup_in(std::map<std::string, Finding> findings) {
    return [findings = std::move(findings)](const std::string& space, const SecretEntry& entry) {
        const auto place = findings.find(space + "/" + entry.name + "/" + entry.key);
        return place == findings.end() ? not_found(Finding::Kind::no_secret) : place->second;
    };
}

}  // namespace sluice::operators
