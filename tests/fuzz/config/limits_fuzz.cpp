// Any bytes as a limit table, by the fast way and the slow one: both must say the same.

#include "config/limits_table.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

using sluice::config::LoadedTable;

void check(const LoadedTable& loaded) {
    if ((loaded.table == nullptr) == loaded.faults.empty()) std::abort();
    if (loaded.table == nullptr) return;
    for (const auto& subject : loaded.table->subjects()) {
        for (const auto& key : subject.keys) {
            if (loaded.table->find(key) != &subject) std::abort();
        }
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string text{reinterpret_cast<const char*>(data), size};
    const LoadedTable direct = sluice::config::parse_limits({{"f", text}});
    check(direct);
    // A comment in front makes it YAML that does not look like JSON.
    const LoadedTable slow = sluice::config::parse_limits({{"f", "#\n" + text}});
    check(slow);
    if (direct.table != nullptr && slow.table != nullptr &&
        direct.table->subjects() != slow.table->subjects()) {
        std::abort();
    }
    return 0;
}
