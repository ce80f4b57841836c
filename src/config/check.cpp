#include "config/check.hpp"

#include "config/file.hpp"
#include "config/limits_table.hpp"
#include "config/load.hpp"
#include "config/manifest.hpp"
#include "config/yaml.hpp"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <string_view>
#include <utility>

namespace sluice::config {
namespace {

namespace fs = std::filesystem;

constexpr TextBounds kBounds{.bytes = 32 << 20, .nodes = 3'000'000, .depth = 64};
constexpr std::size_t kMaxFiles = 10'000;
constexpr int kMaxDepth = 16;

enum class Nature : std::uint8_t { configuration, table, manifests, unknown };

bool has_any(const Node& root, std::initializer_list<std::string_view> names) {
    return std::any_of(names.begin(), names.end(), [&](std::string_view name) {
        return root.find(name) != nullptr;
    });
}

Nature nature_of(const std::vector<Node>& documents) {
    if (std::any_of(documents.begin(), documents.end(), is_manifest)) return Nature::manifests;
    if (documents.empty()) return Nature::unknown;
    const Node& root = documents.front();
    if (has_any(root, {"subjects", "shard", "shards", "revision"})) return Nature::table;
    const bool is_configuration = has_any(
        root,
        {"listen",
         "admin",
         "workers",
         "tls",
         "limits",
         "upstream",
         "store",
         "accounting",
         "windowSeconds",
         "log",
         "bounds",
         "timeouts",
         "cors"}
    );
    return is_configuration ? Nature::configuration : Nature::unknown;
}

bool is_interesting(const fs::path& path) {
    const std::string extension = path.extension().string();
    return !path.filename().string().starts_with('.') &&
           (extension == ".yaml" || extension == ".yml" || extension == ".json");
}

class Checker {
 public:
    void check(const std::string& path) {
        std::error_code ignored;
        if (!fs::is_directory(path, ignored)) {
            std::vector<TableFile> tables;
            check_file(path, true, tables);
            check_tables(tables);
            return;
        }
        const std::size_t before = files_;
        check_directory(path, 0);
        if (files_ == before) {
            fault(path, "holds nothing to check: no configuration, limit table or ApiKeyLimit");
        }
    }

    CheckReport report;

 private:
    void fault(const std::string& file, std::string what) {
        report.faults.push_back({file, 1, "", std::move(what)});
    }

    void check_directory(const fs::path& directory, int depth) {
        std::vector<fs::path> entries;
        std::error_code error;
        for (fs::directory_iterator it{directory, error}, end; !error && it != end;
             it.increment(error)) {
            entries.push_back(it->path());
            if (entries.size() > kMaxFiles) {
                return fault(directory.string(), "holds more than 10000 files");
            }
        }
        if (error) return fault(directory.string(), "cannot be read: " + error.message());
        std::sort(entries.begin(), entries.end());
        std::vector<TableFile> tables;
        for (const fs::path& entry : entries) {
            std::error_code ignored;
            if (fs::is_directory(entry, ignored)) {
                const bool is_followed =
                    !fs::is_symlink(entry, ignored) && !entry.filename().string().starts_with('.');
                if (is_followed && depth < kMaxDepth) check_directory(entry, depth + 1);
            } else if (is_interesting(entry)) {
                check_file(entry.string(), false, tables);
            }
        }
        check_tables(tables);
    }

    // A file that was named is a gateway configuration if it is nothing else; one that was found is
    // somebody else's.
    void check_file(const std::string& file, bool is_named, std::vector<TableFile>& tables) {
        Result<std::string> text = read_file(file, kBounds.bytes);
        if (!text) {
            ++files_;
            return fault(file, "cannot be read: " + text.error().message());
        }
        ParsedText parsed = parse_json_or_yaml(*text, file, kBounds);
        Nature nature = nature_of(parsed.documents);
        if (nature == Nature::unknown && !parsed.faults.empty()) {
            ++files_;
            append(std::move(parsed.faults));
            return;
        }
        if (nature == Nature::unknown && is_named) nature = Nature::configuration;
        if (nature == Nature::unknown) return;
        ++files_;
        if (nature == Nature::table) {
            ++report.tables;
            tables.push_back({file, std::move(*text)});
        } else if (nature == Nature::configuration) {
            ++report.configurations;
            append(load_config_text(*text, file).faults);
        } else {
            check_manifests(file, std::move(parsed));
        }
    }

    void check_manifests(const std::string& file, ParsedText parsed) {
        Reading reading{file, std::move(parsed.faults)};
        for (const Node& document : parsed.documents) {
            report.resources += check_manifest(document, owners_, reading);
        }
        append(std::move(reading.faults));
    }

    void check_tables(const std::vector<TableFile>& tables) {
        if (!tables.empty()) append(parse_limits(tables).faults);
    }

    void append(Faults faults) {
        std::move(faults.begin(), faults.end(), std::back_inserter(report.faults));
    }

    HashOwners owners_;
    std::size_t files_ = 0;  // that are ours
};

std::string counted(std::size_t number, std::string_view one) {
    return std::to_string(number) + " " + std::string{one} + (number == 1 ? "" : "s");
}

}  // namespace

std::string CheckReport::summary() const {
    std::string out = "ok";
    std::string_view separator = ": ";
    const auto add = [&](std::size_t number, std::string_view one) {
        if (number == 0) return;
        out += std::string{separator} + counted(number, one);
        separator = ", ";
    };
    add(configurations, "gateway configuration");
    add(tables, "limit table");
    add(resources, "ApiKeyLimit");
    return out;
}

CheckReport check_paths(const std::vector<std::string>& paths) {
    Checker checker;
    for (const std::string& path : paths) checker.check(path);
    sort_faults(checker.report.faults);
    return std::move(checker.report);
}

}  // namespace sluice::config
