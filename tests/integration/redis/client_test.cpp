#include "net/task_group.hpp"
#include "redis/error.hpp"
#include "redis/make_client.hpp"
#include "redis/script.hpp"
#include "tests/integration/redis/worker.hpp"
#include "tests/support/redis_process.hpp"

#include <gtest/gtest.h>

#include <array>

namespace sluice::redis {
namespace {

using namespace std::chrono_literals;
using testing::RedisProcess;
using testing::write_file;

class RedisClientTest : public ::testing::Test {
 protected:
    void connect(const Options& options, std::vector<std::string> scripts = {}) {
        client_ =
            *make_client(worker_.executor(), options, std::move(scripts), stats_, worker_.log());
        client_->start();
    }
    bool is_connected(std::chrono::milliseconds bound = 5s) {
        return worker_.run(client_->wait_connected("k", Deadline::in(bound)));
    }
    void TearDown() override {
        if (client_) worker_.run(client_->stop());
    }
    Result<Reply> call(std::vector<std::string_view> words, std::chrono::milliseconds wait = 2s) {
        return worker_.run(client_->call("k", words, Deadline::in(wait)));
    }
    static Options at(const std::string& url) {
        Options options;
        options.url = url;
        return options;
    }

    testing::TestWorker worker_;
    Stats stats_;
    std::unique_ptr<Client> client_;
};

TEST_F(RedisClientTest, AnswersACall) {
    RedisProcess redis;
    connect(at(redis.url()));
    ASSERT_TRUE(is_connected());
    EXPECT_EQ(call({"SET", "k", "v"})->text(), "OK");
    EXPECT_EQ(call({"GET", "k"})->text(), "v");
    EXPECT_TRUE(call({"NOSUCH"})->is_error("ERR"));
    EXPECT_FALSE(client_->data_id("k").empty());
}

net::Task<> increment(Client& client, int& done) {
    const std::array<std::string_view, 2> words{"INCR", "k"};
    const Result<Reply> reply = co_await client.call("k", words, Deadline::in(5s));
    if (reply && reply->integer() > 0) ++done;
}

TEST_F(RedisClientTest, PipelinesWhatIsAskedInOneTurn) {
    RedisProcess redis;
    connect(at(redis.url()));
    ASSERT_TRUE(is_connected());
    int done = 0;
    net::TaskGroup group{worker_.executor()};
    for (int i = 0; i < 2'000; ++i) group.spawn(increment(*client_, done));
    EXPECT_TRUE(worker_.run(group.wait_empty(Deadline::in(5s))));
    EXPECT_EQ(done, 2'000);
    EXPECT_EQ(redis.command({"GET", "k"}), "2000");
    EXPECT_EQ(stats_.calls.value(), 2'000U);
}

TEST_F(RedisClientTest, UsesTheDatabaseOfTheAddress) {
    RedisProcess redis;
    connect(at("redis://" + redis.address() + "/3"));
    ASSERT_TRUE(is_connected());
    EXPECT_EQ(call({"SET", "k", "v"})->text(), "OK");
    EXPECT_EQ(redis.command({"GET", "k"}), "(nil)");
}

TEST_F(RedisClientTest, LogsInWithAPasswordFromAFileAndNeverTellsIt) {
    RedisProcess redis{{.password = "sesame-street"}};
    Options options = at(redis.url());
    options.password_file = write_file(redis.directory() + "/password", "wrong-word\n");
    connect(options);
    EXPECT_FALSE(is_connected(300ms));
    EXPECT_NE(worker_.logged().find("refused the login"), std::string::npos);

    // The file is read again at each attempt.
    write_file(options.password_file, "sesame-street\n");
    ASSERT_TRUE(is_connected());
    EXPECT_EQ(call({"SET", "k", "v"})->text(), "OK");
    EXPECT_EQ(worker_.logged().find("sesame"), std::string::npos);
    EXPECT_EQ(worker_.logged().find("wrong-word"), std::string::npos);
}

TEST_F(RedisClientTest, LogsInAsAUser) {
    RedisProcess redis{{.users = {"app on >hush ~* &* +@all -info -config"}}};
    Options options = at(redis.url());
    options.username_file = write_file(redis.directory() + "/user", "app");
    options.password_file = write_file(redis.directory() + "/password", "hush");
    connect(options);
    ASSERT_TRUE(is_connected());
    EXPECT_EQ(call({"ACL", "WHOAMI"})->text(), "app");
}

TEST_F(RedisClientTest, SpeaksTlsAndVerifiesWhom) {
    RedisProcess redis{{.with_tls = true}};
    Options options = at(redis.tls_url());
    options.ca_file = redis.certificate_file();
    connect(options);
    ASSERT_TRUE(is_connected());
    EXPECT_EQ(call({"SET", "k", "v"})->text(), "OK");
}

TEST_F(RedisClientTest, RefusesACertificateOfAnotherAuthority) {
    RedisProcess redis{{.with_tls = true}};
    RedisProcess other{{.with_tls = true}};
    Options options = at(redis.tls_url());
    options.ca_file = other.certificate_file();
    connect(options);
    EXPECT_FALSE(is_connected(400ms));
    EXPECT_GT(stats_.connect_failures.value(), 0U);
}

TEST_F(RedisClientTest, GivesUpAtTheDeadlineAndMatchesLaterRepliesAllTheSame) {
    RedisProcess redis;
    connect(at(redis.url()));
    ASSERT_TRUE(is_connected());
    redis.pause();
    const SteadyTime begun = steady_now();
    EXPECT_EQ(call({"INCR", "k"}, 50ms).error(), Errc::timed_out);
    const auto waited = steady_now() - begun;
    EXPECT_GE(waited, 50ms);
    EXPECT_LT(waited, 150ms);
    redis.resume();
    EXPECT_EQ(call({"ECHO", "mine"})->text(), "mine");
    EXPECT_EQ(redis.command({"GET", "k"}), "1") << "it was carried out, once";
    EXPECT_EQ(stats_.timed_out.value(), 1U);
}

TEST_F(RedisClientTest, FailsAtOnceWithoutAServerAndComesBackByItself) {
    RedisProcess redis;
    connect(at(redis.url()));
    ASSERT_TRUE(is_connected());
    redis.kill();
    ASSERT_TRUE(worker_.run_until([&] { return !client_->is_connected("k"); }));
    const SteadyTime begun = steady_now();
    EXPECT_EQ(call({"PING"}).error(), Errc::not_connected);
    EXPECT_LT(steady_now() - begun, 20ms);
    redis.start();
    ASSERT_TRUE(is_connected());
    EXPECT_EQ(call({"PING"})->text(), "PONG");
    EXPECT_NE(worker_.logged().find("connected again"), std::string::npos);
}

TEST_F(RedisClientTest, SaysThatTheOutcomeIsUnknownWhenTheServerDies) {
    RedisProcess redis;
    connect(at(redis.url()));
    ASSERT_TRUE(is_connected());
    redis.pause();
    std::optional<Result<Reply>> outcome;
    const std::array<std::string_view, 2> words{"INCR", "k"};
    const auto ask = [](Client& client, Words asked, auto& to) -> net::Task<> {
        to.emplace(co_await client.call("k", asked, Deadline::in(10s)));
    };
    net::TaskGroup group{worker_.executor()};
    group.spawn(ask(*client_, words, outcome));
    worker_.run_for(20ms);
    redis.kill();
    ASSERT_TRUE(worker_.run(group.wait_empty(Deadline::in(5s))));
    EXPECT_EQ(outcome->error(), Errc::disconnected);
    EXPECT_TRUE(is_outcome_unknown(outcome->error()));
}

TEST_F(RedisClientTest, LeavesAReplicaAlone) {
    RedisProcess master;
    RedisProcess replica{{.replica_of_port = master.port()}};
    connect(at(replica.url()));
    EXPECT_FALSE(is_connected(300ms));
    EXPECT_NE(worker_.logged().find("is no master"), std::string::npos);
}

TEST_F(RedisClientTest, LoadsScriptsOnTheWayAndAgainWhenTheyWereFlushed) {
    RedisProcess redis;
    Script script;
    script.text = "return ARGV[1]";
    script.sha1 = "098e0f0d1448c0a81dafe820f66d460eb09263da";
    connect(at(redis.url()), {std::string{script.text}});
    ASSERT_TRUE(is_connected());
    const auto run = [&] {
        return worker_.run(run_script(*client_, script, "k", "v", Deadline::in(1s)));
    };
    EXPECT_EQ(run()->text(), "v");
    EXPECT_EQ(stats_.calls.value(), 1U);
    redis.command({"SCRIPT", "FLUSH"});
    EXPECT_EQ(run()->text(), "v");
    EXPECT_EQ(stats_.calls.value(), 3U);
    EXPECT_EQ(run()->text(), "v");
    EXPECT_EQ(stats_.calls.value(), 4U);
}

TEST_F(RedisClientTest, RunsScriptsWhereLoadingIsForbidden) {
    RedisProcess redis{{.users = {"app on >hush ~* &* +@all -script -info -client"}}};
    Options options = at(redis.url());
    options.username_file = write_file(redis.directory() + "/user", "app");
    options.password_file = write_file(redis.directory() + "/password", "hush");
    Script script;
    script.text = "return ARGV[1]";
    script.sha1 = "098e0f0d1448c0a81dafe820f66d460eb09263da";
    connect(options, {std::string{script.text}});
    ASSERT_TRUE(is_connected());
    const Result<Reply> reply =
        worker_.run(run_script(*client_, script, "k", "v", Deadline::in(1s)));
    EXPECT_EQ(reply->text(), "v");
}

TEST_F(RedisClientTest, RefusesAnAddressThatIsNone) {
    EXPECT_EQ(
        make_client(worker_.executor(), at("http://x"), {}, stats_, worker_.log()).error(),
        Errc::bad_url
    );
}

}  // namespace
}  // namespace sluice::redis
