#include "gateway/admin.hpp"

#include "gateway/refusal.hpp"

#include <nlohmann/json.hpp>

namespace sluice::gateway {
namespace {

constexpr std::string_view kText = "text/plain; charset=utf-8";
constexpr std::string_view kJson = "application/json";

AdminAnswer health(bool is_good) {
    return {is_good ? 200U : 503U, kText, is_good ? "ok\n" : "no\n"};
}

std::string configz(const AdminView& view) {
    const ReloadState::View reloads = view.reloads.view();
    nlohmann::ordered_json body;
    body["revision"] = reloads.table ? reloads.table->revision() : "";
    body["generation"] = reloads.generation;
    body["loadedAt"] = reloads.table ? to_rfc3339(reloads.loaded_at) : "";
    body["subjects"] = reloads.table ? reloads.table->subjects().size() : 0;
    body["keys"] = reloads.table ? reloads.table->keys() : 0;
    body["lastError"] = reloads.last_error;
    body["version"] = view.version;
    body["config"] = nlohmann::ordered_json::parse(config::to_json(view.config));
    return body.dump(2) + "\n";
}

}  // namespace

AdminAnswer answer_admin(const AdminView& view, std::string_view method, std::string_view target) {
    const std::string_view path = target.substr(0, target.find('?'));
    if (method != "GET" && method != "HEAD") return {405, kText, "only GET\n"};
    if (path == "/metrics") {
        return {200, telemetry::Metrics::kContentType, view.metrics.render()};
    }
    if (path == "/livez") return health(view.is_alive());
    if (path == "/readyz") return health(view.is_ready());
    if (path == "/configz") return {200, kJson, configz(view)};
    return {404, kText, "there are /metrics /livez /readyz /configz\n"};
}

AdminServer::AdminServer(net::Executor executor, net::Listener listener, AdminView view)
    : view_{std::move(view)},
      server_{executor, std::move(listener), [this](http::ServerConnection& caller) {
                  return answer(caller);
              }} {}

net::Task<> AdminServer::answer(http::ServerConnection& caller) {
    const AdminAnswer answer = answer_admin(view_, caller.head().method(), caller.head().target());
    std::string fields = "Content-Type: ";
    fields += answer.content_type;
    fields += "\r\nCache-Control: no-store\r\n";
    caller.start_answer(answer.status, reason_of(answer.status), fields, answer.body.size());
    (void)co_await caller.finish(answer.body, Deadline::in(seconds{10}));
}

}  // namespace sluice::gateway
