#pragma once

#include "config/fault.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

// YAML and JSON as one plain tree that remembers lines. What a text may cost is bounded before it
// is paid: bytes, depth, nodes, and what aliases unfold to.
namespace sluice::config {

struct Node {
    enum class Kind : std::uint8_t { null, plain, quoted, list, map };

    Kind kind = Kind::null;
    int line = 0;  // of the value, from 1
    int key_line = 0;
    std::string key;   // when it is an entry of a map
    std::string text;  // plain and quoted
    std::vector<Node> children;

    bool is_scalar() const { return kind == Kind::plain || kind == Kind::quoted; }
    // The entry of a map; null when there is none.
    const Node* find(std::string_view name) const;
};

struct TextBounds {
    std::size_t bytes = 1 << 20;
    std::size_t nodes = 50'000;
    std::size_t depth = 32;
};

struct ParsedText {
    std::vector<Node> documents;
    Faults faults;  // syntax, bounds, keys that occur twice; then `documents` may be incomplete
};

ParsedText parse_yaml(std::string_view text, const std::string& file, const TextBounds& bounds);
// JSON by a faster way when `text` is JSON, which is YAML too; else as YAML.
ParsedText parse_json_or_yaml(
    std::string_view text, const std::string& file, const TextBounds& bounds
);

}  // namespace sluice::config
