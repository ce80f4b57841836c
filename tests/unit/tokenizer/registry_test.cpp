#include "tokenizer/registry.hpp"

#include <gtest/gtest.h>

#include <string>

namespace sluice::tokenizer {
namespace {

TEST(RegistryTest, ReadsEveryChoiceAndNoOtherWord) {
    for (const char* text : {"auto", "cl100k_base", "o200k_base", "estimate"}) {
        const std::optional<Choice> choice = parse_choice(text);
        ASSERT_TRUE(choice) << text;
        EXPECT_EQ(to_text(*choice), text);
    }
    for (const char* text : {"", "Auto", "gpt-4", "o200k"})
        EXPECT_FALSE(parse_choice(text)) << text;
}

TEST(RegistryTest, HasATokenizerForEveryModelUnderEveryChoice) {
    using enum Choice;
    for (const Choice choice : {automatic, cl100k_base, o200k_base, estimate}) {
        const Registry registry{choice};
        for (const char* model : {"gpt-4", "gpt-4o-mini", "meta/llama", ""}) {
            EXPECT_GT(registry.for_model(model).count("hello world"), 0U) << model;
        }
    }
}

TEST(RegistryTest, CountsOlderAndNewerModelsByTheirOwnVocabulary) {
    const Registry registry{Choice::automatic};
    const std::string text =
        "\xE5\x9F\x8E\xE5\xB8\x82\xE7\x9A\x84\xE6\xB8\x85\xE6\x99\xA8\xE6\x80\xBB\xE6\x98\xAF";
    const std::uint64_t older = registry.for_model("gpt-4-turbo").count(text);
    const std::uint64_t newer = registry.for_model("gpt-4o").count(text);
    EXPECT_GT(older, newer);
    for (const char* model :
         {"gpt-4", "gpt-3.5-turbo", "gpt-35-turbo", "text-embedding-3-small", "ft:gpt-4:acme"}) {
        EXPECT_EQ(registry.for_model(model).count(text), older) << model;
    }
    for (const char* model :
         {"gpt-4.1", "gpt-4.5-preview", "o3", "gpt-5-mini", "ft:gpt-4o:acme", "qwen"}) {
        EXPECT_EQ(registry.for_model(model).count(text), newer) << model;
    }
}

}  // namespace
}  // namespace sluice::tokenizer
