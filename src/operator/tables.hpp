#pragma once

#include "base/log.hpp"
#include "kube/client.hpp"
#include "operator/plan.hpp"
#include "operator/stats.hpp"

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace sluice::operators {

// The ConfigMaps that carry the limit table: <prefix>-00 and on. The shell around `make_plan`.
class Tables {
 public:
    using Leads = std::function<bool()>;  // asked before each write

    Tables(
        kube::Client& client,
        std::string namespace_name,
        std::string prefix,
        ShardSizes sizes,
        Leads leads,
        Stats& stats,
        Log& log
    );

    // Makes the cluster hold this table. The first time it reads what is there. An error leaves it
    // to be called again; `why` tells people.
    net::Task<Error> apply(const Desired& desired, std::string& why);
    // Whether what we wrote is still there unchanged. When not, the next `apply` repairs it.
    net::Task<bool> has_drifted();
    // Keys in force before we came, by subject; forgotten with `forget_before`.
    net::Task<Error> read_before(std::string& why);
    const std::map<std::string, std::vector<Digest>>& before() const { return before_; }
    void forget_before() { before_.clear(); }

 private:
    net::Task<Error> read_live(std::vector<config::TableFile>& files, std::string& why);
    net::Task<Error> write(const Shard& shard, const std::string& revision, std::string& why);
    net::Task<Error> remove(std::size_t index, std::string& why);
    std::string path(std::size_t index) const;

    kube::Client& client_;
    const std::string namespace_name_;
    const std::string prefix_;
    const ShardSizes sizes_;
    const Leads leads_;
    Stats& stats_;
    Log& log_;
    bool is_live_known_ = false;
    LiveShards live_;
    std::map<std::string, std::vector<Digest>> before_;
};

// "<prefix>-00"
std::string shard_name(const std::string& prefix, std::size_t index);

}  // namespace sluice::operators
