#include "redis/error.hpp"

#include <string>

namespace sluice::redis {

namespace {

class Category final : public boost::system::error_category {
 public:
    const char* name() const noexcept override { return "redis"; }
    std::string message(int value) const override {
        switch (static_cast<Errc>(value)) {
            case Errc::not_connected:
                return "not connected to redis";
            case Errc::queue_full:
                return "too many calls wait for redis";
            case Errc::timed_out:
                return "redis did not answer in time";
            case Errc::disconnected:
                return "the connection to redis was lost before the answer";
            case Errc::refused:
                return "redis answered with an error";
            case Errc::no_script:
                return "redis does not know the script";
            case Errc::bad_reply:
                return "redis sent a reply that makes no sense";
            case Errc::login_failed:
                return "redis refused the login or the database";
            case Errc::not_a_master:
                return "this redis is no master";
            case Errc::no_master:
                return "no sentinel names a master";
            case Errc::no_slot_owner:
                return "no known cluster node serves this key";
            case Errc::bad_url:
                return "not a redis:// or rediss:// address";
            case Errc::unreadable_file:
                return "a file for the redis login cannot be read";
            case Errc::stopped:
                return "the redis client is stopping";
        }
        return "unknown redis error";
    }
};

}  // namespace

const boost::system::error_category& redis_category() {
    static const Category category;
    return category;
}

bool is_outcome_unknown(const Error& error) {
    return error == Errc::timed_out || error == Errc::disconnected || error == Errc::bad_reply;
}

}  // namespace sluice::redis
