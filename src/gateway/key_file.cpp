#include "gateway/key_file.hpp"

#include <sys/stat.h>

#include <array>
#include <fstream>

namespace sluice::gateway {
namespace {

constexpr milliseconds kLookEach{500};
constexpr std::size_t kMostBytes = 8192;

std::string stamp_of(const std::string& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) return {};
    return std::to_string(status.st_ino) + ':' + std::to_string(status.st_mtim.tv_sec) + ':' +
           std::to_string(status.st_mtim.tv_nsec) + ':' + std::to_string(status.st_size);
}

}  // namespace

KeyFile::KeyFile(std::string path) : path_{std::move(path)} {
    if (!path_.empty()) read();
}

const Secret& KeyFile::current(SteadyTime now) {
    if (!path_.empty() && now - looked_at_ >= kLookEach) {
        looked_at_ = now;
        if (stamp_of(path_) != stamp_) read();
    }
    return key_;
}

void KeyFile::read() {
    const std::string stamp = stamp_of(path_);
    std::ifstream file{path_, std::ios::binary};
    std::array<char, kMostBytes> bytes{};
    file.read(bytes.data(), bytes.size());
    std::string text{bytes.data(), static_cast<std::size_t>(file.gcount())};
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
    if (text.empty()) return;
    key_ = Secret{std::move(text)};
    stamp_ = stamp;
}

}  // namespace sluice::gateway
