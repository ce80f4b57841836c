#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

// Reading JSON that somebody else wrote: what is absent or of another type is simply not there.
namespace sluice::kube {

using Json = nlohmann::json;

// Null when `text` is no JSON.
inline std::optional<Json> parse_json(std::string_view text) {
    Json value = Json::parse(text, nullptr, false);
    if (value.is_discarded()) return std::nullopt;
    return value;
}

// The value at the end of this path of members; null when there is none.
inline const Json* find(const Json& object, std::initializer_list<const char*> path) {
    const Json* here = &object;
    for (const char* name : path) {
        if (!here->is_object()) return nullptr;
        const auto member = here->find(name);
        if (member == here->end()) return nullptr;
        here = &*member;
    }
    return here;
}

inline std::string text_at(const Json& object, std::initializer_list<const char*> path) {
    const Json* value = find(object, path);
    return value != nullptr && value->is_string() ? value->get<std::string>() : std::string{};
}

inline std::optional<std::int64_t> integer_at(
    const Json& object, std::initializer_list<const char*> path
) {
    const Json* value = find(object, path);
    if (value == nullptr || !value->is_number_integer()) return std::nullopt;
    if (value->is_number_unsigned() && value->get<std::uint64_t>() > INT64_MAX) return std::nullopt;
    return value->get<std::int64_t>();
}

inline bool is_true_at(const Json& object, std::initializer_list<const char*> path) {
    const Json* value = find(object, path);
    return value != nullptr && value->is_boolean() && value->get<bool>();
}

// The text of `value`; bytes that are no UTF-8 are replaced, so it never throws.
inline std::string to_text(const Json& value) {
    return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace sluice::kube
