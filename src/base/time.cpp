#include "base/time.hpp"

#include <array>
#include <cstdio>
#include <ctime>

namespace sluice {

std::string to_rfc3339(WallTime time) {
    const auto since_epoch =
        std::chrono::duration_cast<milliseconds>(time.time_since_epoch()).count();
    const std::time_t whole = static_cast<std::time_t>(since_epoch / 1000);
    std::tm parts{};
    gmtime_r(&whole, &parts);
    std::array<char, 64> text{};
    const std::size_t date = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
    std::snprintf(
        text.data() + date, text.size() - date, ".%03dZ", static_cast<int>(since_epoch % 1000)
    );
    return text.data();
}

}  // namespace sluice
