#pragma once

#include "base/log.hpp"
#include "kube/client.hpp"
#include "kube/lease.hpp"
#include "kube/stats.hpp"
#include "net/wakeup.hpp"

#include <functional>
#include <random>
#include <string>

namespace sluice::kube {

struct ElectorOptions {
    std::string namespace_name;
    std::string lease_name;
    std::string identity;  // unique to this process
    LeaseTimes times;
};

// The shell around `Lease`. Belongs to one worker.
class Elector {
 public:
    // Called once each: when we begin to lead, and when we no longer may. After the second `run`
    // ends: a restart is simpler than a half-stopped controller.
    struct Observer {
        std::function<void()> on_leading;
        std::function<void()> on_lost;
    };

    // All outlive it.
    Elector(
        net::Executor executor,
        Client& client,
        ElectorOptions options,
        Observer observer,
        ElectorStats& stats,
        Log& log
    );

    // Until the lease is lost, or `stop`.
    net::Task<> run();
    void stop();
    // Lets another follow at once. After `stop`, when no work is going on any more.
    net::Task<> release(Deadline deadline);

    // Whether a write may begin now. To be asked before each.
    bool is_leading() const { return lease_.is_leading(steady_now()); }
    // Whether we lead and have not renewed for longer than anybody should: something is stuck.
    bool is_stuck(SteadyTime now) const;
    const std::string& holder() const { return lease_.holder(); }

 private:
    net::Task<bool> try_once();
    net::Task<Error> read();
    net::Task<Error> write(LeaseWrite claim, Deadline deadline);
    void note_failure(const std::string& what);
    std::string path() const;

    Client& client_;
    const ElectorOptions options_;
    Observer observer_;
    ElectorStats& stats_;
    Log& log_;
    Lease lease_;
    net::Wakeup wakeup_;
    std::mt19937_64 random_;
    std::string failure_;
    bool is_stopping_ = false;
};

}  // namespace sluice::kube
