#include "gateway/account.hpp"

#include <gtest/gtest.h>

namespace sluice::gateway {
namespace {

limits::Amounts amounts(std::int64_t requests, std::int64_t input, std::int64_t output) {
    return {requests, input, output};
}

// What the store charges in output after a settlement: a refund is cut at what was reserved.
std::int64_t output_charged(const limits::Settlement& end, const Account& account) {
    return account.debited_output() + end.used.output_tokens;
}

TEST(AccountTest, SettlesTheSlotThatWasCharged) {
    const Account account{{7, 9}, amounts(1, 10, 100)};

    const limits::Settlement end = account.settle(amounts(1, 8, 30));

    EXPECT_EQ(end.slot, (limits::Slot{7, 9}));
    EXPECT_EQ(end.reserved, amounts(1, 10, 100));
    EXPECT_EQ(end.used, amounts(1, 8, 30));
}

TEST(AccountTest, DebitsWhatFlowsBeyondTheReservationInSteps) {
    Account account{{1, 1}, amounts(1, 10, 100)};

    EXPECT_EQ(account.debit(100, 50).used, limits::Amounts{});
    EXPECT_EQ(account.debit(149, 50).used, limits::Amounts{});
    EXPECT_EQ(account.debit(150, 50).used, amounts(0, 0, 50));
    EXPECT_EQ(account.debit(190, 50).used, limits::Amounts{});
    EXPECT_EQ(account.debit(230, 50).used, amounts(0, 0, 80));
    EXPECT_EQ(account.debited_output(), 130);
}

TEST(AccountTest, EndsAtWhatWasUsedWhateverWasDebited) {
    struct Row {
        const char* name;
        std::int64_t delivered, used;
    };
    for (const Row& row :
         {Row{"more than debited", 150, 180},
          Row{"as debited", 150, 150},
          Row{"less, within the reservation", 150, 90}}) {
        Account account{{1, 1}, amounts(1, 10, 100)};
        (void)account.debit(row.delivered, 1);

        EXPECT_EQ(output_charged(account.settle(amounts(1, 10, row.used)), account), row.used)
            << row.name;
    }
}

TEST(AccountTest, DoesNotGiveBackWhatWasDebitedForDelivery) {
    Account account{{1, 1}, amounts(1, 10, 100)};
    (void)account.debit(300, 1);

    EXPECT_EQ(output_charged(account.settle(amounts(1, 10, 5)), account), 200);
}

}  // namespace
}  // namespace sluice::gateway
