#pragma once

#include "net/task.hpp"

#include <functional>
#include <memory>
#include <string>
#include <thread>

namespace sluice::net {

// One thread with one io_context of its own. What lives on a worker needs no lock; `post` is the
// only door from outside.
class Worker {
 public:
    explicit Worker(std::string name);  // starts the thread, named for top and gdb
    ~Worker();                          // stops and joins
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    // Thread-safe. Runs `work` on the worker's thread, in order.
    void post(std::function<void()> work);
    Executor get_executor();
    // Lets the loop end once nothing is left to do, then joins. Any thread but the worker's own.
    void join();
    // Steady time of the loop's last turn, for liveness. Thread-safe. Advances at least each 500
    // ms.
    std::chrono::steady_clock::time_point last_turn() const;

 private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace sluice::net
