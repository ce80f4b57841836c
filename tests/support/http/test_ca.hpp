#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <cstdlib>
#include <filesystem>
#include <string>

namespace sluice::test {

struct IssuedCertificate {
    std::string file;
    std::string key_file;
};

// A certificate authority that lives as long as the test, made with the openssl command.
class TestCa {
 public:
    TestCa() {
        std::string pattern =
            (std::filesystem::temp_directory_path() / "sluice-ca-XXXXXX").string();
        folder_ = mkdtemp(pattern.data());
        run("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj '/CN=Test "
            "CA'"
            " -keyout ca.key -out ca.crt");
    }
    ~TestCa() {
        std::error_code ignored;
        std::filesystem::remove_all(folder_, ignored);
    }
    TestCa(const TestCa&) = delete;
    TestCa& operator=(const TestCa&) = delete;

    std::string file() const { return folder_ + "/ca.crt"; }
    std::string folder() const { return folder_; }

    // For an IPv4 address or a name. The same host twice gives a second certificate.
    IssuedCertificate issue(const std::string& host) const {
        const std::string name = "leaf" + std::to_string(++issued_);
        const bool is_address = host.find_first_not_of("0123456789.") == std::string::npos;
        const std::string alternative = (is_address ? "IP:" : "DNS:") + host;
        run("req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj '/CN=" + host +
            "' -keyout " + name + ".key -out " + name +
            ".csr -addext subjectAltName=" + alternative);
        run("x509 -req -in " + name +
            ".csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2"
            " -copy_extensions copyall -out " +
            name + ".crt");
        return IssuedCertificate{folder_ + "/" + name + ".crt", folder_ + "/" + name + ".key"};
    }

 private:
    void run(const std::string& arguments) const {
        const std::string command =
            "cd '" + folder_ + "' && openssl " + arguments + " >/dev/null 2>openssl.log";
        EXPECT_EQ(std::system(command.c_str()), 0) << command;
    }

    std::string folder_;
    mutable int issued_ = 0;
};

}  // namespace sluice::test
