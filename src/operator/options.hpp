#pragma once

#include "base/log.hpp"
#include "kube/access.hpp"
#include "kube/lease.hpp"
#include "operator/desired.hpp"
#include "operator/rollout.hpp"

#include <string>
#include <vector>

namespace sluice::operators {

struct Options {
    std::string namespace_name;                 // of the gateways and of what we write
    std::vector<std::string> watch_namespaces;  // empty: all
    std::string configmap_prefix = "sluice-limits";
    std::string gateway_service = "sluice-gateway";
    AdminPort gateway_admin_port{.number = 0, .name = "admin"};
    bool may_poke = true;
    std::string lease_name = "sluice-operator";
    kube::LeaseTimes lease;
    std::string admin_host = "0.0.0.0";
    std::uint16_t admin_port = 9090;
    LogLevel log_level = LogLevel::info;

    std::string kubeconfig;  // outside of a cluster
    std::string api_server;  // the same, said piece by piece
    std::string token_file;
    std::string ca_file;

    seconds watch_least{300};
    seconds watch_most{600};
    seconds watch_silence{90};
    seconds secret_poll{60};
    seconds resync{30};  // how often what we wrote is compared with what is there
};

struct ParsedOptions {
    Options options;
    std::vector<std::string> faults;  // all at once
    bool wants_help = false;
};

// `arguments` without the names of the program and the subcommand.
ParsedOptions parse_options(const std::vector<std::string>& arguments);
std::string help_text();

// Where the API server is: from --api-server, --kubeconfig, or the pod we run in. `fault` tells
// what is wrong when the answer must not be used.
kube::AccessOptions find_access(const Options& options, std::string& fault);
// The current context of a kubeconfig.
kube::AccessOptions read_kubeconfig(
    std::string_view text, const std::string& file, std::string& fault
);

}  // namespace sluice::operators
