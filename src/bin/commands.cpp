#include "base/sha256.hpp"
#include "bin/arguments.hpp"
#include "config/check.hpp"
#include "config/fault.hpp"

#include <algorithm>
#include <istream>
#include <iterator>
#include <ostream>

namespace sluice::bin {
namespace {

bool is_help(std::string_view argument) {
    return argument == "-h" || argument == "--help" || argument == "help";
}

bool is_option(std::string_view argument) {
    return argument.size() > 1 && argument[0] == '-';
}

int bad_usage(Streams streams, std::string_view what, std::string_view command) {
    streams.err << "sluice " << command << ": " << what << "\nTry: sluice help " << command << "\n";
    return kBadUsage;
}

std::vector<std::string_view> names_of(const std::vector<Command>& commands) {
    std::vector<std::string_view> names;
    for (const Command& command : commands) names.push_back(command.name);
    return names;
}

const Command* find_command(const std::vector<Command>& commands, std::string_view name) {
    const auto found = std::find_if(commands.begin(), commands.end(), [&](const Command& command) {
        return command.name == name;
    });
    return found == commands.end() ? nullptr : &*found;
}

void print_overview(const std::vector<Command>& commands, std::ostream& out) {
    out << "Sluice holds the API keys of OpenAI-compatible services to limits per minute.\n\n"
           "Usage: sluice COMMAND [ARGUMENT]...\n\nCommands:\n";
    for (const Command& command : commands) {
        const std::size_t width = 12;
        out << "  " << command.name
            << std::string(width - std::min(width, command.name.size()), ' ') << command.summary
            << "\n";
    }
    out << "\nsluice help COMMAND tells more about one of them.\n"
           "Exit status: 0 good; 2 wrong usage or configuration; 1 anything else.\n";
}

int unknown(const std::vector<Command>& commands, std::string_view name, Streams streams) {
    streams.err << "sluice: no command " << config::in_quotes(name)
                << config::did_you_mean(name, names_of(commands)) << "\nTry: sluice help\n";
    return kBadUsage;
}

int help(const std::vector<Command>& commands, std::string_view name, Streams streams) {
    const Command* command = find_command(commands, name);
    if (command == nullptr) return unknown(commands, name, streams);
    streams.out << command->help;
    return kGood;
}

// The first `most` bytes of a stream; empty with `fits` false when it holds more.
std::string read_all(std::istream& in, std::size_t most, bool& fits) {
    std::string text;
    for (char c = 0; text.size() <= most && in.get(c);) text.push_back(c);
    fits = text.size() <= most;
    return text;
}

}  // namespace

int check(const Arguments& arguments, Streams streams) {
    if (arguments.empty()) return bad_usage(streams, "which files?", "check");
    for (const std::string& argument : arguments) {
        if (is_option(argument)) {
            return bad_usage(streams, "no option " + config::in_quotes(argument), "check");
        }
    }
    const config::CheckReport report = config::check_paths(arguments);
    if (report.faults.empty()) {
        streams.out << report.summary() << "\n";
        return kGood;
    }
    streams.err << config::to_text(report.faults, report.faults.size());
    return kBadUsage;
}

int hash_key(const Arguments& arguments, Streams streams) {
    constexpr std::size_t kMostBytes = 8'192;
    if (arguments.size() > 1 || (arguments.size() == 1 && arguments[0] != "-")) {
        // Everybody on the machine can read arguments, and shells remember them.
        return bad_usage(
            streams, "the key is read from standard input, not from the command line", "hash-key"
        );
    }
    bool fits = false;
    std::string key = read_all(streams.in, kMostBytes, fits);
    if (!fits) return bad_usage(streams, "a key of more than 8192 bytes is none", "hash-key");
    if (key.ends_with('\n')) key.pop_back();
    if (key.ends_with('\r')) key.pop_back();
    if (key.empty()) return bad_usage(streams, "the key is empty", "hash-key");
    const bool has_space = std::any_of(key.begin(), key.end(), [](char c) {
        return static_cast<unsigned char>(c) <= 0x20 || c == 0x7F;
    });
    if (has_space) {
        return bad_usage(streams, "the key holds white space or control characters", "hash-key");
    }
    streams.out << Digest::of(key).text() << "\n";
    return kGood;
}

int version(const Arguments& arguments, Streams streams) {
    if (!arguments.empty()) return bad_usage(streams, "takes no arguments", "version");
    streams.out << "sluice " << SLUICE_VERSION << "\n";
    return kGood;
}

int dispatch(
    const std::vector<Command>& commands, const std::vector<std::string>& arguments, Streams streams
) {
    if (arguments.empty()) {
        print_overview(commands, streams.err);
        return kBadUsage;
    }
    if (is_help(arguments[0])) {
        if (arguments.size() > 1) return help(commands, arguments[1], streams);
        print_overview(commands, streams.out);
        return kGood;
    }
    const std::string name = arguments[0] == "--version" ? "version" : arguments[0];
    const Command* command = find_command(commands, name);
    if (command == nullptr) return unknown(commands, name, streams);
    const Arguments rest{std::next(arguments.begin()), arguments.end()};
    if (std::any_of(rest.begin(), rest.end(), [](const std::string& argument) {
            return argument == "-h" || argument == "--help";
        })) {
        return help(commands, name, streams);
    }
    return command->run(rest, streams);
}

}  // namespace sluice::bin
