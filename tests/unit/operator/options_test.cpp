#include "operator/options.hpp"

#include <gtest/gtest.h>

namespace sluice::operators {
namespace {

using namespace std::chrono_literals;

TEST(OperatorOptionsTest, TakeWhatTheChartPasses) {
    const ParsedOptions parsed = parse_options(
        {"--namespace=sluice",
         "--configmap-prefix=x-limits",
         "--gateway-service=x-gateway",
         "--gateway-admin-port=9090",
         "--lease-name",
         "x",
         "--lease-duration=60",
         "--lease-renew=40",
         "--lease-retry=15s",
         "--admin=[::]:9091",
         "--watch-namespace=a",
         "--watch-namespace=b,c",
         "--no-poke"}
    );
    EXPECT_TRUE(parsed.faults.empty()) << parsed.faults[0];
    const Options& options = parsed.options;
    EXPECT_EQ(options.gateway_admin_port.number, 9090);
    EXPECT_EQ(options.lease.duration, 60s);
    EXPECT_EQ(options.lease.retry_period, 15s);
    EXPECT_EQ(options.admin_host, "::");
    EXPECT_EQ(options.admin_port, 9091);
    EXPECT_EQ(options.watch_namespaces, (std::vector<std::string>{"a", "b", "c"}));
    EXPECT_FALSE(options.may_poke);
}

TEST(OperatorOptionsTest, TellEveryFaultAtOnce) {
    const ParsedOptions parsed = parse_options(
        {"--namespace=Not_A_Name",
         "--admin=9090",
         "--lease-duration=0",
         "--colour",
         "--no-poke=1",
         "--gateway-admin-port=70000"}
    );
    EXPECT_EQ(parsed.faults.size(), 6U);
}

TEST(OperatorOptionsTest, RefuseLeaseTimesThatLeaveNoRoom) {
    EXPECT_EQ(parse_options({"--lease-duration=10", "--lease-renew=10"}).faults.size(), 1U);
}

TEST(OperatorOptionsTest, HelpNamesEveryFlagAndAsksForNothing) {
    EXPECT_TRUE(parse_options({"--help"}).wants_help);
    for (const char* flag : {"--namespace", "--kubeconfig", "--watch-silence", "--resync"}) {
        EXPECT_NE(help_text().find(flag), std::string::npos);
    }
}

TEST(KubeconfigTest, GivesServerAuthorityAndToken) {
    std::string fault;
    const kube::AccessOptions access = read_kubeconfig(
        "current-context: c\n"
        "contexts: [{name: c, context: {cluster: k, user: u}}]\n"
        "clusters: [{name: k, cluster: {server: 'https://10.0.0.1:6443', "
        "certificate-authority-data: cGVt}}]\n"
        "users: [{name: u, user: {token: secret}}]\n",
        "config",
        fault
    );
    EXPECT_EQ(fault, "");
    EXPECT_EQ(access.server.host, "10.0.0.1");
    EXPECT_EQ(access.server.port, 6443);
    EXPECT_EQ(access.ca_pem, "pem");
    EXPECT_EQ(access.token.reveal(), "secret");
}

TEST(KubeconfigTest, SaysWhatIsWrong) {
    for (const char* text :
         {"", "[]", "current-context: c\n", "{", "current-context: c\ncontexts: 5\n"}) {
        std::string fault;
        (void)read_kubeconfig(text, "config", fault);
        EXPECT_NE(fault, "") << text;
    }
}

}  // namespace
}  // namespace sluice::operators
