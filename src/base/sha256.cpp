#include "base/sha256.hpp"

#include <openssl/evp.h>

#include <cstdlib>
#include <memory>

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
    // OpenSSL looks the algorithm up by name at every one-shot call, at four times the cost of
    // hashing a key: looked up once, with one context a thread.
    static const std::unique_ptr<EVP_MD, decltype(&EVP_MD_free)> sha256{
        EVP_MD_fetch(nullptr, "SHA256", nullptr), &EVP_MD_free};
    thread_local const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context{
        EVP_MD_CTX_new(), &EVP_MD_CTX_free};
    Digest digest;
    const bool is_good = EVP_DigestInit_ex2(context.get(), sha256.get(), nullptr) == 1 &&
                         EVP_DigestUpdate(context.get(), bytes.data(), bytes.size()) == 1 &&
                         EVP_DigestFinal_ex(context.get(), digest.bytes_.data(), nullptr) == 1;
    if (!is_good) std::abort();  // out of memory: no key can be told from another
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
