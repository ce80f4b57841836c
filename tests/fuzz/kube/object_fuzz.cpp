// Objects as an API server, or somebody in its place, may send them.
#include "kube/lease.hpp"
#include "operator/desired.hpp"
#include "operator/resource.hpp"
#include "operator/rollout.hpp"
#include "operator/secrets.hpp"
#include "operator/status.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace sluice;
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    (void)kube::from_base64(text);
    (void)operators::revision_of_configz(text);
    const auto object = kube::parse_json(text);
    if (!object) return 0;
    (void)kube::lease_record_of(*object);
    (void)kube::status_of(*object, 500);
    (void)operators::replicas_of(*object, {.number = 0, .name = "admin"});
    (void)operators::finding_of(*object, {"secret", "key"});

    operators::Resource resource = operators::resource_of(*object);
    const operators::Status status = resource.status;
    (void)operators::status_patch(resource, status);
    // Whatever was accepted gives a table that gateways accept. Names are the API server's word.
    resource.namespace_name = "team";
    resource.name = "name";
    const auto lookup = [](const std::string&, const operators::SecretEntry& entry) {
        operators::Finding finding;
        finding.kind = operators::Finding::Kind::found;
        finding.digest = Digest::of(entry.name + "/" + entry.key);
        finding.has_digest = true;
        return finding;
    };
    const operators::Desired desired = operators::desire({&resource}, lookup);
    if (!operators::check_table(desired).empty()) std::abort();
    return 0;
}
