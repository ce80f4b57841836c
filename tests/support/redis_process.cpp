#include "tests/support/redis_process.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace sluice::testing {
namespace {

using namespace std::chrono_literals;

using Reply = std::unique_ptr<redisReply, decltype(&freeReplyObject)>;
using Context = std::unique_ptr<redisContext, decltype(&redisFree)>;

// A port that nobody listens on at this moment; the caller tries again should it be taken since.
std::uint16_t free_port() {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    const bool is_bound = fd >= 0 &&
                          ::bind(fd, reinterpret_cast<const sockaddr*>(&address), size) == 0 &&
                          ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0;
    if (fd >= 0) ::close(fd);
    if (!is_bound) throw std::runtime_error{"no free port"};
    return ntohs(address.sin_port);
}

std::string make_directory() {
    std::string path = (std::filesystem::temp_directory_path() / "sluice-redis-XXXXXX").string();
    if (::mkdtemp(path.data()) == nullptr) throw std::runtime_error{"mkdtemp failed"};
    return path;
}

// Starts `words` with its output in `log`; -1 when there is no process to be had.
pid_t spawn(const std::vector<std::string>& words, const std::string& log) {
    std::vector<char*> pointers;
    for (const std::string& word : words) pointers.push_back(const_cast<char*>(word.c_str()));
    pointers.push_back(nullptr);
    const pid_t parent = ::getpid();
    const pid_t pid = ::fork();
    if (pid != 0) return pid;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);
    const int fd = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    const int null = ::open("/dev/null", O_RDONLY);
    ::dup2(null, 0);
    ::dup2(fd, 1);
    ::dup2(fd, 2);
    ::execvp(pointers[0], pointers.data());
    ::_exit(127);
}

bool has_ended(pid_t pid) {
    return ::waitpid(pid, nullptr, WNOHANG) == pid;
}

Context connect(std::uint16_t port, std::chrono::milliseconds wait) {
    timeval limit{};
    limit.tv_sec = static_cast<time_t>(wait.count() / 1000);
    limit.tv_usec = static_cast<suseconds_t>(wait.count() % 1000 * 1000);
    Context context{redisConnectWithTimeout("127.0.0.1", port, limit), &redisFree};
    if (context && context->err == 0) redisSetTimeout(context.get(), limit);
    return context;
}

Reply ask(redisContext* context, const std::vector<std::string>& words) {
    std::vector<const char*> texts;
    std::vector<std::size_t> sizes;
    for (const std::string& word : words) {
        texts.push_back(word.data());
        sizes.push_back(word.size());
    }
    void* reply =
        redisCommandArgv(context, static_cast<int>(words.size()), texts.data(), sizes.data());
    return Reply{static_cast<redisReply*>(reply), &freeReplyObject};
}

std::string to_text(const redisReply* reply) {
    if (reply == nullptr) return "(no answer)";
    switch (reply->type) {
        case REDIS_REPLY_INTEGER:
            return std::to_string(reply->integer);
        case REDIS_REPLY_NIL:
            return "(nil)";
        case REDIS_REPLY_ARRAY: {
            std::string text;
            for (std::size_t i = 0; i < reply->elements; ++i) {
                text += (i > 0 ? "\n" : "") + to_text(reply->element[i]);
            }
            return text;
        }
        default:
            return {reply->str, static_cast<std::size_t>(reply->len)};
    }
}

// Any answer but "still loading" means that it serves; a demand for a password is one.
bool answers(std::uint16_t port) {
    const Context context = connect(port, 200ms);
    if (!context || context->err != 0) return false;
    const std::string text = to_text(ask(context.get(), {"PING"}).get());
    return text == "PONG" || text.starts_with("NOAUTH") || text.starts_with("MASTERDOWN");
}

}  // namespace

RedisProcess::RedisProcess(RedisProcessOptions options)
    : options_{std::move(options)}, directory_{make_directory()} {
    if (options_.program.empty()) {
        const char* chosen = std::getenv("SLUICE_REDIS_SERVER");
        options_.program = chosen != nullptr && *chosen != '\0' ? chosen : "redis-server";
    }
    if (options_.with_tls) make_certificate();
    std::ofstream file{directory_ + "/redis.conf"};
    file << options_.config << '\n';
    for (const std::string& user : options_.users) file << "user " << user << '\n';
    file.close();
    for (int attempt = 0; attempt < 5; ++attempt) {
        port_ = options_.port != 0 ? options_.port : free_port();
        tls_port_ = options_.with_tls ? free_port() : std::uint16_t{0};
        if (launch()) return;
    }
    const std::string text = log();
    std::filesystem::remove_all(directory_);
    throw std::runtime_error{
        options_.program +
        " did not start: " + text.substr(text.size() > 2000 ? text.size() - 2000 : 0)};
}

RedisProcess::~RedisProcess() {
    kill();
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
}

bool RedisProcess::is_installed(const std::string& program) {
    std::istringstream path{std::getenv("PATH") != nullptr ? std::getenv("PATH") : ""};
    for (std::string folder; std::getline(path, folder, ':');) {
        if (::access((folder + "/" + program).c_str(), X_OK) == 0) return true;
    }
    return ::access(program.c_str(), X_OK) == 0 && program.find('/') != std::string::npos;
}

std::string RedisProcess::log() const {
    std::ifstream file{directory_ + "/log"};
    return {std::istreambuf_iterator<char>{file}, {}};
}

std::vector<std::string> RedisProcess::command_line() const {
    std::vector<std::string> words{options_.program, directory_ + "/redis.conf"};
    const auto add = [&words](std::initializer_list<std::string> more) {
        words.insert(words.end(), more);
    };
    add(
        {"--port",
         std::to_string(port_),
         "--bind",
         "127.0.0.1",
         "--dir",
         directory_,
         "--daemonize",
         "no"}
    );
    if (!options_.is_sentinel) {
        add({"--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0"});
    }
    if (options_.with_tls) {
        add(
            {"--tls-port",
             std::to_string(tls_port_),
             "--tls-cert-file",
             certificate_file(),
             "--tls-key-file",
             key_file(),
             "--tls-ca-cert-file",
             certificate_file(),
             "--tls-auth-clients",
             "no"}
        );
    }
    if (!options_.password.empty()) {
        add({"--requirepass", options_.password, "--masterauth", options_.password});
    }
    if (options_.replica_of_port != 0) {
        add({"--replicaof", "127.0.0.1 " + std::to_string(options_.replica_of_port)});
    }
    words.insert(words.end(), options_.arguments.begin(), options_.arguments.end());
    if (options_.is_sentinel) words.push_back("--sentinel");
    return words;
}

bool RedisProcess::launch() {
    pid_ = spawn(command_line(), directory_ + "/log");
    if (pid_ < 0) return false;
    const auto end = std::chrono::steady_clock::now() + 10s;
    while (std::chrono::steady_clock::now() < end) {
        if (has_ended(pid_)) {
            pid_ = -1;
            return false;
        }
        if (answers(port_)) return true;
        std::this_thread::sleep_for(5ms);
    }
    kill();
    return false;
}

void RedisProcess::kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
}

void RedisProcess::start() {
    if (pid_ > 0 || !launch()) throw std::runtime_error{"not started again: " + log()};
}

void RedisProcess::pause() {
    ::kill(pid_, SIGSTOP);
}
void RedisProcess::resume() {
    ::kill(pid_, SIGCONT);
}

std::string RedisProcess::command(const std::vector<std::string>& words) const {
    const Context context = connect(port_, 5s);
    if (!context || context->err != 0) return "(no connection)";
    if (!options_.password.empty()) ask(context.get(), {"AUTH", options_.password});
    return to_text(ask(context.get(), words).get());
}

bool RedisProcess::wait_for(
    const std::vector<std::string>& words, const std::string& text, std::chrono::milliseconds bound
) const {
    const auto end = std::chrono::steady_clock::now() + bound;
    while (command(words).find(text) == std::string::npos) {
        if (std::chrono::steady_clock::now() >= end) return false;
        std::this_thread::sleep_for(5ms);
    }
    return true;
}

void RedisProcess::make_certificate() const {
    const std::vector<std::string> words{
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
        "-addext",
        "subjectAltName=IP:127.0.0.1,DNS:localhost",
        "-keyout",
        key_file(),
        "-out",
        certificate_file()};
    const pid_t pid = spawn(words, directory_ + "/log");
    int status = 1;
    if (pid < 0 || ::waitpid(pid, &status, 0) != pid || status != 0) {
        throw std::runtime_error{"no certificate: " + log()};
    }
}

}  // namespace sluice::testing
