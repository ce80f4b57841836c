#pragma once

#include "base/log.hpp"
#include "stores/membership.hpp"
#include "stores/redis_store.hpp"
#include "stores/shared.hpp"

#include <string>
#include <vector>

namespace sluice::stores {

// On one worker of a process: announces this replica in Redis, sees who else is there, and says
// whether the store may decide. After an outage or a loss of data it first tells the store what
// this replica admitted. The rules are in Membership.
class Keeper {
 public:
    Keeper(
        net::Executor executor,
        RedisStore& store,
        Shared& shared,
        milliseconds timeout,
        Stats& stats,
        Log& log
    );

    net::Task<> run();
    // Ends `run`, after this replica has said goodbye.
    void stop();

 private:
    using Words = std::vector<std::string_view>;

    net::Task<bool> look();
    net::Task<Result<redis::Reply>> call(Words words);
    net::Task<Result<Membership::Fields>> read_list();
    net::Task<bool> tell(Membership::Life life);
    net::Task<bool> tell_since(std::vector<std::string> subjects, std::int64_t since);
    net::Task<bool> tell_owed();
    net::Task<> tell_one(std::string subject, limits::Amounts amounts, bool& has_failed);
    net::Task<bool> announce();
    net::Task<> say_goodbye();
    void set_trust(bool is_true, std::uint64_t doubts);

    net::Executor executor_;
    RedisStore& store_;
    Shared& shared_;
    const milliseconds timeout_;
    Stats& stats_;
    Log& log_;

    Membership members_;
    std::string data_id_;
    std::vector<std::string> suspects_;
    bool is_true_ = false;
    bool has_said_away_ = false;
    bool is_stopping_ = false;
    net::Timer pause_;
};

}  // namespace sluice::stores
