#include "kube/elector.hpp"

namespace sluice::kube {
namespace {

constexpr double kFollowerJitter = 1.2;  // so that followers do not all ask at once
constexpr seconds kStuckTolerance{20};

}  // namespace

Elector::Elector(
    net::Executor executor,
    Client& client,
    ElectorOptions options,
    Observer observer,
    ElectorStats& stats,
    Log& log
)
    : client_{client},
      options_{std::move(options)},
      observer_{std::move(observer)},
      stats_{stats},
      log_{log},
      lease_{options_.identity, options_.times},
      wakeup_{executor},
      random_{std::random_device{}()} {}

std::string Elector::path() const {
    return "/apis/coordination.k8s.io/v1/namespaces/" + options_.namespace_name + "/leases";
}

void Elector::stop() {
    is_stopping_ = true;
    wakeup_.wake();
}

bool Elector::is_stuck(SteadyTime now) const {
    return lease_.has_led() &&
           now - lease_.last_renewal() > options_.times.duration + kStuckTolerance;
}

void Elector::note_failure(const std::string& what) {
    stats_.failures.add();
    if (what == failure_) return;
    failure_ = what;
    log_.warn("the lease cannot be had", {{"lease", options_.lease_name}, {"error", what}});
}

net::Task<> Elector::run() {
    bool has_led = false;
    while (!is_stopping_) {
        const bool is_ours = co_await try_once();
        if (is_stopping_) break;
        const SteadyTime now = steady_now();
        if (is_ours && !has_led) {
            has_led = true;
            stats_.is_leader.set(1);
            log_.info("leading", {{"identity", options_.identity}});
            observer_.on_leading();
        }
        if (has_led && !lease_.is_leading(now)) {
            stats_.is_leader.set(0);
            log_.error("the lease is lost", {{"holder", lease_.holder()}});
            observer_.on_lost();
            co_return;
        }
        nanoseconds wait = options_.times.retry_period;
        if (!has_led) {
            const double more = std::uniform_real_distribution<double>{0, kFollowerJitter}(random_);
            wait += std::chrono::duration_cast<nanoseconds>(options_.times.retry_period * more);
        }
        Deadline until = Deadline::in(wait);
        if (has_led) until = until.sooner(Deadline::at(lease_.leading_until()));
        (void)co_await wakeup_.wait(until);
    }
}

// One round; true when the lease is ours.
net::Task<bool> Elector::try_once() {
    if (std::optional<LeaseWrite> renewal = lease_.renewal(steady_now(), wall_now())) {
        // Within the time that we may still lead: later it would not help.
        const Deadline deadline = Deadline::at(lease_.leading_until())
                                      .sooner(Deadline::in(options_.times.renew_deadline / 2));
        const Error error = co_await write(std::move(*renewal), deadline);
        if (!error) co_return true;
        if (is_stopping_) co_return false;
    }
    if (const Error error = co_await read()) co_return lease_.is_leading(steady_now());
    std::optional<LeaseWrite> claim = lease_.claim(steady_now(), wall_now());
    if (!claim) co_return false;
    const Deadline deadline = Deadline::in(options_.times.renew_deadline / 2);
    const Error error = co_await write(std::move(*claim), deadline);
    co_return !error;
}

net::Task<Error> Elector::read() {
    Request request{"GET", path() + "/" + options_.lease_name};
    const Deadline deadline = Deadline::in(options_.times.renew_deadline / 2);
    const Result<Answer> answer = co_await client_.call(request, deadline, 1 << 20);
    if (!answer) {
        note_failure(answer.error().message());
        co_return answer.error();
    }
    if (answer->http_status == 404) {
        lease_.observed(std::nullopt, "", steady_now());
        co_return Error{};
    }
    const std::optional<Json> object = parse_json(answer->body);
    if (!answer->is_success() || !object) {
        note_failure(answer->why());
        co_return answer->is_success() ? Error{Errc::bad_answer} : answer->error();
    }
    lease_.observed(lease_record_of(*object), metadata_of(*object).resource_version, steady_now());
    co_return Error{};
}

net::Task<Error> Elector::write(LeaseWrite claim, Deadline deadline) {
    const SteadyTime sent = steady_now();
    const bool is_new = claim.kind == LeaseWrite::Kind::create;
    Json body{
        {"apiVersion", "coordination.k8s.io/v1"},
        {"kind", "Lease"},
        {"metadata", {{"name", options_.lease_name}, {"namespace", options_.namespace_name}}},
        {"spec", to_json(claim.record)},
    };
    if (!is_new) body["metadata"]["resourceVersion"] = claim.resource_version;
    Request request{
        is_new ? "POST" : "PUT",
        is_new ? path() : path() + "/" + options_.lease_name,
        kJson,
        to_text(body)};
    const Result<Answer> answer = co_await client_.call(std::move(request), deadline, 1 << 20);
    if (!answer) {
        note_failure(answer.error().message());
        co_return answer.error();
    }
    const std::optional<Json> object = parse_json(answer->body);
    if (!answer->is_success() || !object) {
        // A conflict is another's success.
        if (answer->http_status != 409) note_failure(answer->why());
        co_return answer->is_success() ? Error{Errc::bad_answer} : answer->error();
    }
    lease_.written(claim.record, metadata_of(*object).resource_version, sent);
    stats_.renewals.add();
    failure_.clear();
    co_return Error{};
}

net::Task<> Elector::release(Deadline deadline) {
    for (int tries = 0; tries < 5; ++tries) {
        std::optional<LeaseWrite> release = lease_.release(wall_now());
        if (!release) break;
        const Error error = co_await write(std::move(*release), deadline);
        if (!error) {
            log_.info("lease released");
            break;
        }
        if (error != Errc::conflict || deadline.has_passed()) break;
        if (co_await read()) break;
    }
    stats_.is_leader.set(0);
}

}  // namespace sluice::kube
