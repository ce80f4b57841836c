// The shell around `Reflect`, which holds the decisions.
#include "kube/reflector.hpp"

#include <algorithm>

namespace sluice::kube {
namespace {

constexpr std::size_t kMostPageBytes = 24 << 20;
constexpr seconds kWatchSlack{15};

}  // namespace

Reflector::Reflector(
    net::Executor executor,
    Client& client,
    ReflectorOptions options,
    ReflectorSink& sink,
    ReflectorStats& stats,
    Log& log
)
    : client_{client},
      options_{std::move(options)},
      sink_{sink},
      stats_{stats},
      log_{log},
      wakeup_{executor},
      random_{std::random_device{}()},
      page_{options_.page} {}

double Reflector::chance() {
    return std::uniform_real_distribution<double>{0, 1}(random_);
}

void Reflector::see_sign() {
    stats_.last_sign.store(steady_now().time_since_epoch().count(), std::memory_order_relaxed);
}

void Reflector::note_trouble(std::string what) {
    if (what == trouble_) return;
    trouble_ = std::move(what);
    if (!trouble_.empty())
        log_.warn("the API server is in the way", {{"path", options_.path}, {"error", trouble_}});
}

void Reflector::stop() {
    is_stopping_ = true;
    wakeup_.wake();
}

net::Task<> Reflector::run() {
    ReflectStep step;
    while (!is_stopping_) {
        if (step.wait > milliseconds{0}) {
            const Deadline until = Deadline::in(step.wait);
            (void)co_await wakeup_.wait(until);
            if (is_stopping_) break;
        }
        if (step.kind == ReflectStep::Kind::list) {
            step = co_await list();
        } else {
            step = co_await watch();
        }
    }
}

std::string Reflector::target(std::initializer_list<std::string> parameters) const {
    std::string out = options_.path;
    char mark = '?';
    for (const std::string& parameter : parameters) {
        out += mark + parameter;
        mark = '&';
    }
    if (!options_.label_selector.empty()) {
        out += mark + ("labelSelector=" + escaped(options_.label_selector));
    }
    return out;
}

net::Task<ReflectStep> Reflector::list() {
    std::optional<seconds> retry_after;
    Result<std::string> version = co_await list_pages(retry_after);
    if (!version) {
        stats_.list_failures.add();
        if (version.error() == Errc::answer_too_large && page_ > 1)
            page_ = std::max<std::size_t>(page_ / 5, 1);
        co_return reflect_.list_failed(version.error(), retry_after, steady_now(), chance());
    }
    note_trouble({});
    sink_.end_list();
    is_synced_ = true;
    stats_.is_synced.set(1);
    stats_.objects.set(static_cast<std::int64_t>(sink_.size()));
    stats_.lists[static_cast<std::size_t>(reflect_.list_reason())].add();
    see_sign();
    log_.info(
        "listed",
        {{"path", options_.path},
         {"objects", static_cast<std::int64_t>(sink_.size())},
         {"reason", to_text(reflect_.list_reason())}}
    );
    if (options_.on_synced) options_.on_synced();
    co_return reflect_.listed(std::move(*version));
}

// Answers the resource version of the list. Pages are one consistent snapshot; when it is compacted
// away in between, the list begins anew.
net::Task<Result<std::string>> Reflector::list_pages(std::optional<seconds>& retry_after) {
    sink_.begin_list();
    std::string next;
    for (;;) {
        std::string limit = "limit=" + std::to_string(page_);
        Request request{
            "GET", next.empty() ? target({limit}) : target({limit, "continue=" + escaped(next)})};
        const Deadline deadline = Deadline::in(options_.call_timeout);
        const Result<Answer> answer = co_await client_.call(request, deadline, kMostPageBytes);
        if (is_stopping_) co_return Error{Errc::stopped};
        if (!answer) {
            note_trouble(answer.error().message());
            co_return answer.error();
        }
        if (!answer->is_success()) {
            retry_after = answer->status.retry_after;
            note_trouble(answer->why());
            co_return answer->error();
        }
        const std::optional<Json> page = parse_json(answer->body);
        const Json* items = page ? find(*page, {"items"}) : nullptr;
        std::string version = page ? text_at(*page, {"metadata", "resourceVersion"}) : "";
        if (items == nullptr || version.empty() || !(items->is_array() || items->is_null())) {
            note_trouble("the list is none");
            co_return Error{Errc::bad_answer};
        }
        if (items->is_array()) {
            for (const Json& item : *items) sink_.listed(item);
        }
        see_sign();
        next = text_at(*page, {"metadata", "continue"});
        if (next.empty()) co_return version;
    }
}

net::Task<ReflectStep> Reflector::watch() {
    WatchEnd end;
    end.began = steady_now();
    const auto span = std::chrono::duration<double>(options_.watch_most - options_.watch_least);
    const seconds lasting =
        options_.watch_least + std::chrono::duration_cast<seconds>(span * chance());
    Request request{
        "GET",
        target(
            {"watch=1",
             "allowWatchBookmarks=true",
             "resourceVersion=" + escaped(reflect_.resource_version()),
             "timeoutSeconds=" + std::to_string(lasting.count())}
        )};
    stats_.watches.add();
    ApiStatus refusal;
    const Deadline deadline = Deadline::in(options_.call_timeout);
    Result<std::unique_ptr<WatchStream>> stream =
        co_await client_.watch(request, refusal, deadline);
    if (!stream) {
        end.error = stream.error();
    } else if (!*stream) {
        end.error = refusal.errc();
        end.retry_after = refusal.retry_after;
    } else {
        see_sign();
        note_trouble({});
        co_await follow(**stream, end, end.began + lasting + kWatchSlack);
    }
    end.ended = steady_now();
    if (end.error && !is_stopping_) {
        stats_.watch_errors.add();
        log_.info("watch ended", {{"path", options_.path}, {"error", end.error.message()}});
        if (end.events == 0 && end.error != Errc::gone) note_trouble(end.error.message());
    }
    co_return reflect_.watch_ended(end, chance());
}

net::Task<> Reflector::follow(WatchStream& stream, WatchEnd& end, SteadyTime last) {
    while (!is_stopping_) {
        const Deadline deadline = Deadline::in(options_.silence).sooner(Deadline::at(last));
        const Result<std::vector<WatchEvent>> events = co_await stream.next(deadline);
        if (!events) {
            end.error = events.error();
            co_return;
        }
        if (events->empty()) co_return;
        see_sign();
        for (const WatchEvent& event : *events) take(event, end);
        stats_.objects.set(static_cast<std::int64_t>(sink_.size()));
        if (end.error) co_return;
    }
}

void Reflector::take(const WatchEvent& event, WatchEnd& end) {
    if (end.error) return;
    if (event.kind == WatchKind::error) {
        end.error = event.status.errc();
        end.retry_after = event.status.retry_after;
        end.is_event = true;
        return;
    }
    ++end.events;
    stats_.events.add();
    if (event.kind == WatchKind::added || event.kind == WatchKind::modified) {
        sink_.changed(event.object);
    } else if (event.kind == WatchKind::deleted) {
        sink_.removed(event.object);
    }
    reflect_.seen(metadata_of(event.object).resource_version);
}

}  // namespace sluice::kube
