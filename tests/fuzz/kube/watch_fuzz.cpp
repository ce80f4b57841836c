// A watch stream, whole and cut: the same events, or an error, and never more memory than a line.
#include "kube/watch.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace sluice::kube;
    const std::string_view bytes{reinterpret_cast<const char*>(data), size};
    WatchParser whole{4096};
    std::vector<WatchEvent> events;
    const bool is_good = !whole.feed(bytes, events);

    WatchParser cut{4096};
    std::vector<WatchEvent> pieces;
    bool is_still_good = true;
    for (std::size_t i = 0; i < size && is_still_good; ++i) {
        is_still_good = !cut.feed(bytes.substr(i, 1), pieces);
    }
    if (is_good != is_still_good || events.size() != pieces.size()) std::abort();
    for (std::size_t i = 0; i < events.size(); ++i) {
        if (events[i].kind != pieces[i].kind || events[i].object != pieces[i].object) std::abort();
        (void)metadata_of(events[i].object);
        (void)events[i].status.errc();
    }
    return 0;
}
