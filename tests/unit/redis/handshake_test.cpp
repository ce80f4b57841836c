#include "redis/handshake.hpp"

#include "redis/error.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace sluice::redis {
namespace {

Login plain_login() {
    Login login;
    login.client_name = "sluice";
    return login;
}

const Reply kOk = Reply::of_status("OK");

TEST(HandshakeTest, LogsInBeforeEverythingElse) {
    Login login = plain_login();
    login.username = Secret{"app"};
    login.password = Secret{"hush"};
    login.database = 3;
    const Handshake handshake{login};
    EXPECT_EQ(
        handshake.bytes(),
        "*3\r\n$4\r\nAUTH\r\n$3\r\napp\r\n$4\r\nhush\r\n"
        "*3\r\n$6\r\nCLIENT\r\n$7\r\nSETNAME\r\n$6\r\nsluice\r\n"
        "*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n"
        "*2\r\n$4\r\nINFO\r\n$11\r\nreplication\r\n"
    );
}

TEST(HandshakeTest, RemembersWhoseDataItTalksTo) {
    Handshake handshake{plain_login()};
    EXPECT_FALSE(handshake.take(kOk));
    EXPECT_FALSE(handshake.is_done());
    EXPECT_FALSE(handshake.take(
        Reply::of_text("# Replication\r\nrole:master\r\nmaster_replid:abc\r\nmaster_replid2:0\r\n")
    ));
    EXPECT_TRUE(handshake.is_done());
    EXPECT_EQ(handshake.identity().replication_id, "abc");
}

TEST(HandshakeTest, LeavesAReplica) {
    Handshake handshake{plain_login()};
    ASSERT_FALSE(handshake.take(kOk));
    EXPECT_EQ(handshake.take(Reply::of_text("role:slave\r\n")), Errc::not_a_master);
}

TEST(HandshakeTest, LivesWithAServerThatForbidsAllButTheScripts) {
    Login login = plain_login();
    login.scripts = {"return 1"};
    Handshake handshake{login};
    const Reply forbidden = Reply::of_error("NOPERM this user has no permissions");
    EXPECT_FALSE(handshake.take(forbidden));
    EXPECT_FALSE(handshake.take(forbidden));
    EXPECT_FALSE(handshake.take(forbidden));
    EXPECT_TRUE(handshake.is_done());
    EXPECT_EQ(handshake.identity().replication_id, "");
}

TEST(HandshakeTest, FailsWhenTheLoginIsRefusedOrMissing) {
    Login login = plain_login();
    login.password = Secret{"wrong"};
    Handshake wrong{login};
    EXPECT_EQ(wrong.take(Reply::of_error("WRONGPASS invalid")), Errc::login_failed);
    Handshake missing{plain_login()};
    EXPECT_EQ(missing.take(Reply::of_error("NOAUTH Authentication required.")), Errc::login_failed);
}

TEST(SecretFileTest, LosesItsNewlineAndNothingElse) {
    const std::filesystem::path file =
        std::filesystem::temp_directory_path() / ("sluice-secret-" + std::to_string(::getpid()));
    std::ofstream{file} << " pass word \n";
    EXPECT_EQ(read_secret(file)->reveal(), " pass word ");
    std::filesystem::remove(file);
    EXPECT_EQ(read_secret(file).error(), Errc::unreadable_file);
    EXPECT_TRUE(read_secret("")->is_empty());
}

}  // namespace
}  // namespace sluice::redis
