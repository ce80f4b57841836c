#pragma once

#include "base/log.hpp"
#include "kube/client.hpp"
#include "kube/reflect.hpp"
#include "kube/stats.hpp"
#include "net/wakeup.hpp"

#include <cstddef>
#include <functional>
#include <random>
#include <string>

namespace sluice::kube {

// Who is told what a reflector learns. No call may destroy the reflector.
class ReflectorSink {
 public:
    virtual ~ReflectorSink() = default;
    virtual void begin_list() = 0;  // also after a list that was not finished
    virtual void listed(const Json& object) = 0;
    virtual void end_list() = 0;
    virtual void changed(const Json& object) = 0;  // added or modified
    virtual void removed(const Json& object) = 0;
    virtual std::size_t size() const = 0;
};

struct ReflectorOptions {
    std::string path;            // "/apis/sluice.dev/v1alpha1/apikeylimits"
    std::string label_selector;  // may be empty
    std::size_t page = 500;
    seconds watch_least{300};  // the server is asked to end a watch after a random time
    seconds watch_most{600};
    // A watch that says nothing for so long is taken for dead, and begun anew where it was: a
    // server sends a bookmark about once a minute, and a dead connection may never say so.
    seconds silence{90};
    seconds call_timeout{30};
    std::function<void()> on_synced;  // after each complete list
};

// Keeps a sink true to the cluster: lists, watches, and does so again. Belongs to one worker.
class Reflector {
 public:
    // All outlive it.
    Reflector(
        net::Executor executor,
        Client& client,
        ReflectorOptions options,
        ReflectorSink& sink,
        ReflectorStats& stats,
        Log& log
    );

    // Until `stop`.
    net::Task<> run();
    void stop();
    bool is_synced() const { return is_synced_; }
    // Why the last list or watch failed; empty when it did not.
    const std::string& trouble() const { return trouble_; }

 private:
    net::Task<ReflectStep> list();
    net::Task<Result<std::string>> list_pages(std::optional<seconds>& retry_after);
    net::Task<ReflectStep> watch();
    net::Task<> follow(WatchStream& stream, WatchEnd& end, SteadyTime last);
    void take(const WatchEvent& event, WatchEnd& end);
    std::string target(std::initializer_list<std::string> parameters) const;
    void see_sign();
    void note_trouble(std::string what);
    double chance();

    Client& client_;
    const ReflectorOptions options_;
    ReflectorSink& sink_;
    ReflectorStats& stats_;
    Log& log_;
    Reflect reflect_;
    net::Wakeup wakeup_;
    std::mt19937_64 random_;
    std::size_t page_;
    std::string trouble_;
    bool is_synced_ = false;
    bool is_stopping_ = false;
};

}  // namespace sluice::kube
