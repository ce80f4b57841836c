#include "base/sha256.hpp"

#include <openssl/sha.h>

namespace sluice {
namespace {

constexpr std::string_view kPrefix = "sha256:";

int hex_value(char digit) {
    if (digit >= '0' && digit <= '9') return digit - '0';
    if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
    return -1;
}

}  // namespace

Digest Digest::of(std::string_view bytes) {
    Digest digest;
    SHA256(
        reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest.bytes_.data()
    );
    return digest;
}

std::optional<Digest> Digest::parse(std::string_view text) {
    if (text.size() != kPrefix.size() + 64 || !text.starts_with(kPrefix)) return std::nullopt;
    text.remove_prefix(kPrefix.size());
    Digest digest;
    for (std::size_t i = 0; i < digest.bytes_.size(); ++i) {
        const int high = hex_value(text[2 * i]);
        const int low = hex_value(text[2 * i + 1]);
        if (high < 0 || low < 0) return std::nullopt;
        digest.bytes_[i] = static_cast<std::uint8_t>(high * 16 + low);
    }
    return digest;
}

std::string Digest::text() const {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string text{kPrefix};
    text.reserve(kPrefix.size() + 2 * bytes_.size());
    for (const std::uint8_t byte : bytes_) {
        text.push_back(kDigits[byte >> 4]);
        text.push_back(kDigits[byte & 15]);
    }
    return text;
}

}  // namespace sluice
