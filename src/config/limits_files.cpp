#include "config/limits_files.hpp"

#include "config/file.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string_view>

namespace sluice::config {
namespace {

constexpr std::size_t kMaxFileBytes = 32 << 20;
constexpr std::size_t kMaxTotalBytes = 64 << 20;
constexpr std::size_t kMaxFiles = 1'024;

bool is_table_name(std::string_view name) {
    return !name.starts_with('.') &&
           (name.ends_with(".yaml") || name.ends_with(".yml") || name.ends_with(".json"));
}

// The directory whose files count: what `..data` points to now, or else the directory itself. The
// descriptor keeps to it when `..data` is swapped.
Descriptor open_tables(const std::string& directory) {
    constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    Descriptor mounted{::open((directory + "/..data").c_str(), kFlags)};
    if (mounted.is_open()) return mounted;
    return Descriptor{::open(directory.c_str(), kFlags)};
}

// Sorted. At most one more than `kMaxFiles`.
std::vector<std::string> table_names(int directory) {
    std::vector<std::string> names;
    const int copy = ::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (copy < 0) return names;
    const std::unique_ptr<DIR, int (*)(DIR*)> listing{::fdopendir(copy), ::closedir};
    if (!listing) {
        ::close(copy);
        return names;
    }
    // NOLINTNEXTLINE(concurrency-mt-unsafe): each DIR is used by one thread
    while (const dirent* entry = ::readdir(listing.get())) {
        if (is_table_name(entry->d_name)) names.emplace_back(entry->d_name);
        if (names.size() > kMaxFiles) break;
    }
    std::sort(names.begin(), names.end());
    return names;
}

Fault unreadable(const std::string& file, const Error& error) {
    return {file, 1, "", "cannot be read: " + error.message()};
}

bool is_directory(const std::string& path) {
    struct stat status {};
    return ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

ReadFiles read_one(const std::string& path) {
    ReadFiles out;
    Result<std::string> text = read_file(path, kMaxFileBytes);
    if (text) {
        out.files.push_back({path, std::move(*text)});
    } else {
        out.faults.push_back(unreadable(path, text.error()));
    }
    return out;
}

// `vanished` is set when a file was there and then was not: the directory is being replaced.
ReadFiles read_directory_once(const std::string& path, bool& vanished) {
    ReadFiles out;
    vanished = false;
    const Descriptor directory = open_tables(path);
    if (!directory.is_open()) {
        out.faults.push_back(unreadable(path, Error{errno, boost::system::system_category()}));
        return out;
    }
    const std::vector<std::string> names = table_names(directory.get());
    if (names.empty()) {
        out.faults.push_back({path, 1, "", "holds no table: no file ends in .yaml, .yml or .json"});
    }
    if (names.size() > kMaxFiles) {
        out.faults.push_back({path, 1, "", "holds more than 1024 tables"});
        return out;
    }
    std::size_t total = 0;
    for (const std::string& name : names) {
        const std::string shown = path + "/" + name;
        Result<std::string> text = read_file_at(directory.get(), name, kMaxFileBytes);
        if (!text) {
            vanished = vanished || text.error().value() == ENOENT;
            out.faults.push_back(unreadable(shown, text.error()));
            continue;
        }
        total += text->size();
        if (total > kMaxTotalBytes) {
            out.faults.push_back({path, 1, "", "holds more than 64 MiB of tables"});
            return out;
        }
        out.files.push_back({shown, std::move(*text)});
    }
    return out;
}

void append_status(std::string& out, std::string_view name, const struct stat& status) {
    out += name;
    for (const auto number :
         {static_cast<long long>(status.st_ino),
          static_cast<long long>(status.st_size),
          static_cast<long long>(status.st_mtim.tv_sec),
          static_cast<long long>(status.st_mtim.tv_nsec)}) {
        out += " " + std::to_string(number);
    }
    out += "\n";
}

}  // namespace

Digest ReadFiles::digest() const {
    std::string all;
    for (const TableFile& file : files) {
        all += std::to_string(file.name.size()) + ":" + file.name +
               std::to_string(file.text.size()) + ":" + file.text;
    }
    return Digest::of(all + to_text(faults));
}

ReadFiles read_limits_files(const std::string& path) {
    if (!is_directory(path)) return read_one(path);
    constexpr int kTries = 5;  // kubelet removes the old files only after the swap
    ReadFiles out;
    bool vanished = true;
    for (int i = 0; i < kTries && vanished; ++i) out = read_directory_once(path, vanished);
    return out;
}

std::string fingerprint(const std::string& path) {
    std::string out;
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) return "none";
    if (!S_ISDIR(status.st_mode)) {
        append_status(out, "file", status);
        return out;
    }
    const Descriptor directory = open_tables(path);
    if (!directory.is_open()) return "closed";
    if (::fstat(directory.get(), &status) == 0) out += std::to_string(status.st_ino) + "\n";
    for (const std::string& name : table_names(directory.get())) {
        if (::fstatat(directory.get(), name.c_str(), &status, 0) == 0) {
            append_status(out, name, status);
        }
    }
    return out;
}

LoadedTable parse_limits(const ReadFiles& read) {
    LoadedTable out;
    if (!read.files.empty()) out = parse_limits(read.files);
    if (read.faults.empty()) return out;
    out.table.reset();
    out.faults.insert(out.faults.end(), read.faults.begin(), read.faults.end());
    sort_faults(out.faults);
    return out;
}

LoadedTable load_limits(const std::string& path) {
    return parse_limits(read_limits_files(path));
}

}  // namespace sluice::config
