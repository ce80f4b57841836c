#pragma once

#include "openai/json.hpp"

#include <simdjson.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

// What the sources of this room share of simdjson. Not for other rooms.
namespace sluice::openai {

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::element_type;
using simdjson::dom::object;

struct JsonReader::Impl {
    simdjson::dom::parser parser;
    element root;
    std::string patched;  // the document in a form that simdjson takes; empty when it did at once

    // Makes `json` the document. Nothing, or what is wrong with it.
    std::optional<std::string> read(std::string_view json);
};

// The member that counts: the last of this name.
inline std::optional<element> find_last(object members, std::string_view name) {
    std::optional<element> found;
    for (const auto [key, value] : members) {
        if (key == name) found = value;
    }
    return found;
}

inline std::optional<object> as_object(element value) {
    object result;
    if (value.get(result) != simdjson::SUCCESS) return std::nullopt;
    return result;
}

inline std::optional<array> as_array(element value) {
    array result;
    if (value.get(result) != simdjson::SUCCESS) return std::nullopt;
    return result;
}

inline std::optional<std::string_view> as_text(element value) {
    std::string_view result;
    if (value.get(result) != simdjson::SUCCESS) return std::nullopt;
    return result;
}

inline std::optional<object> find_object(object members, std::string_view name) {
    const std::optional<element> value = find_last(members, name);
    return value ? as_object(*value) : std::nullopt;
}

inline std::optional<array> find_array(object members, std::string_view name) {
    const std::optional<element> value = find_last(members, name);
    return value ? as_array(*value) : std::nullopt;
}

// Empty when there is none or it is no string.
inline std::string_view find_text(object members, std::string_view name) {
    const std::optional<element> value = find_last(members, name);
    return value ? as_text(*value).value_or(std::string_view{}) : std::string_view{};
}

}  // namespace sluice::openai
