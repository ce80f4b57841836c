#pragma once

#include "base/time.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

// The words of the domain: a request, an amount, a limit. All amounts stay below 2^53, so that
// Lua's doubles hold them exactly.
namespace sluice::limits {

enum class Dimension : std::uint8_t { requests, input_tokens, output_tokens };
inline constexpr std::size_t kDimensions = 3;
inline constexpr std::array<Dimension, kDimensions> kAllDimensions{
    Dimension::requests, Dimension::input_tokens, Dimension::output_tokens};

// The largest amount or limit there is; what lies above is cut to it.
inline constexpr std::int64_t kMaxAmount = 1'000'000'000'000;

// "requests", "input_tokens", "output_tokens": label values and log fields.
constexpr std::string_view to_text(Dimension dimension) {
    constexpr std::array<std::string_view, kDimensions> kNames{
        "requests", "input_tokens", "output_tokens"};
    return kNames[static_cast<std::size_t>(dimension)];
}

// One number for each dimension.
struct Amounts {
    std::int64_t requests = 0;
    std::int64_t input_tokens = 0;
    std::int64_t output_tokens = 0;

    constexpr std::int64_t& operator[](Dimension d) {
        return d == Dimension::requests       ? requests
               : d == Dimension::input_tokens ? input_tokens
                                              : output_tokens;
    }
    constexpr std::int64_t operator[](Dimension d) const { return const_cast<Amounts&>(*this)[d]; }
    friend bool operator==(const Amounts&, const Amounts&) = default;
};

// What a subject may use within one window. Absent means unlimited, 0 means none.
struct Limits {
    std::optional<std::int64_t> requests;
    std::optional<std::int64_t> input_tokens;
    std::optional<std::int64_t> output_tokens;

    constexpr const std::optional<std::int64_t>& operator[](Dimension d) const {
        return d == Dimension::requests       ? requests
               : d == Dimension::input_tokens ? input_tokens
                                              : output_tokens;
    }
    constexpr std::optional<std::int64_t>& operator[](Dimension d) {
        return const_cast<std::optional<std::int64_t>&>(std::as_const(*this)[d]);
    }
    friend bool operator==(const Limits&, const Limits&) = default;
};

}  // namespace sluice::limits
