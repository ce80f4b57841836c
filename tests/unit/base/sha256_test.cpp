#include "base/sha256.hpp"

#include <gtest/gtest.h>

namespace sluice {
namespace {

constexpr std::string_view kOfAbc =
    "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

TEST(DigestTest, IsSha256InLowerCaseHex) {
    EXPECT_EQ(Digest::of("abc").text(), kOfAbc);
}

TEST(DigestTest, ParsesItsOwnTextAndNothingElse) {
    EXPECT_EQ(Digest::parse(kOfAbc), Digest::of("abc"));

    EXPECT_FALSE(Digest::parse(""));
    EXPECT_FALSE(Digest::parse(kOfAbc.substr(7)));
    EXPECT_FALSE(Digest::parse(kOfAbc.substr(0, 70)));
    EXPECT_FALSE(Digest::parse(std::string{kOfAbc} + "0"));
    std::string upper{kOfAbc};
    upper[7] = 'B';
    EXPECT_FALSE(Digest::parse(upper));
}

}  // namespace
}  // namespace sluice
