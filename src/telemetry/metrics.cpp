#include "telemetry/metrics.hpp"

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <limits>
#include <sstream>

namespace sluice::telemetry {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

struct Buckets {
    std::array<std::uint64_t, Histogram::kBounds + 1> counts{};
    double sum_seconds = 0;
};

// All series of one family at one scrape.
struct Reading {
    std::map<Labels, double> values;
    std::map<Labels, Buckets> buckets;
};

ClientMetric with_labels(const Labels& labels) {
    ClientMetric metric;
    for (const auto& [name, value] : labels) metric.label.push_back({name, value});
    return metric;
}

ClientMetric to_metric(const Labels& labels, double value, MetricType type) {
    ClientMetric metric = with_labels(labels);
    if (type == MetricType::Counter) {
        metric.counter.value = value;
    } else {
        metric.gauge.value = value;
    }
    return metric;
}

ClientMetric to_metric(const Labels& labels, const Buckets& buckets) {
    ClientMetric metric = with_labels(labels);
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i <= Histogram::kBounds; ++i) {
        seen += buckets.counts[i];
        const double bound = i < Histogram::kBounds ? Histogram::upper_bound_seconds(i)
                                                    : std::numeric_limits<double>::infinity();
        metric.histogram.bucket.push_back({seen, bound});
    }
    metric.histogram.sample_count = seen;
    metric.histogram.sample_sum = buckets.sum_seconds;
    return metric;
}

void read_histogram(const Histogram& histogram, Buckets& into) {
    for (std::size_t i = 0; i <= Histogram::kBounds; ++i) into.counts[i] += histogram.count(i);
    into.sum_seconds += histogram.sum_seconds();
}

// Keeps a family that comes and goes within its number of series.
class CappedSeries : public Series {
 public:
    CappedSeries(std::size_t most, Fold fold, std::set<std::string>& own, Reading& reading)
        : most_{most}, fold_{fold}, own_{own}, reading_{reading} {}

    void add(Labels labels, double value) override {
        if (!labels.empty() && !has_own_series(labels.front().second)) {
            labels.front().second = "other";
        }
        const auto [place, is_new] = reading_.values.try_emplace(std::move(labels), value);
        if (is_new) return;
        place->second = fold_ == Fold::sum ? place->second + value : std::min(place->second, value);
    }

    // What was not told this time is gone and leaves its place to others.
    void end() { own_ = std::move(seen_); }

 private:
    bool has_own_series(const std::string& value) {
        if (seen_.contains(value)) return true;
        // Those that had a series keep it: `fresh_` counts only what is new.
        if (!own_.contains(value)) {
            if (own_.size() + fresh_ >= most_) return false;
            ++fresh_;
        }
        seen_.insert(value);
        return true;
    }

    std::size_t most_;
    Fold fold_;
    std::set<std::string>& own_;
    std::set<std::string> seen_;
    std::size_t fresh_ = 0;
    Reading& reading_;
};

// Only asserted.
[[maybe_unused]] bool is_metric_name(std::string_view name) {
    return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    });
}

}  // namespace

struct Metrics::Family {
    std::string help;
    MetricType type = MetricType::Untyped;
    std::vector<std::function<void(Reading&)>> readers;
};

class Metrics::Collector : public prometheus::Collectable {
 public:
    explicit Collector(const Metrics& metrics) : metrics_{metrics} {}

    // Requires: the mutex is held.
    std::vector<MetricFamily> Collect() const override {
        std::vector<MetricFamily> out;
        for (const auto& [name, family] : metrics_.families_) {
            Reading reading;
            for (const auto& read : family->readers) read(reading);
            MetricFamily told{name, family->help, family->type, {}};
            for (const auto& [labels, value] : reading.values) {
                told.metric.push_back(to_metric(labels, value, family->type));
            }
            for (const auto& [labels, buckets] : reading.buckets) {
                told.metric.push_back(to_metric(labels, buckets));
            }
            if (!told.metric.empty()) out.push_back(std::move(told));
        }
        return out;
    }

 private:
    const Metrics& metrics_;
};

Metrics::Metrics() = default;
Metrics::~Metrics() = default;

Metrics::Family& Metrics::family(std::string name, std::string help, int type) {
    assert(is_metric_name(name));
    auto& place = families_[std::move(name)];
    if (!place) {
        place = std::make_unique<Family>();
        place->help = std::move(help);
        place->type = static_cast<MetricType>(type);
    }
    assert(place->type == static_cast<MetricType>(type));
    return *place;
}

void Metrics::add(std::string name, std::string help, Labels labels, const Counter& counter) {
    const std::scoped_lock lock{mutex_};
    Family& into = family(std::move(name), std::move(help), static_cast<int>(MetricType::Counter));
    into.readers.emplace_back([labels = std::move(labels), &counter](Reading& reading) {
        reading.values[labels] += static_cast<double>(counter.value());
    });
}

void Metrics::add(std::string name, std::string help, Labels labels, const Gauge& gauge) {
    const std::scoped_lock lock{mutex_};
    Family& into = family(std::move(name), std::move(help), static_cast<int>(MetricType::Gauge));
    into.readers.emplace_back([labels = std::move(labels), &gauge](Reading& reading) {
        reading.values[labels] += static_cast<double>(gauge.value());
    });
}

void Metrics::add(std::string name, std::string help, Labels labels, const Histogram& histogram) {
    const std::scoped_lock lock{mutex_};
    Family& into =
        family(std::move(name), std::move(help), static_cast<int>(MetricType::Histogram));
    into.readers.emplace_back([labels = std::move(labels), &histogram](Reading& reading) {
        read_histogram(histogram, reading.buckets[labels]);
    });
}

void Metrics::add(
    std::string name, std::string help, Kind kind, Labels labels, std::function<double()> value
) {
    const std::scoped_lock lock{mutex_};
    const auto type = kind == Kind::counter ? MetricType::Counter : MetricType::Gauge;
    Family& into = family(std::move(name), std::move(help), static_cast<int>(type));
    into.readers.emplace_back([labels = std::move(labels),
                               value = std::move(value)](Reading& reading) {
        reading.values[labels] += value();
    });
}

void Metrics::add_family(
    std::string name,
    std::string help,
    Kind kind,
    std::size_t most,
    std::function<void(Series&)> read,
    Fold fold
) {
    const std::scoped_lock lock{mutex_};
    const auto type = kind == Kind::counter ? MetricType::Counter : MetricType::Gauge;
    Family& into = family(std::move(name), std::move(help), static_cast<int>(type));
    into.readers.emplace_back([most, fold, read = std::move(read), own = std::set<std::string>()](
                                  Reading& reading
                              ) mutable {
        CappedSeries series{most, fold, own, reading};
        read(series);
        series.end();
    });
}

std::string Metrics::render() const {
    std::vector<MetricFamily> families;
    {
        const std::scoped_lock lock{mutex_};
        families = Collector{*this}.Collect();
    }
    std::ostringstream out;
    prometheus::TextSerializer().Serialize(out, families);
    return std::move(out).str();
}

}  // namespace sluice::telemetry
