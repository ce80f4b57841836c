#include "openai/image.hpp"

#include <gtest/gtest.h>

#include <string>

namespace sluice::openai {
namespace {

using namespace std::string_literals;

ImageSize size(std::uint32_t width, std::uint32_t height) {
    ImageSize result;
    result.width = width;
    result.height = height;
    return result;
}

const std::string kPng =
    "\x89PNG\r\n\x1A\n\0\0\0\rIHDR\0\0\x04\0\0\0\x03\0\x08\x06\0\0\0"s;  // 1024 x 768
const std::string kGif = "GIF89a\x40\x01\xF0\0\0\0\0"s;                  // 320 x 240
const std::string kJpeg =
    "\xFF\xD8\xFF\xE0\0\x04JF\xFF\xFF\xC4\0\x03x\xFF\xC2\0\x0B\x08\x02\x58\x03\x20\x03\0\0\0"s;  // 800 x 600
const std::string kWebpX =
    "RIFF\0\0\0\0WEBPVP8X\x0A\0\0\0\0\0\0\0\x7F\x02\0\xDF\x01\0"s;  // 640 x 480
const std::string kWebpLossy =
    "RIFF\0\0\0\0WEBPVP8 \0\0\0\0\0\0\0\x9D\x01\x2A\x80\x02\xE0\x01"s;  // 640 x 480
const std::string kWebpLossless = "RIFF\0\0\0\0WEBPVP8L\0\0\0\0\x2F\x7F\xC2\x77\0\0\0\0\0\0\0"s;

TEST(ImageTest, ReadsItsSizeFromTheHeader) {
    EXPECT_EQ(image_size(kPng), size(1024, 768));
    EXPECT_EQ(image_size(kGif), size(320, 240));
    EXPECT_EQ(image_size(kJpeg), size(800, 600));
    EXPECT_EQ(image_size(kWebpX), size(640, 480));
    EXPECT_EQ(image_size(kWebpLossy), size(640, 480));
    EXPECT_EQ(image_size(kWebpLossless), size(640, 480));
}

TEST(ImageTest, AHeaderCutAnywhereIsUnknownOrReadRight) {
    for (const std::string& file : {kPng, kGif, kJpeg, kWebpX, kWebpLossy, kWebpLossless}) {
        for (std::size_t length = 0; length < file.size(); ++length) {
            const auto found = image_size(std::string_view{file}.substr(0, length));
            if (found) {
                EXPECT_EQ(*found, *image_size(file)) << length;
            }
        }
    }
    EXPECT_FALSE(image_size("\xFF\xD8\xFF\xE0\0\0\0\0\0\0\0\0\0\0"s));
    EXPECT_FALSE(image_size("not a picture at all, only text"));
}

TEST(ImageTest, ReadsDataUrlsAndNoOthers) {
    const char* const png = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAABAAAAAMACAYAAAA=";
    EXPECT_EQ(image_size_of_url(png), size(1024, 768));
    EXPECT_FALSE(image_size_of_url("https://example.com/cat.png"));
    EXPECT_FALSE(image_size_of_url("data:"));
    EXPECT_FALSE(image_size_of_url("data:image/png;base64,"));
    EXPECT_FALSE(image_size_of_url("data:image/png;base64,!!!!"));
}

TEST(ImageTest, CostsWhatOpenAiSays) {
    struct Row {
        const char* name;
        const char* model;
        const char* detail;
        std::optional<ImageSize> size;
        std::uint64_t tokens;
    };
    const Row rows[] = {
        {"1024 square, OpenAI's example", "gpt-4o", "high", size(1024, 1024), 765},
        {"2048 x 4096, OpenAI's example", "gpt-4o", "high", size(2048, 4096), 1105},
        {"small", "gpt-4o", "auto", size(100, 100), 255},
        {"low", "gpt-4o", "low", size(4096, 4096), 85},
        {"unknown", "gpt-4o", "", {}, 765},
        {"other makers", "qwen-vl", "", {}, 765},
        {"gpt-4o-mini", "gpt-4o-mini-2024-07-18", "low", {}, 2833},
        {"patches", "gpt-4.1-mini", "high", size(1024, 1024), 1659},
        {"capped patches", "gpt-4.1-mini", "high", size(4000, 4000), 2489},
        {"one pixel wide", "gpt-4o", "high", size(1, 100000), 765},
    };
    for (const Row& row : rows) {
        EXPECT_EQ(image_tokens(row.model, row.detail, row.size), row.tokens) << row.name;
    }
}

}  // namespace
}  // namespace sluice::openai
