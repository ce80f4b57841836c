#include "config/validate.hpp"

namespace sluice::config {
namespace {

// Tells faults at the line of a path.
class Judge {
 public:
    Judge(const Lines& lines, Reading& reading) : lines_{lines}, reading_{reading} {}
    void require(bool holds, const char* path, const char* what) {
        if (!holds) reading_.fault(line_of(lines_, path), path, what);
    }

 private:
    const Lines& lines_;
    Reading& reading_;
};

bool is_origin(std::string_view text) {
    if (text.empty() || text == "*") return true;
    const bool has_scheme = text.starts_with("http://") || text.starts_with("https://");
    return has_scheme && text.find_first_of(" ,;\"") == text.npos && !text.ends_with('/');
}

void judge_listeners(const Config& config, Judge& judge) {
    judge.require(
        config.listen.port == 0 || config.listen != config.admin,
        "admin",
        "is the same address as listen: what the admin port shows is not for callers"
    );
    judge.require(
        config.tls.cert_file.empty() || !config.tls.key_file.empty(),
        "tls.keyFile",
        "is missing beside certFile"
    );
    judge.require(
        config.tls.key_file.empty() || !config.tls.cert_file.empty(),
        "tls.certFile",
        "is missing beside keyFile"
    );
    judge.require(!config.limits.empty(), "limits", "expected a file or a directory of tables");
}

void judge_upstream(const UpstreamOptions& upstream, Judge& judge) {
    judge.require(
        upstream.ca_file.empty() || upstream.url.scheme == UpstreamUrl::Scheme::https,
        "upstream.caFile",
        "has no effect: the url of the upstream does not begin with https://"
    );
}

void judge_redis(const redis::Options& redis, Judge& judge) {
    const auto url = parse_redis_url(redis.url);
    if (!url) return;  // told already
    judge.require(
        redis.ca_file.empty() || url->is_tls,
        "store.redis.caFile",
        "has no effect: the url does not begin with rediss://"
    );
    judge.require(
        redis.username_file.empty() || !redis.password_file.empty(),
        "store.redis.passwordFile",
        "is missing beside usernameFile"
    );
    judge.require(
        redis.mode != redis::Mode::sentinel || !redis.master_name.empty(),
        "store.redis.masterName",
        "is needed with mode: sentinel"
    );
    judge.require(
        redis.mode == redis::Mode::sentinel || redis.master_name.empty(),
        "store.redis.masterName",
        "has no effect: mode is not sentinel"
    );
    judge.require(
        redis.mode != redis::Mode::standalone || redis.nodes.empty(),
        "store.redis.nodes",
        "have no effect: mode is standalone, which connects to url"
    );
    judge.require(
        redis.mode != redis::Mode::cluster || url->database == 0,
        "store.redis.url",
        "a cluster has database 0 alone"
    );
}

}  // namespace

void validate(const Config& config, const Lines& lines, Reading& reading) {
    Judge judge{lines, reading};
    judge_listeners(config, judge);
    judge_upstream(config.upstream, judge);
    if (config.store.kind == stores::Kind::redis) judge_redis(config.store.redis, judge);
    judge.require(
        is_origin(config.cors.allow_origin),
        "cors.allowOrigin",
        "expected *, or one origin such as https://app.example.com, or nothing"
    );
}

}  // namespace sluice::config
