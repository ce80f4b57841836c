#pragma once

#include "base/log.hpp"
#include "base/time.hpp"
#include "net/task.hpp"
#include "stores/options.hpp"
#include "stores/stats.hpp"
#include "stores/store.hpp"

#include <memory>
#include <string>

namespace sluice::stores {

// What the stores of all workers of one process have in common: with the kind memory the counts
// themselves, with redis what this replica admitted lately and whom it shares the limits with.
// Thread-safe; outlives every store.
class Shared;

struct SharedDeleter {
    void operator()(Shared* shared) const;
};
using SharedPtr = std::unique_ptr<Shared, SharedDeleter>;

// `window` is the length of "minute". `replica` tells this process from all others that use the
// same Redis, and stays the same when it is started again: "host:port" of the public listener.
SharedPtr make_shared_state(const Options& options, milliseconds window, std::string replica);

// The store of one worker, connecting from now on; used and stopped on that worker only. Call it
// on the worker's thread, or before that runs. Fails with redis::Errc::bad_url when the options
// make no sense.
Result<std::unique_ptr<Store>> make_store(
    net::Executor executor, const Options& options, Shared& shared, Stats& stats, Log& log
);

// One Redis store alone, without what looks after outages: for `sluice inspect` and for tests.
Result<std::unique_ptr<Store>> make_plain_redis_store(
    net::Executor executor, const Options& options, milliseconds window, Stats& stats, Log& log
);

}  // namespace sluice::stores
