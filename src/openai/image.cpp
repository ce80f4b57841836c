#include "openai/image.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>

namespace sluice::openai {
namespace {

// ---- Headers of image files -------------------------------------------------------------------

std::uint32_t byte_at(std::string_view file, std::size_t at) {
    return at < file.size() ? static_cast<unsigned char>(file[at]) : 0;
}

std::uint32_t big16(std::string_view file, std::size_t at) {
    return byte_at(file, at) << 8 | byte_at(file, at + 1);
}

std::uint32_t big32(std::string_view file, std::size_t at) {
    return big16(file, at) << 16 | big16(file, at + 2);
}

std::uint32_t little16(std::string_view file, std::size_t at) {
    return byte_at(file, at) | byte_at(file, at + 1) << 8;
}

std::uint32_t little24(std::string_view file, std::size_t at) {
    return little16(file, at) | byte_at(file, at + 2) << 16;
}

std::optional<ImageSize> make_size(std::uint32_t width, std::uint32_t height) {
    if (width == 0 || height == 0) return std::nullopt;
    ImageSize size;
    size.width = width;
    size.height = height;
    return size;
}

// The frame header (SOF0 to SOF15 without DHT, JPG and DAC) comes after any number of segments.
std::optional<ImageSize> jpeg_size(std::string_view file) {
    std::size_t at = 2;
    while (at + 9 < file.size()) {
        if (byte_at(file, at) != 0xFF) return std::nullopt;
        const std::uint32_t marker = byte_at(file, at + 1);
        if (marker == 0xFF) {  // padding
            ++at;
            continue;
        }
        const bool is_frame =
            marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
        if (is_frame) return make_size(big16(file, at + 7), big16(file, at + 5));
        const std::uint32_t length = big16(file, at + 2);
        if (length < 2) return std::nullopt;
        at += 2 + length;
    }
    return std::nullopt;
}

std::optional<ImageSize> webp_size(std::string_view file) {
    const std::string_view chunk = file.substr(12, 4);
    if (chunk == "VP8X") return make_size(little24(file, 24) + 1, little24(file, 27) + 1);
    if (chunk == "VP8 ") {
        return make_size(little16(file, 26) & 0x3FFF, little16(file, 28) & 0x3FFF);
    }
    if (chunk == "VP8L") {
        const std::uint32_t bits = little16(file, 21) | little16(file, 23) << 16;
        return make_size((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1);
    }
    return std::nullopt;
}

// ---- Base64 -----------------------------------------------------------------------------------

int base64_value(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == '+' || c == '-') return 62;
    if (c == '/' || c == '_') return 63;
    return -1;
}

std::string base64_decoded(std::string_view text) {
    std::string bytes;
    bytes.reserve(text.size() / 4 * 3 + 3);
    std::uint32_t bits = 0;
    int held = 0;
    for (const char c : text) {
        const int value = base64_value(c);
        if (value < 0) continue;
        bits = (bits << 6 | static_cast<std::uint32_t>(value)) & 0xFFFFFF;
        held += 6;
        if (held < 8) continue;
        held -= 8;
        bytes += static_cast<char>(bits >> held & 0xFF);
    }
    return bytes;
}

// ---- Prices -----------------------------------------------------------------------------------

// What a model asks for an image, by OpenAI's pages. Tiles: `base` and `unit` for each square of
// 512. Patches: squares of 32, at most 1536, times `unit` hundredths.
struct ImagePrice {
    std::string_view model;  // beginning of its name; the first that fits counts
    bool is_by_patches;
    std::uint32_t base;
    std::uint32_t unit;
};

constexpr std::array<ImagePrice, 14> kPrices{{
    {"gpt-4o-mini", false, 2833, 5667},
    {"gpt-4o", false, 85, 170},
    {"gpt-4.1-mini", true, 0, 162},
    {"gpt-4.1-nano", true, 0, 246},
    {"gpt-4.1", false, 85, 170},
    {"gpt-4.5", false, 85, 170},
    {"gpt-5-mini", true, 0, 162},
    {"gpt-5-nano", true, 0, 246},
    {"gpt-5", false, 70, 140},
    {"o4-mini", true, 0, 172},
    {"o1", false, 75, 150},
    {"o3", false, 75, 150},
    {"computer-use", false, 65, 129},
    {"", false, 85, 170},
}};

const ImagePrice& price_of(std::string_view model) {
    return *std::find_if(kPrices.begin(), kPrices.end(), [&](const ImagePrice& price) {
        return model.substr(0, price.model.size()) == price.model;
    });
}

std::uint64_t divided_up(std::uint64_t a, std::uint64_t b) {
    return (a + b - 1) / b;
}

// Fitted into a square of 2048, then so that the shorter side is at most 768.
std::uint64_t tiles_of(ImageSize size) {
    double width = size.width;
    double height = size.height;
    const double fit = std::min(1.0, 2048.0 / std::max(width, height));
    width *= fit;
    height *= fit;
    const double shrink = std::min(1.0, 768.0 / std::min(width, height));
    const auto pixels = [&](double side) {
        return static_cast<std::uint64_t>(side * shrink + 0.5);
    };
    return divided_up(std::max<std::uint64_t>(pixels(width), 1), 512) *
           divided_up(std::max<std::uint64_t>(pixels(height), 1), 512);
}

}  // namespace

std::optional<ImageSize> image_size(std::string_view file) {
    constexpr std::size_t kLeast = 30;  // of the longest fixed header, WebP's
    if (file.size() < 10) return std::nullopt;
    if (file.substr(0, 6) == "GIF87a" || file.substr(0, 6) == "GIF89a") {
        return make_size(little16(file, 6), little16(file, 8));
    }
    if (file.substr(0, 2) == "\xFF\xD8") return jpeg_size(file);
    if (file.size() >= 24 && file.substr(0, 8) == "\x89PNG\r\n\x1A\n") {
        return make_size(big32(file, 16), big32(file, 20));
    }
    if (file.size() >= kLeast && file.substr(0, 4) == "RIFF" && file.substr(8, 4) == "WEBP") {
        return webp_size(file);
    }
    return std::nullopt;
}

std::optional<ImageSize> image_size_of_url(std::string_view url) {
    // Far enough for a JPEG whose picture follows a preview and a colour profile.
    constexpr std::size_t kDecoded = 256 * 1024;
    constexpr std::size_t kFirst = 64;
    if (url.substr(0, 5) != "data:") return std::nullopt;
    const std::size_t comma = url.substr(0, 256).find(',');
    if (comma == std::string_view::npos) return std::nullopt;
    const std::string_view data = url.substr(comma + 1);
    const std::optional<ImageSize> size = image_size(base64_decoded(data.substr(0, kFirst)));
    if (size) return size;
    return image_size(base64_decoded(data.substr(0, kDecoded)));
}

std::uint64_t image_tokens(
    std::string_view model, std::string_view detail, std::optional<ImageSize> size
) {
    constexpr std::uint64_t kMostPatches = 1536;
    const ImagePrice& price = price_of(model);
    if (price.is_by_patches) {
        const std::uint64_t patches =
            size ? divided_up(size->width, 32) * divided_up(size->height, 32) : kMostPatches;
        return divided_up(std::min(patches, kMostPatches) * price.unit, 100);
    }
    if (detail == "low") return price.base;
    const std::uint64_t tiles = size ? tiles_of(*size) : 4;  // 85 + 4 * 170 = 765
    return price.base + price.unit * tiles;
}

}  // namespace sluice::openai
