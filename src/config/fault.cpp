#include "config/fault.hpp"

#include <algorithm>
#include <array>
#include <tuple>

namespace sluice::config {
namespace {

// How many letters must be added, dropped, changed or swapped with their neighbour. The names
// compared are short: longer than `kLongest` counts as unlike.
constexpr std::size_t kLongest = 40;

std::size_t edits(std::string_view a, std::string_view b) {
    if (a.size() > kLongest || b.size() > kLongest) return kLongest;
    std::array<std::array<std::size_t, kLongest + 1>, kLongest + 1> cost{};
    for (std::size_t i = 0; i <= a.size(); ++i) {
        for (std::size_t j = 0; j <= b.size(); ++j) {
            if (i == 0 || j == 0) {
                cost[i][j] = i + j;
                continue;
            }
            const std::size_t change = a[i - 1] == b[j - 1] ? 0 : 1;
            cost[i][j] =
                std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, cost[i - 1][j - 1] + change});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
            }
        }
    }
    return cost[a.size()][b.size()];
}

// "max_tokens" and "maxtokens" are meant as "maxTokens".
std::string folded(std::string_view name) {
    std::string out;
    for (const char c : name) {
        if (c == '_' || c == '-') continue;
        out.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
    }
    return out;
}

}  // namespace

std::string Fault::text() const {
    std::string out = file + ":" + std::to_string(line > 0 ? line : 1) + ": ";
    if (!path.empty()) out += path + ": ";
    return out + what;
}

void sort_faults(Faults& faults) {
    const auto key = [](const Fault& f) { return std::tie(f.file, f.line, f.path, f.what); };
    std::sort(faults.begin(), faults.end(), [&](const Fault& a, const Fault& b) {
        return key(a) < key(b);
    });
    faults.erase(std::unique(faults.begin(), faults.end()), faults.end());
}

std::string to_text(const Faults& faults, std::size_t most) {
    std::string out;
    for (std::size_t i = 0; i < faults.size() && i < most; ++i) out += faults[i].text() + "\n";
    if (faults.size() > most) {
        out += "and " + std::to_string(faults.size() - most) + " more\n";
    }
    return out;
}

std::string in_quotes(std::string_view value) {
    constexpr std::size_t kShown = 60;
    std::string out = "\"";
    for (const char c : value.substr(0, kShown)) {
        const auto byte = static_cast<unsigned char>(c);
        out.push_back(byte < 0x20 || byte >= 0x7F || c == '"' ? '?' : c);
    }
    out += value.size() > kShown ? "...\"" : "\"";
    return out;
}

std::string did_you_mean(std::string_view name, const std::vector<std::string_view>& known) {
    const std::string wanted = folded(name);
    std::string_view nearest;
    std::size_t least = std::max<std::size_t>(1, wanted.size() / 3) + 1;
    for (const std::string_view candidate : known) {
        const std::size_t distance = edits(wanted, folded(candidate));
        if (distance >= least) continue;
        least = distance;
        nearest = candidate;
    }
    if (nearest.empty()) return "";
    return ", did you mean " + in_quotes(nearest) + "?";
}

}  // namespace sluice::config
