#include "bin/arguments.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

namespace sluice::bin {
namespace {

using testing::HasSubstr;
using testing::Not;

const std::vector<Command> kCommands{
    {"check", "checks", "Usage: sluice check FILE\n", check},
    {"hash-key", "hashes", "Usage: sluice hash-key\n", hash_key},
    {"version", "tells", "Usage: sluice version\n", version},
};

struct Ran {
    int status = 0;
    std::string out;
    std::string err;
};

Ran run(const std::vector<std::string>& arguments, const std::string& input = "") {
    std::istringstream in{input};
    std::ostringstream out;
    std::ostringstream err;
    Ran ran;
    ran.status = dispatch(kCommands, arguments, {in, out, err});
    ran.out = out.str();
    ran.err = err.str();
    return ran;
}

TEST(CommandsTest, WithoutArgumentsItTellsHowToGoOn) {
    const Ran ran = run({});
    EXPECT_EQ(ran.status, 2);
    EXPECT_EQ(ran.out, "");
    EXPECT_THAT(ran.err, HasSubstr("  hash-key    hashes\n"));
}

TEST(CommandsTest, HelpIsNoError) {
    for (const auto& arguments :
         std::vector<std::vector<std::string>>{{"help"}, {"-h"}, {"--help"}}) {
        const Ran ran = run(arguments);
        EXPECT_EQ(ran.status, 0);
        EXPECT_THAT(ran.out, HasSubstr("Usage: sluice COMMAND"));
    }
    for (const auto& arguments : std::vector<std::vector<std::string>>{
             {"help", "check"}, {"check", "--help"}, {"check", "x", "-h"}}) {
        const Ran ran = run(arguments);
        EXPECT_EQ(ran.status, 0);
        EXPECT_EQ(ran.out, "Usage: sluice check FILE\n");
    }
}

TEST(CommandsTest, AMistypedCommandIsNamed) {
    const Ran ran = run({"chek"});
    EXPECT_EQ(ran.status, 2);
    EXPECT_THAT(ran.err, HasSubstr("no command \"chek\", did you mean \"check\"?"));
    EXPECT_EQ(run({"help", "chek"}).status, 2);
}

TEST(CommandsTest, TellsItsVersion) {
    EXPECT_THAT(run({"version"}).out, testing::MatchesRegex("sluice [0-9]+\\.[0-9]+\\.[0-9]+\n"));
    EXPECT_EQ(run({"--version"}).out, run({"version"}).out);
    EXPECT_EQ(run({"version", "x"}).status, 2);
}

// printf %s key | sha256sum
constexpr const char* kDigest =
    "sha256:2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683\n";

TEST(HashKeyTest, TheLineEndIsNotPartOfTheKey) {
    for (const char* input : {"key", "key\n", "key\r\n"}) {
        const Ran ran = run({"hash-key"}, input);
        EXPECT_EQ(ran.status, 0);
        EXPECT_EQ(ran.out, kDigest);
        EXPECT_EQ(run({"hash-key", "-"}, input).out, kDigest);
    }
}

TEST(HashKeyTest, RefusesWhatIsNoKey) {
    for (const std::string& input :
         {std::string{},
          std::string{"\n"},
          std::string{"a b"},
          std::string{"a\n\n"},
          std::string(9'000, 'x')}) {
        const Ran ran = run({"hash-key"}, input);
        EXPECT_EQ(ran.status, 2);
        EXPECT_EQ(ran.out, "");
        EXPECT_THAT(ran.err, HasSubstr("sluice hash-key: "));
    }
}

TEST(HashKeyTest, TakesNoKeyFromTheCommandLineAndDoesNotRepeatIt) {
    const Ran ran = run({"hash-key", "sk-secret"});
    EXPECT_EQ(ran.status, 2);
    EXPECT_THAT(ran.err, Not(HasSubstr("secret")));
}

TEST(CheckCommandTest, EndsWithTwoAndTheFaultsOrWithOk) {
    const Ran good = run({"check", "tests/data/config/full.yaml"});
    EXPECT_EQ(good.status, 0);
    EXPECT_EQ(good.out, "ok: 1 gateway configuration\n");
    EXPECT_EQ(good.err, "");

    const Ran bad = run({"check", "tests/data/config/full.yaml", "/nowhere.yaml"});
    EXPECT_EQ(bad.status, 2);
    EXPECT_EQ(bad.out, "");
    EXPECT_EQ(bad.err, "/nowhere.yaml:1: cannot be read: No such file or directory\n");

    EXPECT_EQ(run({"check"}).status, 2);
    EXPECT_EQ(run({"check", "--all"}).status, 2);
}

}  // namespace
}  // namespace sluice::bin
