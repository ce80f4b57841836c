#include "openai/count.hpp"
#include "tokenizer/encoding.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <string>

namespace sluice::openai {
namespace {

// One chat request a line, with a member "tokens" that says what OpenAI counted.
TEST(CountTest, CountsThePublishedChatsAndFunctionsAsOpenAiDid) {
    const char* root = std::getenv("SLUICE_SOURCE_DIR");
    std::ifstream file{
        std::string{root != nullptr ? root : "."} + "/tests/data/tokenizer/chat_requests.jsonl"};
    int cases = 0;
    for (std::string line; std::getline(file, line); ++cases) {
        const std::size_t at = line.rfind("\"tokens\":");
        ASSERT_NE(at, std::string::npos) << line;
        const std::uint64_t expected = std::stoull(line.substr(at + 9));
        JsonReader reader;
        const ParseResult request = parse_request(EndpointKind::chat_completions, line, reader);
        ASSERT_TRUE(request.has_value()) << line;
        EXPECT_EQ(count_input(*request, tokenizer::o200k_base()), expected) << line;
    }
    EXPECT_EQ(cases, 32);
}

TEST(CountTest, CountsToolsLikeFunctions) {
    const std::string function =
        R"({"name":"f","description":"d","parameters":{"type":"object","properties":{"x":{"type":"string"}}}})";
    const auto count = [](const std::string& body) {
        JsonReader reader;
        const ParseResult request = parse_request(EndpointKind::chat_completions, body, reader);
        return request ? count_input(*request, tokenizer::o200k_base()) : 0;
    };
    EXPECT_EQ(
        count(R"({"tools":[{"type":"function","function":)" + function + "}]}"),
        count(R"({"functions":[)" + function + "]}")
    );
}

// Deep schemas are drawn with an indent a level; it must not multiply the size of a request.
TEST(CountTest, BoundsTheIndentOfDeepSchemas) {
    std::string schema = R"({"type":"object","properties":{)";
    for (int i = 0; i < 100; ++i) schema += R"("a":{"type":"object","properties":{)";
    for (int i = 0; i < 5000; ++i) schema += R"("b":{"type":"null"},)";
    schema.back() = '}';
    schema += "}";
    for (int i = 0; i < 100; ++i) schema += "}}";
    const std::string body = R"({"functions":[{"name":"f","parameters":)" + schema + "}]}";
    JsonReader reader;
    const ParseResult request = parse_request(EndpointKind::chat_completions, body, reader);
    ASSERT_TRUE(request.has_value());
    const std::uint64_t tokens = count_input(*request, tokenizer::o200k_base());
    EXPECT_GT(tokens, 5000U);
    EXPECT_LT(tokens, body.size());
}

}  // namespace
}  // namespace sluice::openai
