#include "bin/gateway_commands.hpp"

#include "config/fault.hpp"
#include "gateway/app.hpp"
#include "gateway/inspect.hpp"

#include <optional>
#include <ostream>

namespace sluice::bin {

const char* const kGatewayHelp =
    "Usage: sluice gateway [--config FILE]\n\n"
    "Serves. Every key is held to its limits, every request goes on to the upstream, and what it\n"
    "really used is settled. SIGTERM and SIGINT end it: what is in flight is finished first.\n\n"
    "Without --config it serves a built-in example on 127.0.0.1:8080: counts in memory, an "
    "upstream\n"
    "that echoes, one key, and a curl line to try, which it prints.\n\n"
    "    sluice check gateway.yaml              # what is wrong with the configuration?\n"
    "    sluice gateway --config gateway.yaml\n";

const char* const kInspectHelp =
    "Usage: sluice inspect --config FILE [SUBJECT]\n\n"
    "Shows what each limit holds now: of one subject, or of all in the limit table that FILE "
    "names.\n"
    "Asks the Redis that FILE names, and takes nothing.\n\n"
    "    sluice inspect --config gateway.yaml\n"
    "    sluice inspect --config gateway.yaml team-a/chatbot\n";

namespace {

int bad_usage(Streams streams, std::string_view what, std::string_view command) {
    streams.err << "sluice " << command << ": " << what << "\nTry: sluice help " << command << "\n";
    return kBadUsage;
}

// What follows --config, and what is left.
struct Parsed {
    std::optional<std::string> config;
    std::vector<std::string> rest;
    std::string wrong;
};

Parsed parse(const Arguments& arguments) {
    Parsed parsed;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        const std::string& argument = arguments[i];
        if (argument == "--config") {
            if (i + 1 == arguments.size()) {
                parsed.wrong = "--config wants a file";
                return parsed;
            }
            parsed.config = arguments[++i];
        } else if (argument.starts_with("--config=")) {
            parsed.config = argument.substr(9);
        } else if (argument.starts_with('-')) {
            parsed.wrong = "no option " + config::in_quotes(argument);
            return parsed;
        } else {
            parsed.rest.push_back(argument);
        }
    }
    if (parsed.config && parsed.config->empty()) parsed.wrong = "--config wants a file";
    return parsed;
}

}  // namespace

int run_gateway(const Arguments& arguments, Streams streams) {
    const Parsed parsed = parse(arguments);
    if (!parsed.wrong.empty()) return bad_usage(streams, parsed.wrong, "gateway");
    if (!parsed.rest.empty()) {
        return bad_usage(
            streams, "unexpected " + config::in_quotes(parsed.rest.front()), "gateway"
        );
    }
    gateway::GatewayArguments to;
    to.config_file = parsed.config.value_or("");
    to.version = SLUICE_VERSION;
    return gateway::run(to);
}

int inspect(const Arguments& arguments, Streams streams) {
    const Parsed parsed = parse(arguments);
    if (!parsed.wrong.empty()) return bad_usage(streams, parsed.wrong, "inspect");
    if (!parsed.config) return bad_usage(streams, "--config FILE is needed", "inspect");
    if (parsed.rest.size() > 1) return bad_usage(streams, "one subject at a time", "inspect");
    gateway::InspectArguments to;
    to.config_file = *parsed.config;
    if (!parsed.rest.empty()) to.subject = parsed.rest.front();
    return gateway::inspect(to, streams.out, streams.err);
}

}  // namespace sluice::bin
