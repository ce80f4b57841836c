#include "telemetry/metrics.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

namespace sluice::telemetry {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(MetricsTest, ShowsWhatACounterHoldsWhenItIsAsked) {
    Metrics metrics;
    Counter counter;
    metrics.add("sluice_requests_total", "Requests.", {{"outcome", "ok"}}, counter);
    counter.add(3);
    EXPECT_EQ(
        metrics.render(),
        "# HELP sluice_requests_total Requests.\n"
        "# TYPE sluice_requests_total counter\n"
        "sluice_requests_total{outcome=\"ok\"} 3\n"
    );
    counter.add();
    EXPECT_THAT(metrics.render(), HasSubstr("sluice_requests_total{outcome=\"ok\"} 4\n"));
}

TEST(MetricsTest, AddsUpWhatEachWorkerCounts) {
    Metrics metrics;
    Counter counters[2];
    Gauge gauges[2];
    for (int i = 0; i < 2; ++i) {
        metrics.add("sluice_a_total", "A.", {}, counters[i]);
        metrics.add("sluice_b", "B.", {}, gauges[i]);
        counters[i].add(5);
        gauges[i].set(i == 0 ? -2 : 7);
    }
    const std::string text = metrics.render();
    EXPECT_THAT(text, HasSubstr("sluice_a_total 10\n"));
    EXPECT_THAT(text, HasSubstr("sluice_b 5\n"));
}

TEST(MetricsTest, CountersStayExactWhenTheyAreLarge) {
    Metrics metrics;
    Counter counter;
    metrics.add("sluice_a_total", "A.", {}, counter);
    counter.add(9'007'199'254'740'991);
    EXPECT_THAT(metrics.render(), HasSubstr("sluice_a_total 9007199254740991\n"));
}

TEST(MetricsTest, HistogramsAreCumulativeAndAddedUp) {
    Metrics metrics;
    Histogram one;
    Histogram two;
    metrics.add("sluice_wait_seconds", "Waits.", {{"x", "y"}}, one);
    metrics.add("sluice_wait_seconds", "Waits.", {{"x", "y"}}, two);
    one.observe(microseconds{10});
    one.observe(microseconds{20});
    two.observe(seconds{100});
    const std::string text = metrics.render();
    EXPECT_THAT(text, HasSubstr("sluice_wait_seconds_count{x=\"y\"} 3\n"));
    EXPECT_THAT(text, HasSubstr("sluice_wait_seconds_sum{x=\"y\"} 100.00003"));
    EXPECT_THAT(text, HasSubstr("le=\"1.6e-05\"} 1\n"));
    EXPECT_THAT(text, HasSubstr("le=\"3.2e-05\"} 2\n"));
    EXPECT_THAT(text, HasSubstr("le=\"+Inf\"} 3\n"));
    EXPECT_EQ(text.find("+Inf"), text.rfind("+Inf"));
}

TEST(MetricsTest, EscapesLabelValues) {
    Metrics metrics;
    metrics.add("sluice_a", "A.", Kind::gauge, {{"model", "a\"b\\c\nd"}}, [] { return 0.5; });
    EXPECT_THAT(metrics.render(), HasSubstr("sluice_a{model=\"a\\\"b\\\\c\\nd\"} 0.5\n"));
}

TEST(MetricsTest, AFamilyBeyondItsSizeSharesOneSeries) {
    Metrics metrics;
    std::vector<std::string> subjects{"a", "b", "c", "d"};
    metrics.add_family("sluice_tokens_total", "T.", Kind::counter, 2, [&](Series& series) {
        for (const std::string& subject : subjects) {
            series.add({{"subject", subject}, {"direction", "input"}}, 10);
            series.add({{"subject", subject}, {"direction", "output"}}, 1);
        }
    });
    std::string text = metrics.render();
    EXPECT_THAT(text, HasSubstr("{subject=\"a\",direction=\"input\"} 10\n"));
    EXPECT_THAT(text, HasSubstr("{subject=\"b\",direction=\"output\"} 1\n"));
    EXPECT_THAT(text, HasSubstr("{subject=\"other\",direction=\"input\"} 20\n"));
    EXPECT_THAT(text, HasSubstr("{subject=\"other\",direction=\"output\"} 2\n"));
    EXPECT_THAT(text, Not(HasSubstr("\"c\"")));
}

// A counter that moved between its own series and "other" would look as if it were set back.
TEST(MetricsTest, WhoeverHasASeriesKeepsIt) {
    Metrics metrics;
    std::vector<std::string> subjects{"m", "n"};
    metrics.add_family("sluice_x_total", "X.", Kind::counter, 2, [&](Series& series) {
        for (const std::string& subject : subjects) series.add({{"subject", subject}}, 1);
    });
    metrics.render();
    subjects = {"a", "m", "n"};  // one that sorts before comes later
    std::string text = metrics.render();
    EXPECT_THAT(text, HasSubstr("subject=\"m\""));
    EXPECT_THAT(text, HasSubstr("subject=\"n\""));
    EXPECT_THAT(text, Not(HasSubstr("subject=\"a\"")));

    subjects = {"a", "n"};  // "m" is gone: its place is free the time after
    metrics.render();
    EXPECT_THAT(metrics.render(), HasSubstr("subject=\"a\""));
}

TEST(MetricsTest, AFoldedGaugeCanBeTheLeast) {
    Metrics metrics;
    metrics.add_family(
        "sluice_headroom",
        "H.",
        Kind::gauge,
        1,
        [](Series& series) {
            series.add({{"subject", "a"}}, 5);
            series.add({{"subject", "b"}}, 3);
            series.add({{"subject", "c"}}, 2);
        },
        Fold::least
    );
    EXPECT_THAT(metrics.render(), HasSubstr("{subject=\"other\"} 2\n"));
}

TEST(MetricsTest, AnEmptyFamilyIsNotShown) {
    Metrics metrics;
    metrics.add_family("sluice_x", "X.", Kind::gauge, 1, [](Series&) {});
    EXPECT_EQ(metrics.render(), "");
}

TEST(MetricsTest, TellsOfTheProcess) {
    Metrics metrics;
    add_process_metrics(metrics, "1.2.3");
    const std::string text = metrics.render();
    EXPECT_THAT(text, HasSubstr("sluice_build_info{version=\"1.2.3\"} 1\n"));
    for (const char* name :
         {"process_start_time_seconds ",
          "process_cpu_seconds_total ",
          "process_resident_memory_bytes ",
          "process_open_fds "}) {
        EXPECT_THAT(text, HasSubstr(name));
        EXPECT_THAT(text, Not(HasSubstr("\n" + std::string{name} + "0\n")));
    }
}

TEST(MetricsTest, MayBeRenderedWhileOthersCount) {
    Metrics metrics;
    Counter counter;
    metrics.add("sluice_a_total", "A.", {}, counter);
    std::thread worker{[&] {
        for (int i = 0; i < 10'000; ++i) counter.add();
    }};
    for (int i = 0; i < 20; ++i) EXPECT_THAT(metrics.render(), HasSubstr("sluice_a_total "));
    worker.join();
    EXPECT_THAT(metrics.render(), HasSubstr("sluice_a_total 10000\n"));
}

}  // namespace
}  // namespace sluice::telemetry
