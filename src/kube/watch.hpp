#pragma once

#include "base/result.hpp"
#include "kube/object.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::kube {

enum class WatchKind : std::uint8_t {
    added,
    modified,
    deleted,   // `object` is its last state
    bookmark,  // nothing changed; `object` carries the resource version alone
    error,     // `status` says what went wrong; the stream ends
};

struct WatchEvent {
    WatchKind kind = WatchKind::error;
    Json object;
    ApiStatus status;
};

// Bytes of a watch -> events, however the bytes are split. The stream is one JSON object a line.
//
// Pure. After an error it is good for nothing.
class WatchParser {
 public:
    explicit WatchParser(std::size_t longest_line = 3 << 20) : longest_line_{longest_line} {}

    // Appends the events that these bytes complete, in order.
    Error feed(std::string_view bytes, std::vector<WatchEvent>& events);
    // Whether an event has begun whose end is still to come.
    bool is_inside_event() const { return !line_.empty(); }

 private:
    Error take_line(std::string_view line, std::vector<WatchEvent>& events);

    std::size_t longest_line_;
    std::string line_;  // the unfinished one
};

}  // namespace sluice::kube
