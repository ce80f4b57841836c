#include "gateway/subject_book.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace sluice::gateway {
namespace {

TEST(SubjectBookTest, GivesTheSameCountersForTheSameName) {
    SubjectBook book;

    EXPECT_EQ(&book.of("a/b"), &book.of("a/b"));
    EXPECT_NE(&book.of("a/b"), &book.of("a/c"));
}

TEST(SubjectBookTest, CountsTheRestTogetherBeyondItsCap) {
    SubjectBook book{2};
    SubjectStats& first = book.of("a/1");
    (void)book.of("a/2");

    EXPECT_EQ(&book.of("a/3"), &book.other());
    EXPECT_EQ(&book.of("a/4"), &book.other());
    EXPECT_EQ(&book.of("a/1"), &first);

    std::vector<std::string> names;
    book.each([&](const std::string& name, const SubjectStats&) { names.push_back(name); });
    EXPECT_EQ(names, (std::vector<std::string>{"a/1", "a/2", "other"}));
}

}  // namespace
}  // namespace sluice::gateway
