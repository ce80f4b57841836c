#include "tests/contract/store_contract.hpp"

#include "tests/contract/stores/oracle.hpp"

#include <algorithm>
#include <random>
#include <sstream>

namespace sluice::testing {
namespace {

using limits::Amounts;
using limits::Decision;
using limits::Dimension;
using limits::Limits;
using limits::Settlement;
using limits::Usage;

const WallTime kStart{std::chrono::milliseconds{1'800'000'000'000}};

WallTime at(milliseconds offset) {
    return kStart + offset;
}

std::string to_text(const Amounts& a) {
    std::ostringstream out;
    out << a.requests << '/' << a.input_tokens << '/' << a.output_tokens;
    return out.str();
}

std::string to_text(const Usage& usage) {
    std::ostringstream out;
    out << "used " << to_text(usage.used) << " empty in";
    for (const milliseconds wait : usage.empty_in) out << ' ' << wait.count();
    return out.str();
}

std::string to_text(const Decision& d) {
    std::ostringstream out;
    if (d.is_admitted) {
        out << "admitted at " << d.slot.label_ms;
    } else {
        out << "denied by " << limits::to_text(d.denied_by) << " for " << d.retry_after.count()
            << (d.fits_never ? " never" : "");
    }
    out << ", " << to_text(d.usage);
    return out.str();
}

bool is_same(const Usage& a, const Usage& b) {
    return a.used == b.used && a.empty_in == b.empty_in;
}

bool is_same(const Decision& a, const Decision& b) {
    if (a.is_admitted != b.is_admitted || !is_same(a.usage, b.usage)) return false;
    if (a.is_admitted) return a.slot.label_ms == b.slot.label_ms;
    return a.denied_by == b.denied_by && a.retry_after == b.retry_after &&
           a.fits_never == b.fits_never;
}

using Found = std::optional<std::string>;

// ---- Against the oracle -----------------------------------------------------------------------

struct Mix {
    const char* name;
    milliseconds window;
    Limits limits;
    std::int64_t most_tokens;  // of one request
    microseconds mean_step;    // between two steps
    int per_mille_of_long_gaps;
    int per_mille_of_clock_faults;
};

const Mix kMixes[] = {
    {"all three limits", milliseconds{1000}, {40, 9000, 9000}, 1000, microseconds{12'000}, 5, 0},
    {"requests only", milliseconds{1000}, {25, {}, {}}, 1000, microseconds{15'000}, 5, 0},
    {"input only", milliseconds{1000}, {{}, 8000, {}}, 900, microseconds{15'000}, 5, 0},
    {"output only", milliseconds{1000}, {{}, {}, 8000}, 900, microseconds{15'000}, 5, 0},
    {"no limit at all", milliseconds{1000}, {{}, {}, {}}, 900, microseconds{5'000}, 5, 0},
    {"nothing allowed", milliseconds{1000}, {0, 5000, 5000}, 900, microseconds{15'000}, 5, 0},
    {"no output allowed", milliseconds{1000}, {50, 5000, 0}, 300, microseconds{15'000}, 5, 0},
    {"a clock that jumps", milliseconds{1000}, {40, 9000, 9000}, 1000, microseconds{12'000}, 5, 20},
    {"many slots", milliseconds{3000}, {{}, 400'000, 400'000}, 900, microseconds{1'500}, 1, 0},
    {"a long window with coarse slots",
     milliseconds{180'001},
     {40, 9000, 9000},
     1000,
     microseconds{2'000'000},
     5,
     5},
};

// One random walk of contender and oracle side by side.
class Walk {
 public:
    Walk(Contender& contender, const Mix& mix, unsigned seed)
        : contender_{contender}, mix_{mix}, oracle_{mix.window}, random_{seed} {
        contender_.set_time(now_);
        oracle_.set_time(now_);
    }

    Found run(int steps) {
        for (int step = 0; step < steps; ++step) {
            move_time();
            Found found = step_once();
            if (!found && step % 8 == 0) found = audit();
            if (found) {
                return std::string{mix_.name} + ", step " + std::to_string(step) + ": " + *found;
            }
        }
        return std::nullopt;
    }

 private:
    std::int64_t upto(std::int64_t most) {
        return std::uniform_int_distribution<std::int64_t>{0, most}(random_);
    }
    bool chance(int per_mille) { return upto(999) < per_mille; }

    void move_time() {
        if (chance(300)) return;  // several in the same instant
        std::int64_t step = upto(2 * mix_.mean_step.count());
        if (chance(mix_.per_mille_of_long_gaps)) step = upto(3 * 1000 * mix_.window.count());
        if (chance(mix_.per_mille_of_clock_faults)) {
            // A store need not remember when it last only looked; a charge it has to.
            (void)oracle_.acquire({}, {});
            (void)contender_.acquire({}, {});
            step = upto(4 * 1000 * mix_.window.count()) - 2 * 1000 * mix_.window.count();
        }
        if (chance(500)) step -= step % 1000;
        now_ += microseconds{step};
        contender_.set_time(now_);
        oracle_.set_time(now_);
    }

    Found step_once() {
        if (chance(450)) return settle();
        if (chance(50)) return peek();
        std::vector<Settlement> along;
        while (chance(200) && !open_.empty()) along.push_back(some_settlement());
        const Amounts amounts = some_amounts();
        for (const Settlement& settlement : along) oracle_.settle(settlement);
        const Decision expected = oracle_.acquire(mix_.limits, amounts);
        const Decision got = contender_.settle_and_acquire(along, mix_.limits, amounts);
        if (!is_same(expected, got)) {
            return "asked " + to_text(amounts) + ": " + to_text(got) + "; the oracle says " +
                   to_text(expected);
        }
        if (got.is_admitted) {
            open_.push_back(Settlement{got.slot, amounts, {}});
            if (open_.size() > 300) open_.erase(open_.begin());
        }
        return std::nullopt;
    }

    Found settle() {
        if (open_.empty()) return std::nullopt;
        const Settlement settlement = some_settlement();
        contender_.settle(settlement);
        oracle_.settle(settlement);
        return peek();
    }

    Found peek() {
        const Usage expected = oracle_.usage();
        const Usage got = contender_.peek();
        if (is_same(expected, got)) return std::nullopt;
        return "peeked " + to_text(got) + "; the oracle says " + to_text(expected);
    }

    Found audit() {
        const Amounts used = contender_.peek().used;
        (void)oracle_.usage();  // whoever looks moves time
        const std::optional<Amounts> log = contender_.audit();
        if (!log || *log == used) return std::nullopt;
        return "the log holds " + to_text(*log) + ", the totals say " + to_text(used);
    }

    Amounts some_amounts() {
        Amounts amounts{1, upto(mix_.most_tokens), upto(mix_.most_tokens)};
        if (chance(100)) amounts.output_tokens = 0;
        if (chance(50)) amounts.requests = upto(3);
        if (chance(10)) amounts = Amounts{};
        if (chance(5)) amounts.input_tokens = 50 * mix_.most_tokens;
        return amounts;
    }

    // Less, more or the same as reserved; sometimes for a slot long gone, or a second time; now and
    // then a debit without reservation.
    Settlement some_settlement() {
        if (chance(100)) return Settlement{{}, {}, {0, 0, upto(mix_.most_tokens)}};
        const auto index =
            static_cast<std::size_t>(upto(static_cast<std::int64_t>(open_.size()) - 1));
        Settlement settlement = open_[index];
        if (!chance(30)) open_.erase(open_.begin() + static_cast<std::ptrdiff_t>(index));
        settlement.used = settlement.reserved;
        settlement.used.input_tokens = upto(2 * settlement.reserved.input_tokens);
        settlement.used.output_tokens = upto(settlement.reserved.output_tokens);
        if (chance(100)) settlement.used = Amounts{};
        return settlement;
    }

    Contender& contender_;
    const Mix& mix_;
    Oracle oracle_;
    std::mt19937 random_;
    WallTime now_ = kStart;
    std::vector<Settlement> open_;
};

Found same_as_oracle(const Contenders& contenders, double effort) {
    for (const Mix& mix : kMixes) {
        const auto contender = contenders(mix.window);
        Walk walk{*contender, mix, 7};
        const bool is_long = mix.mean_step < milliseconds{2};
        if (Found found = walk.run(static_cast<int>((is_long ? 6000 : 2500) * effort)))
            return found;
    }
    return std::nullopt;
}

// ---- Sweeps over what was admitted ------------------------------------------------------------

struct Admitted {
    WallTime when;
    std::int64_t amount;
};

// The most that was admitted in (t - window, t], over every t.
std::int64_t most_in_any_window(const std::vector<Admitted>& log, milliseconds window) {
    std::int64_t most = 0;
    std::int64_t sum = 0;
    std::size_t first = 0;
    for (const Admitted& entry : log) {
        sum += entry.amount;
        while (log[first].when <= entry.when - window) sum -= log[first++].amount;
        most = std::max(most, sum);
    }
    return most;
}

constexpr milliseconds kWindow{1000};
constexpr std::int64_t kLimit = 100;

// Bursts just before and after the edges of minutes, then pressure from all sides.
std::vector<Admitted> press(Contender& contender, std::int64_t amount, int windows) {
    const Limits limits{{}, kLimit, {}};
    std::vector<Admitted> log;
    std::mt19937 random{11};
    const auto ask = [&](WallTime now, int times) {
        contender.set_time(now);
        for (int i = 0; i < times; ++i) {
            if (contender.acquire(limits, {1, amount, 0}).is_admitted) log.push_back({now, amount});
        }
    };
    ask(at(milliseconds{0}), 1);  // a window that begins at the first request begins here
    for (int w = 1; w <= 6; ++w) {
        ask(at(kWindow * w - milliseconds{1}), static_cast<int>(2 * kLimit / amount));
        ask(at(kWindow * w), static_cast<int>(2 * kLimit / amount));
    }
    WallTime now = at(kWindow * 8);
    while (now < at(kWindow * (8 + windows))) {
        ask(now, 1);
        now += microseconds{std::uniform_int_distribution<int>{0, 10'000}(random)*amount};
    }
    return log;
}

Found never_over(const Contenders& contenders, double effort) {
    for (const std::int64_t amount : {1, 7}) {
        const auto contender = contenders(kWindow);
        const auto log = press(*contender, amount, static_cast<int>(10 * effort) + 2);
        const std::int64_t most = most_in_any_window(log, kWindow);
        if (most > kLimit) {
            return std::to_string(most) + " of " + std::to_string(kLimit) + " in one window";
        }
    }
    return std::nullopt;
}

Found never_strangled(const Contenders& contenders, double) {
    const auto contender = contenders(kWindow);
    const Limits limits{{}, kLimit, {}};
    std::int64_t admitted = 0;
    constexpr int kWindows = 10;
    for (milliseconds offset{0}; offset < kWindow * kWindows; offset += milliseconds{2}) {
        contender->set_time(at(offset));
        if (contender->acquire(limits, {1, 1, 0}).is_admitted) ++admitted;
    }
    if (admitted * 100 >= kLimit * kWindows * 99) return std::nullopt;
    return std::to_string(admitted) + " of " + std::to_string(kLimit * kWindows);
}

// ---- Waiting, bursts, denials -----------------------------------------------------------------

Found honest_wait(const Contenders& contenders, double effort) {
    std::mt19937 random{3};
    const auto upto = [&random](std::int64_t most) {
        return std::uniform_int_distribution<std::int64_t>{0, most}(random);
    };
    for (int round = 0; round < static_cast<int>(30 * effort) + 1; ++round) {
        const auto contender = contenders(kWindow);
        const Limits limits{20, 500, 500};
        WallTime now = kStart;
        contender->set_time(now);
        for (int i = 0; i < 40; ++i) {
            now += milliseconds{upto(20)};
            contender->set_time(now);
            (void)contender->acquire(limits, {1, upto(60), upto(60)});
        }
        const Amounts amounts{1, 100 + upto(400), 100 + upto(400)};
        const Decision denied = contender->acquire(limits, amounts);
        if (denied.is_admitted || denied.fits_never) continue;
        contender->set_time(now + denied.retry_after - milliseconds{1});
        if (contender->acquire(limits, amounts).is_admitted) return "admitted a millisecond early";
        contender->set_time(now + denied.retry_after);
        const Decision then = contender->acquire(limits, amounts);
        if (!then.is_admitted) return "still denied then: " + to_text(then);
    }
    return std::nullopt;
}

Found at_once(const Contenders& contenders, double) {
    const auto contender = contenders(kWindow);
    contender->set_time(kStart);
    const auto decisions = contender->acquire_at_once(60, {30, {}, {}}, {1, 10, 10});
    const auto admitted = std::ranges::count_if(decisions, &Decision::is_admitted);
    if (admitted == 30) return std::nullopt;
    return std::to_string(admitted) + " of 60 admitted at a limit of 30";
}

Found all_or_none(const Contenders& contenders, double) {
    const auto contender = contenders(kWindow);
    contender->set_time(kStart);
    const Limits limits{10, 100, 100};
    (void)contender->acquire(limits, {1, 60, 10});
    const Amounts before = contender->peek().used;
    for (const Amounts& amounts : {Amounts{1, 60, 10}, {10, 1, 1}, {1, 1, 95}, {1, 101, 1}}) {
        if (contender->acquire(limits, amounts).is_admitted) return "admitted " + to_text(amounts);
    }
    const Amounts after = contender->peek().used;
    if (after == before) return std::nullopt;
    return to_text(before) + " became " + to_text(after);
}

}  // namespace

Faults find_faults(const Contenders& contenders, double effort) {
    using Check = Found (*)(const Contenders&, double);
    const std::pair<const char*, Check> checks[] = {
        {kSameAsOracle, same_as_oracle},
        {kNeverOver, never_over},
        {kNeverStrangled, never_strangled},
        {kHonestWait, honest_wait},
        {kAtOnce, at_once},
        {kAllOrNone, all_or_none},
    };
    Faults faults;
    for (const auto& [rule, check] : checks) {
        if (Found found = check(contenders, effort)) faults.push_back({rule, *found});
    }
    return faults;
}

bool has(const Faults& faults, std::string_view rule) {
    return std::ranges::any_of(faults, [rule](const Fault& fault) { return fault.rule == rule; });
}

}  // namespace sluice::testing
