#include "config/section.hpp"

#include <algorithm>
#include <charconv>

namespace sluice::config {
namespace {

constexpr std::size_t kLongestText = 4'096;

bool is_printable(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte >= 0x20 && byte != 0x7F;
    });
}

std::string joined(const std::vector<std::string_view>& names) {
    std::string out;
    for (const std::string_view name : names) {
        if (!out.empty()) out += ", ";
        out += name;
    }
    return out;
}

}  // namespace

std::string shown(const Node& node) {
    switch (node.kind) {
        case Node::Kind::null:
            return "nothing";
        case Node::Kind::list:
            return "a list";
        case Node::Kind::map:
            return "a map";
        default:
            return in_quotes(node.text);
    }
}

bool parse_whole_number(
    const Node& node, std::int64_t least, std::int64_t most, std::int64_t& value
) {
    if (node.kind != Node::Kind::plain) return false;
    const char* last = node.text.data() + node.text.size();
    const auto [end, error] = std::from_chars(node.text.data(), last, value);
    return error == std::errc{} && end == last && value >= least && value <= most;
}

Section::Section(const Node* node, std::string path, Reading& reading)
    : node_{node}, path_{std::move(path)}, reading_{reading} {
    if (node_ == nullptr || node_->kind == Node::Kind::map) return;
    if (node_->kind != Node::Kind::null) {
        reading_.fault(node_->line, path_, "expected a map, got " + shown(*node_));
    }
    node_ = nullptr;
}

std::string Section::path_of(std::string_view name) const {
    return path_.empty() ? std::string{name} : path_ + "." + std::string{name};
}

int Section::line_of(std::string_view name) const {
    if (node_ == nullptr) return 1;
    const Node* entry = node_->find(name);
    return entry != nullptr ? entry->key_line : node_->line;
}

void Section::fault(std::string_view name, std::string what) {
    reading_.fault(line_of(name), path_of(name), std::move(what));
}

void Section::fault_at(
    std::string_view name, std::size_t index, const Node& entry, std::string what
) {
    reading_.fault(entry.line, path_of(name) + "[" + std::to_string(index) + "]", std::move(what));
}

const Node* Section::take(std::string_view name) {
    known_.push_back(name);
    if (node_ == nullptr) return nullptr;
    const Node* entry = node_->find(name);
    return entry == nullptr || entry->kind == Node::Kind::null ? nullptr : entry;
}

Section Section::section(std::string_view name) {
    return Section{take(name), path_of(name), reading_};
}

const std::vector<Node>& Section::list(std::string_view name) {
    static const std::vector<Node> kNone;
    const Node* entry = take(name);
    if (entry == nullptr) return kNone;
    if (entry->kind == Node::Kind::list) return entry->children;
    fault(name, "expected a list, got " + std::string{entry->is_scalar() ? "a text" : "a map"});
    return kNone;
}

void Section::text(std::string_view name, std::string& into) {
    const Node* entry = take(name);
    if (entry == nullptr) return;
    if (!entry->is_scalar()) return fault(name, "expected a text, got " + shown(*entry));
    if (entry->text.size() > kLongestText) {
        return fault(name, "is longer than " + std::to_string(kLongestText) + " bytes");
    }
    if (!is_printable(entry->text)) return fault(name, "holds control characters");
    into = entry->text;
}

void Section::flag(std::string_view name, bool& into) {
    const Node* entry = take(name);
    if (entry == nullptr) return;
    if (entry->kind == Node::Kind::plain && (entry->text == "true" || entry->text == "false")) {
        into = entry->text == "true";
        return;
    }
    fault(name, "expected true or false, got " + shown(*entry));
}

void Section::share(std::string_view name, double& into) {
    const Node* entry = take(name);
    if (entry == nullptr) return;
    const char* last = entry->text.data() + entry->text.size();
    double value = 0;
    const auto [end, error] = std::from_chars(entry->text.data(), last, value);
    if (entry->kind == Node::Kind::plain && error == std::errc{} && end == last && value >= 0 &&
        value <= 1) {
        into = value;
        return;
    }
    fault(name, "expected a number from 0 to 1, got " + shown(*entry));
}

bool Section::whole_number(
    std::string_view name, std::int64_t least, std::int64_t most, std::int64_t& value
) {
    const Node* entry = take(name);
    if (entry == nullptr) return false;
    if (parse_whole_number(*entry, least, most, value)) return true;
    fault(
        name,
        "expected a whole number from " + std::to_string(least) + " to " + std::to_string(most) +
            ", got " + shown(*entry)
    );
    return false;
}

std::size_t Section::choose(std::string_view name, const std::vector<std::string_view>& names) {
    const Node* entry = take(name);
    if (entry == nullptr) return names.size();
    const auto found = std::find(names.begin(), names.end(), entry->text);
    if (entry->is_scalar() && found != names.end()) {
        return static_cast<std::size_t>(found - names.begin());
    }
    std::string what = "expected one of " + joined(names) + ", got " + shown(*entry);
    if (entry->is_scalar()) what += did_you_mean(entry->text, names);
    fault(name, std::move(what));
    return names.size();
}

void Section::end() {
    if (node_ == nullptr) return;
    for (const Node& entry : node_->children) {
        if (std::find(known_.begin(), known_.end(), entry.key) != known_.end()) continue;
        const std::string name = in_quotes(entry.key);
        reading_.fault(
            entry.key_line,
            path_of(std::string_view{name}.substr(1, name.size() - 2)),
            "unknown key" + did_you_mean(entry.key, known_)
        );
    }
}

}  // namespace sluice::config
