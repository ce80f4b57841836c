#pragma once

#include "limits/script.hpp"
#include "tests/contract/store_contract.hpp"

#include <hiredis/hiredis.h>

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::testing {

// The scripts themselves over a plain hiredis connection, with the clock of tests. Each contender
// flushes the server it is given.
class ScriptContender : public Contender {
 public:
    ScriptContender(std::uint16_t port, milliseconds window);

    void set_time(WallTime now) override;
    limits::Decision acquire(const limits::Limits& limits, const limits::Amounts& amounts) override;
    limits::Decision settle_and_acquire(
        std::span<const limits::Settlement> settlements,
        const limits::Limits& limits,
        const limits::Amounts& amounts
    ) override;
    // From eight connections, pipelined.
    std::vector<limits::Decision> acquire_at_once(
        std::size_t count, const limits::Limits& limits, const limits::Amounts& amounts
    ) override;
    void settle(const limits::Settlement& settlement) override;
    limits::Usage peek() override;
    std::optional<limits::Amounts> audit() override;

    // Settles as one call; how many slots were found.
    long long settle_all(std::span<const limits::Settlement> settlements);
    // One command; the text of its answer.
    std::string command(const std::vector<std::string>& words);
    const std::string& key() const { return key_; }

 private:
    using Connection = std::unique_ptr<redisContext, decltype(&redisFree)>;
    using Reply = std::unique_ptr<redisReply, decltype(&freeReplyObject)>;

    static Connection connect(std::uint16_t port);
    Reply ask(const std::vector<std::string>& words);
    Reply run(const limits::Script& script, const std::string& question);

    std::uint16_t port_;
    milliseconds window_;
    std::string key_;
    Connection connection_;
};

}  // namespace sluice::testing
