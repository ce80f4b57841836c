#pragma once

#include "config/section.hpp"
#include "config/yaml.hpp"

#include <map>
#include <string>

// ApiKeyLimit manifests, checked before the API server sees them.
namespace sluice::config {

// The custom resource definition, as in crds/, embedded at build.
const std::string& resource_definition();

// Kubernetes objects have these; our other files have neither.
bool is_manifest(const Node& root);

// Digest given as `hash` -> the resource that has it: over all manifests of one check.
using HashOwners = std::map<std::string, std::string>;

// How many ApiKeyLimits there are in `root`: an object, or a List of them. Objects of other kinds
// are passed over.
std::size_t check_manifest(const Node& root, HashOwners& owners, Reading& reading);

}  // namespace sluice::config
