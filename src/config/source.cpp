// A mounted ConfigMap changes by one rename of the link `..data`; a file edited by hand by writes,
// or by a rename over it. All of these are events of the directory, so that is what is watched,
// never the file: its inode is gone after the first change.

#include "config/source.hpp"

#include "config/file.hpp"
#include "config/limits_files.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>
#include <thread>
#include <utility>

namespace sluice::config {
namespace {

constexpr std::uint32_t kEvents = IN_CREATE | IN_MODIFY | IN_CLOSE_WRITE | IN_MOVED_TO |
                                  IN_MOVED_FROM | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF |
                                  IN_ATTRIB;

std::string directory_to_watch(const std::string& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) return path;
    const std::size_t slash = path.find_last_of('/');
    if (slash == path.npos) return ".";
    return slash == 0 ? "/" : path.substr(0, slash);
}

// When to read after a change: once all is quiet, but not later than `patience` after the first.
class Debounce {
 public:
    explicit Debounce(const SourceOptions& options) : options_{options} {}

    void changed(SteadyTime now) {
        if (!is_dirty_) first_ = now;
        is_dirty_ = true;
        last_ = now;
    }
    void clear() { is_dirty_ = false; }
    bool is_dirty() const { return is_dirty_; }
    // Never, when nothing has changed.
    SteadyTime due() const {
        if (!is_dirty_) return SteadyTime::max();
        return std::min(last_ + options_.quiet, first_ + options_.patience);
    }

 private:
    SourceOptions options_;
    bool is_dirty_ = false;
    SteadyTime first_;
    SteadyTime last_;
};

}  // namespace

struct LimitsSource::Impl {
    Impl(std::string path, OnChange on_change, SourceOptions options)
        : path_{std::move(path)},
          on_change_{std::move(on_change)},
          options_{options},
          changes_{::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)},
          stop_{::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)} {
        watch();
        if (auto read = read_if_changed()) first_ = std::move(*read);
        thread_ = std::thread{[this] { run(); }};
    }
    ~Impl() {
        const std::uint64_t one = 1;
        [[maybe_unused]] const ssize_t written = ::write(stop_.get(), &one, sizeof one);
        thread_.join();
    }
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;

    const LoadedTable& first() const { return first_; }

 private:
    // Follows a directory that was replaced; without inotify the poll alone finds changes.
    void watch() {
        if (!changes_.is_open()) return;
        const std::string directory = directory_to_watch(path_);
        const int now = ::inotify_add_watch(changes_.get(), directory.c_str(), kEvents);
        if (now != watched_ && watched_ >= 0) ::inotify_rm_watch(changes_.get(), watched_);
        watched_ = now;
    }

    // True when there were events; forgets them.
    bool drain_events() {
        std::array<char, 4096> buffer{};
        bool any = false;
        while (changes_.is_open() && ::read(changes_.get(), buffer.data(), buffer.size()) > 0) {
            any = true;
        }
        return any;
    }

    // Empty when the files say what they said last time. What is written while it is being read is
    // read again.
    std::optional<LoadedTable> read_if_changed() {
        constexpr int kTries = 5;
        ReadFiles read;
        for (int i = 0; i < kTries; ++i) {
            const std::string before = fingerprint(path_);
            read = read_limits_files(path_);
            last_look_ = fingerprint(path_);
            if (before == last_look_) break;
        }
        const Digest digest = read.digest();
        if (last_read_ == digest) return {};
        last_read_ = digest;
        return parse_limits(read);
    }

    void run() {
        Debounce debounce{options_};
        SteadyTime next_poll = steady_now() + options_.poll;
        for (;;) {
            wait_until(std::min(debounce.due(), next_poll));
            if (is_stopping_) return;
            const SteadyTime now = steady_now();
            if (drain_events()) debounce.changed(now);
            bool is_due = now >= debounce.due();
            if (now >= next_poll) {
                next_poll = now + options_.poll;
                watch();
                is_due = is_due || (!debounce.is_dirty() && fingerprint(path_) != last_look_);
            }
            if (!is_due) continue;
            debounce.clear();
            watch();
            if (auto loaded = read_if_changed()) on_change_(std::move(*loaded));
        }
    }

    // Returns early when something happened.
    void wait_until(SteadyTime when) {
        const auto left = std::chrono::ceil<milliseconds>(when - steady_now()).count();
        std::array<pollfd, 2> waits{
            pollfd{stop_.get(), POLLIN, 0}, pollfd{changes_.get(), POLLIN, 0}};
        ::poll(waits.data(), waits.size(), static_cast<int>(std::clamp<long>(left, 0, 60'000)));
        is_stopping_ = (waits[0].revents & POLLIN) != 0;
    }

    // constant after construction
    const std::string path_;
    const OnChange on_change_;
    const SourceOptions options_;
    Descriptor changes_;
    Descriptor stop_;
    LoadedTable first_;
    // the constructor's thread, then the source's
    int watched_ = -1;
    bool is_stopping_ = false;
    std::string last_look_;
    std::optional<Digest> last_read_;
    std::thread thread_;
};

LimitsSource::LimitsSource(std::string path, OnChange on_change, SourceOptions options)
    : impl_{std::make_unique<Impl>(std::move(path), std::move(on_change), options)} {}
LimitsSource::~LimitsSource() = default;
const LoadedTable& LimitsSource::first() const {
    return impl_->first();
}

}  // namespace sluice::config
