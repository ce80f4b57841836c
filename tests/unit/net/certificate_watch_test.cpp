#include "net/certificate_watch.hpp"

#include "net/tls.hpp"
#include "tests/support/http/test_ca.hpp"

#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <filesystem>
#include <fstream>

namespace sluice::net {
namespace {

namespace fs = std::filesystem;

void install(const test::IssuedCertificate& certificate, const std::string& folder) {
    for (const auto& [from, name] :
         {std::pair{certificate.file, "tls.crt"}, std::pair{certificate.key_file, "tls.key"}}) {
        fs::copy_file(from, folder + "/next", fs::copy_options::overwrite_existing);
        fs::rename(folder + "/next", folder + "/" + name);
    }
}

TEST(CertificateWatchTest, ServesTheNewCertificateOnceTheFilesHaveChanged) {
    const test::TestCa ca;
    const std::string folder = ca.folder();
    install(ca.issue("one.example"), folder);
    int failures = 0;
    Result<CertificateWatch> watch = CertificateWatch::open(
        folder + "/tls.crt", folder + "/tls.key", [&](const Error&) { ++failures; }
    );
    ASSERT_TRUE(watch.has_value());
    const SteadyTime start = steady_now();
    const auto first = watch->current(start);
    EXPECT_EQ(watch->current(start + seconds{1}), first);

    install(ca.issue("two.example"), folder);
    const auto second = watch->current(start + seconds{2});
    EXPECT_NE(second, first);

    std::ofstream{folder + "/tls.key"} << "no key";
    EXPECT_EQ(watch->current(start + seconds{3}), second);
    EXPECT_EQ(failures, 1);
    EXPECT_EQ(watch->current(start + seconds{4}), second);
    EXPECT_EQ(failures, 1);
}

TEST(TlsTest, TellsWhatIsWrongWithFiles) {
    const test::TestCa ca;
    const auto certificate = ca.issue("one.example");
    EXPECT_EQ(
        make_server_tls("/nonexistent/crt", certificate.key_file).error(),
        boost::system::errc::no_such_file_or_directory
    );
    EXPECT_TRUE(make_server_tls(certificate.file, ca.issue("two.example").key_file).has_error());
    EXPECT_TRUE(make_client_tls(certificate.key_file).has_error());
    EXPECT_TRUE(make_client_tls("").has_value());
}

}  // namespace
}  // namespace sluice::net
