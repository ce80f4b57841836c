// The watch protocol:
// https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes Each
// line is {"type": "ADDED", "object": {…}}. An ERROR arrives inside a stream whose HTTP status was
// 200; its object is a Status.
#include "kube/watch.hpp"

#include <optional>

namespace sluice::kube {
namespace {

std::optional<WatchKind> kind_of(std::string_view type) {
    if (type == "ADDED") return WatchKind::added;
    if (type == "MODIFIED") return WatchKind::modified;
    if (type == "DELETED") return WatchKind::deleted;
    if (type == "BOOKMARK") return WatchKind::bookmark;
    if (type == "ERROR") return WatchKind::error;
    return std::nullopt;
}

bool is_blank(std::string_view line) {
    return line.find_first_not_of(" \t\r") == std::string_view::npos;
}

}  // namespace

Error WatchParser::feed(std::string_view bytes, std::vector<WatchEvent>& events) {
    while (!bytes.empty()) {
        const std::size_t end = bytes.find('\n');
        const std::string_view piece = bytes.substr(0, end);
        if (line_.size() + piece.size() > longest_line_) return Errc::watch_line_too_long;
        if (end == std::string_view::npos) {
            line_.append(piece);
            return {};
        }
        bytes.remove_prefix(end + 1);
        Error error;
        if (line_.empty()) {
            error = take_line(piece, events);
        } else {
            line_.append(piece);
            error = take_line(line_, events);
            line_.clear();
            if (line_.capacity() > (1 << 20)) line_.shrink_to_fit();
        }
        if (error) return error;
    }
    return {};
}

Error WatchParser::take_line(std::string_view line, std::vector<WatchEvent>& events) {
    if (is_blank(line)) return {};
    std::optional<Json> parsed = parse_json(line);
    if (!parsed || !parsed->is_object()) return Errc::bad_answer;
    const std::optional<WatchKind> kind = kind_of(text_at(*parsed, {"type"}));
    const auto object = parsed->find("object");
    if (!kind || object == parsed->end() || !object->is_object()) return Errc::bad_answer;

    WatchEvent event;
    event.kind = *kind;
    if (*kind == WatchKind::error) event.status = status_of(*object, 500);
    event.object = std::move(*object);
    events.push_back(std::move(event));
    return {};
}

}  // namespace sluice::kube
