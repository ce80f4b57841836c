#pragma once

#include "base/result.hpp"
#include "base/time.hpp"
#include "net/task.hpp"

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/intrusive/list.hpp>

#include <array>
#include <cstdint>

namespace sluice::net {

// The coarse clock of one worker: a wheel of 20 ms slots with one timer for everything that waits.
// To wait and to stop waiting is to link and unlink a list node; no timer is made per operation.
// The timer runs only while something waits for a finite deadline.
class Deadlines : public asio::execution_context::service {
 public:
    using key_type = Deadlines;
    static inline asio::execution_context::id id;

    static constexpr milliseconds kTick{20};

    using Hook = boost::intrusive::list_base_hook<
        boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

    // Something that waits. Unlinks itself when destroyed.
    class Entry : public Hook {
     public:
        virtual void on_deadline() = 0;
        // The io_context is being destroyed: let go of whatever waits here.
        virtual void on_shutdown() {}

     protected:
        ~Entry() = default;

     private:
        friend Deadlines;
        std::uint64_t due_ = 0;  // tick
    };

    explicit Deadlines(asio::execution_context& context);

    // The clock of the io_context behind `executor`.
    static Deadlines& of(const Executor& executor);

    // Calls `entry.on_deadline()` once, at or up to a tick after `deadline`, unless unlinked
    // before.
    void add(Entry& entry, Deadline deadline);
    static void remove(Entry& entry) {
        if (entry.is_linked()) entry.unlink();
    }

 private:
    using Slot = boost::intrusive::
        list<Entry, boost::intrusive::base_hook<Hook>, boost::intrusive::constant_time_size<false>>;
    static constexpr std::size_t kSlots = 1024;  // 20 s; what is due later goes round again

    void shutdown() override;
    std::uint64_t tick_of(SteadyTime time) const;
    void place(Entry& entry);
    void arm();
    void sweep();
    bool is_idle() const;

    const SteadyTime origin_;
    asio::basic_waitable_timer<
        std::chrono::steady_clock,
        asio::wait_traits<std::chrono::steady_clock>,
        Executor>
        timer_;
    bool is_armed_ = false;
    std::uint64_t swept_ = 0;  // every slot up to and including this tick has been swept
    std::array<Slot, kSlots> slots_;
    Slot never_;
};

}  // namespace sluice::net
