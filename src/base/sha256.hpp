#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace sluice {

// SHA-256 of an API key. Keys are told apart by their digest everywhere; the key itself is kept
// nowhere. Text form: "sha256:" and 64 lower-case hex digits.
class Digest {
 public:
    Digest() = default;
    explicit Digest(const std::array<std::uint8_t, 32>& bytes) : bytes_{bytes} {}

    static Digest of(std::string_view bytes);
    // Empty when `text` has not exactly the text form.
    static std::optional<Digest> parse(std::string_view text);

    std::string text() const;
    const std::array<std::uint8_t, 32>& bytes() const { return bytes_; }

    friend auto operator<=>(const Digest&, const Digest&) = default;

 private:
    std::array<std::uint8_t, 32> bytes_{};
};

}  // namespace sluice

template <>
struct std::hash<sluice::Digest> {
    std::size_t operator()(const sluice::Digest& digest) const noexcept {
        std::size_t head{};  // already uniform
        std::memcpy(&head, digest.bytes().data(), sizeof head);
        return head;
    }
};
