#include "operator/options.hpp"

#include "config/yaml.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <optional>
#include <sstream>

namespace sluice::operators {
namespace {

// ---- Reading values -------------------------------------------------------------------------

std::optional<std::int64_t> to_number(std::string_view text) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

bool is_dns_name(std::string_view text) {
    const auto is_inner = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
    };
    return !text.empty() && text.size() <= 253 && std::all_of(text.begin(), text.end(), is_inner) &&
           text.front() != '-' && text.front() != '.' && text.back() != '-' && text.back() != '.';
}

// "host:port" or "[v6]:port".
bool split_address(std::string_view text, std::string& host, std::uint16_t& port) {
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos) return false;
    const auto number = to_number(text.substr(colon + 1));
    std::string_view name = text.substr(0, colon);
    if (name.size() >= 2 && name.front() == '[' && name.back() == ']') {
        name = name.substr(1, name.size() - 2);
    } else if (name.find(':') != std::string_view::npos) {
        return false;
    }
    if (!number || *number < 0 || *number > 65535) return false;
    host = name;
    port = static_cast<std::uint16_t>(*number);
    return true;
}

struct Flag {
    const char* name;
    const char* value;  // null: takes none
    const char* help;
    std::function<bool(Options&, const std::string&)> set;  // false: the value is wrong
    const char* expected = "";
};

using Set = std::function<bool(Options&, const std::string&)>;

Set dns(std::string Options::*member) {
    return [member](Options& options, const std::string& value) {
        options.*member = value;
        return is_dns_name(value);
    };
}

Set text(std::string Options::*member) {
    return [member](Options& options, const std::string& value) {
        options.*member = value;
        return !value.empty();
    };
}

Set span(std::function<seconds&(Options&)> of) {
    return [of](Options& options, const std::string& value) {
        std::string_view digits = value;
        if (!digits.empty() && digits.back() == 's') digits.remove_suffix(1);
        const auto number = to_number(digits);
        if (!number || *number < 1 || *number > 86'400) return false;
        of(options) = seconds{*number};
        return true;
    };
}

bool set_namespaces(Options& options, const std::string& value) {
    std::istringstream parts{value};
    for (std::string part; std::getline(parts, part, ',');) {
        if (!is_dns_name(part)) return false;
        const auto& all = options.watch_namespaces;
        if (std::find(all.begin(), all.end(), part) == all.end()) {
            options.watch_namespaces.push_back(part);
        }
    }
    return true;
}

bool set_admin_port(Options& options, const std::string& value) {
    const auto number = to_number(value);
    if (number && (*number < 1 || *number > 65535)) return false;
    options.gateway_admin_port = AdminPort{};
    if (number) {
        options.gateway_admin_port.number = static_cast<std::uint16_t>(*number);
    } else {
        options.gateway_admin_port.name = value;
    }
    return number || is_dns_name(value);
}

constexpr const char* kName = "a Kubernetes name";
constexpr const char* kSeconds = "a number of seconds";

const std::vector<Flag>& flags() {
    static const std::vector<Flag> all{
        {"--namespace",
         "NAME",
         "Namespace of the gateways; limit tables and the lease are\n"
         "kept there. In a pod: the pod's own.",
         dns(&Options::namespace_name),
         kName},
        {"--watch-namespace",
         "NAME",
         "Take ApiKeyLimits from this namespace only. May be repeated.\n"
         "Without it all namespaces count.",
         set_namespaces,
         kName},
        {"--configmap-prefix",
         "NAME",
         "Limit tables are written to the ConfigMaps NAME-00 to\n"
         "NAME-07. Default sluice-limits.",
         dns(&Options::configmap_prefix),
         kName},
        {"--gateway-service",
         "NAME",
         "Service of the gateways, to know who is ready.\n"
         "Default sluice-gateway.",
         dns(&Options::gateway_service),
         kName},
        {"--gateway-admin-port",
         "PORT",
         "Port where gateways answer /configz: a number, or the name\n"
         "of a port of the Service. Default admin.",
         set_admin_port,
         "a port number or the name of a port"},
        {"--no-poke",
         nullptr,
         "Do not touch gateway pods after a change. Then they see it\n"
         "with the kubelet's next sync, about a minute later.",
         [](Options& options, const std::string&) {
             options.may_poke = false;
             return true;
         }},
        {"--lease-name",
         "NAME",
         "Lease by which one of several operators leads.\nDefault sluice-operator.",
         dns(&Options::lease_name),
         kName},
        {"--lease-duration",
         "SECONDS",
         "A leader silent for so long is replaced. Default 15.",
         span([](Options& o) -> seconds& { return o.lease.duration; }),
         kSeconds},
        {"--lease-renew",
         "SECONDS",
         "A leader that cannot renew for so long gives up. Default 10.",
         span([](Options& o) -> seconds& { return o.lease.renew_deadline; }),
         kSeconds},
        {"--lease-retry",
         "SECONDS",
         "Time between two tries. Default 2.",
         span([](Options& o) -> seconds& { return o.lease.retry_period; }),
         kSeconds},
        {"--admin",
         "HOST:PORT",
         "Where /metrics, /livez and /readyz are served.\nDefault 0.0.0.0:9090.",
         [](Options& o, const std::string& value) {
             return split_address(value, o.admin_host, o.admin_port);
         },
         "HOST:PORT"},
        {"--log-level",
         "LEVEL",
         "debug, info, warn, error or off. Default info.",
         [](Options& o, const std::string& value) { return parse_log_level(value, o.log_level); },
         "debug, info, warn, error or off"},
        {"--kubeconfig",
         "FILE",
         "Outside of a cluster: whom to ask and as whom (its current\ncontext).",
         text(&Options::kubeconfig),
         "a file"},
        {"--api-server",
         "URL",
         "Outside of a cluster, instead of a kubeconfig.",
         text(&Options::api_server),
         "https://HOST:PORT"},
        {"--token-file",
         "FILE",
         "Bearer token, read again as it rotates.",
         text(&Options::token_file),
         "a file"},
        {"--ca-file",
         "FILE",
         "Certificate authority of the API server, read again when it\nchanges.",
         text(&Options::ca_file),
         "a file"},
        {"--watch-timeout",
         "SECONDS",
         "Begin a watch anew after so long, up to twice so long.\nDefault 300.",
         [](Options& o, const std::string& value) {
             if (!span([](Options& x) -> seconds& { return x.watch_least; })(o, value))
                 return false;
             o.watch_most = o.watch_least * 2;
             return true;
         },
         kSeconds},
        {"--watch-silence",
         "SECONDS",
         "Take a watch that says nothing for so long for dead.\nDefault 90.",
         span([](Options& o) -> seconds& { return o.watch_silence; }),
         kSeconds},
        {"--secret-poll",
         "SECONDS",
         "Look so often whether a Secret with a key has changed.\nDefault 60.",
         span([](Options& o) -> seconds& { return o.secret_poll; }),
         kSeconds},
        {"--resync",
         "SECONDS",
         "Look so often whether somebody changed what was written.\nDefault 30.",
         span([](Options& o) -> seconds& { return o.resync; }),
         kSeconds},
    };
    return all;
}

// ---- Reading a kubeconfig -------------------------------------------------------------------

std::optional<std::string> read_file(const std::string& path) {
    std::ifstream file{path, std::ios::binary};
    if (!file) return std::nullopt;
    return std::string{std::istreambuf_iterator<char>{file}, {}};
}

std::string text_in(const config::Node* node, std::string_view name) {
    const config::Node* value = node != nullptr ? node->find(name) : nullptr;
    return value != nullptr && value->is_scalar() ? value->text : std::string{};
}

// The `member` of the entry of `list` that is called `name`.
const config::Node* named(
    const config::Node& root,
    std::string_view list,
    const std::string& name,
    std::string_view member
) {
    const config::Node* entries = root.find(list);
    if (entries == nullptr) return nullptr;
    for (const config::Node& entry : entries->children) {
        if (text_in(&entry, "name") == name) return entry.find(member);
    }
    return nullptr;
}

bool parse_server(std::string_view url, kube::AccessOptions& access) {
    std::uint16_t default_port = 443;
    if (url.starts_with("https://")) {
        url.remove_prefix(8);
    } else if (url.starts_with("http://")) {
        url.remove_prefix(7);
        access.is_tls = false;
        default_port = 80;
    } else {
        return false;
    }
    if (url.ends_with('/')) url.remove_suffix(1);
    if (url.empty() || url.find('/') != std::string_view::npos) return false;
    if (split_address(url, access.server.host, access.server.port))
        return !access.server.host.empty();
    if (url.front() == '[' && url.back() == ']') url = url.substr(1, url.size() - 2);
    access.server.host = url;
    access.server.port = default_port;
    return is_dns_name(url) || url.find(':') != std::string_view::npos;
}

// What a member holds: base64 in "<name>-data", or the content of the file named by "<name>".
std::string pem_in(
    const config::Node* node,
    const std::string& name,
    const std::filesystem::path& folder,
    std::string& fault
) {
    const std::string data = text_in(node, name + "-data");
    if (!data.empty()) {
        const std::optional<std::string> decoded = kube::from_base64(data);
        if (!decoded) fault = name + "-data is no base64";
        return decoded.value_or("");
    }
    const std::string path = text_in(node, name);
    if (path.empty()) return {};
    const std::optional<std::string> content = read_file(folder / path);
    if (!content) fault = "cannot read " + path;
    return content.value_or("");
}

}  // namespace

ParsedOptions parse_options(const std::vector<std::string>& arguments) {
    ParsedOptions parsed;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        const std::string& argument = arguments[i];
        if (argument == "--help" || argument == "-h") {
            parsed.wants_help = true;
            continue;
        }
        const std::size_t equals = argument.find('=');
        const std::string name = argument.substr(0, equals);
        const auto flag = std::find_if(flags().begin(), flags().end(), [&](const Flag& f) {
            return name == f.name;
        });
        if (flag == flags().end()) {
            parsed.faults.push_back(
                "unknown argument \"" + name + "\"; see sluice operator --help"
            );
            continue;
        }
        std::string value;
        if (equals != std::string::npos) {
            value = argument.substr(equals + 1);
        } else if (flag->value != nullptr && i + 1 < arguments.size()) {
            value = arguments[++i];
        }
        if (flag->value == nullptr && equals != std::string::npos) {
            parsed.faults.push_back(name + " takes no value");
        } else if (!flag->set(parsed.options, value)) {
            parsed.faults.push_back(
                name + ": expected " + flag->expected + ", got \"" + value + "\""
            );
        }
    }
    if (const std::string fault = parsed.options.lease.fault(); !fault.empty()) {
        parsed.faults.push_back("--lease-duration, --lease-renew, --lease-retry: " + fault);
    }
    if (parsed.options.configmap_prefix.size() > 250) {
        parsed.faults.push_back("--configmap-prefix: longer than 250 characters");
    }
    return parsed;
}

std::string help_text() {
    std::string out =
        "Usage: sluice operator [FLAG]...\n"
        "\n"
        "Makes the ApiKeyLimits of a cluster hold: reads them and the Secrets they name, writes\n"
        "limit tables (digests only) to ConfigMaps that the gateways mount, and reports in the\n"
        "status of each ApiKeyLimit whether every ready gateway enforces it. In a cluster the\n"
        "defaults do; several may run, one leads.\n"
        "\n"
        "To try it from outside of a cluster, as whoever kubectl is:\n"
        "  sluice operator --kubeconfig ~/.kube/config --namespace default --admin 127.0.0.1:9090\n"
        "\n";
    for (const Flag& flag : flags()) {
        std::string name = std::string{"  "} + flag.name;
        if (flag.value != nullptr) name += std::string{" "} + flag.value;
        constexpr std::size_t kColumn = 30;
        name.resize(std::max(kColumn, name.size() + 1), ' ');
        out += name;
        for (const char* c = flag.help; *c != '\0'; ++c) {
            out += *c;
            if (*c == '\n') out += std::string(kColumn, ' ');
        }
        out += '\n';
    }
    out +=
        "\n"
        "Ends with 0 after SIGTERM or SIGINT, 2 when the arguments are wrong, and 1 when the "
        "lease\n"
        "is lost or the operator cannot start.\n";
    return out;
}

kube::AccessOptions read_kubeconfig(
    std::string_view content, const std::string& file, std::string& fault
) {
    kube::AccessOptions access;
    const config::ParsedText parsed = config::parse_json_or_yaml(content, file, {});
    if (!parsed.faults.empty()) {
        fault = parsed.faults.front().text();
        return access;
    }
    if (parsed.documents.empty()) {
        fault = file + ": is empty";
        return access;
    }
    const config::Node& root = parsed.documents.front();
    const std::string current = text_in(&root, "current-context");
    const config::Node* context = named(root, "contexts", current, "context");
    const config::Node* cluster = named(root, "clusters", text_in(context, "cluster"), "cluster");
    const config::Node* user = named(root, "users", text_in(context, "user"), "user");
    const auto say = [&](const std::string& what) {
        if (fault.empty()) fault = file + ": " + what;
    };
    if (context == nullptr) say("current-context \"" + current + "\" is not there");
    if (cluster == nullptr) say("the cluster of the current context is not there");
    if (cluster != nullptr && !parse_server(text_in(cluster, "server"), access)) {
        say("the server of the cluster is no URL");
    }
    if (user != nullptr &&
        (user->find("exec") != nullptr || user->find("auth-provider") != nullptr)) {
        say("programs that make credentials are not supported; use --api-server and --token-file");
    }
    std::string unread;
    const std::filesystem::path folder = std::filesystem::path{file}.parent_path();
    access.ca_pem = pem_in(cluster, "certificate-authority", folder, unread);
    access.client_certificate = pem_in(user, "client-certificate", folder, unread);
    access.client_key = Secret{pem_in(user, "client-key", folder, unread)};
    access.token = Secret{text_in(user, "token")};
    const std::string token_file = text_in(user, "tokenFile");
    if (!token_file.empty()) access.token_file = folder / token_file;
    if (!unread.empty()) say(unread);
    return access;
}

kube::AccessOptions find_access(const Options& options, std::string& fault) {
    kube::AccessOptions access;
    if (!options.api_server.empty()) {
        access.ca_file = options.ca_file;
        access.token_file = options.token_file;
        if (!parse_server(options.api_server, access)) {
            fault = "--api-server: expected https://HOST:PORT, got \"" + options.api_server + "\"";
        } else if (access.is_tls && access.ca_file.empty()) {
            fault = "--api-server needs --ca-file";
        }
        return access;
    }
    if (!options.kubeconfig.empty()) {
        const std::optional<std::string> content = read_file(options.kubeconfig);
        if (!content) {
            fault = "--kubeconfig: cannot read " + options.kubeconfig;
            return access;
        }
        return read_kubeconfig(*content, options.kubeconfig, fault);
    }
    Result<kube::AccessOptions> found = kube::in_cluster_access();
    if (found) return *found;
    fault =
        "not in a cluster (KUBERNETES_SERVICE_HOST is not set): use --kubeconfig or --api-server";
    return access;
}

}  // namespace sluice::operators
