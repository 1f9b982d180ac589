#include "cli/log_target.hpp"

#include <berth/sys/file.hpp>
#include <berth/sys/process.hpp>
#include <berth/sys/socket.hpp>

#include <fcntl.h>
#include <sys/mman.h>

#include <array>
#include <bit>
#include <cerrno>
#include <cstdint>
#include <cstring>

namespace berth::cli {
namespace {

constexpr const char* kJournalSocket = "/run/systemd/journal/socket";
constexpr const char* kSyslogSocket = "/dev/log";
constexpr std::string_view kDefaultName = "berth";

// syslog(3): LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERR.
int priority_of(log::Level level) {
  static constexpr std::array<int, 4> kPriorities = {7, 6, 4, 3};
  return kPriorities.at(static_cast<std::size_t>(level));
}

// A value with a newline has its length in front, 64 bits, little endian.
void add_field(std::string& datagram, std::string_view name, std::string_view value) {
  datagram += name;
  if (value.find('\n') == std::string_view::npos) {
    datagram += '=';
  } else {
    std::uint64_t length = value.size();
    if constexpr (std::endian::native == std::endian::big) {
      length = __builtin_bswap64(length);
    }
    std::array<char, sizeof length> bytes{};
    std::memcpy(bytes.data(), &length, sizeof length);
    datagram += '\n';
    datagram.append(bytes.data(), bytes.size());
  }
  datagram += value;
  datagram += '\n';
}

// What is too long for a datagram goes in a sealed memory file, whose descriptor alone is sent.
Status send_to_journal(int socket, const std::string& datagram) {
  auto sent = sys::send_message(socket, datagram, {}, kJournalSocket);
  if (sent || (!sent.error().is(EMSGSIZE) && !sent.error().is(ENOBUFS))) {
    return sent;
  }
  const sys::UniqueFd file = TRY(sys::memory_file("berth-log", false));
  TRY(sys::write_all(file.get(), datagram, "memory file"));
  TRY(sys::seal_memory_file(file.get()));
  const int fd = file.get();
  return sys::send_message(socket, {}, {&fd, 1}, kJournalSocket);
}

Result<sys::UniqueFd> connect_service(const char* address, const char* daemon) {
  auto socket = sys::connect_datagram(address);
  if (!socket) {
    socket.error().add_hint(fmt::format("is {} running?", daemon));
    return socket;
  }
  TRY(sys::set_nonblocking(socket->get()));
  return socket;
}

struct Target {
  enum class Kind : std::uint8_t { kFile, kJournal, kSyslog };
  Kind kind = Kind::kFile;
  std::string value;  ///< a path, or the name that the messages come under
};

// A path may have a colon.
Target parse_target(const std::string& text) {
  const auto after = [&text](std::string_view prefix) { return text.substr(prefix.size()); };
  const auto name = [&after](std::string_view prefix) {
    std::string given = after(prefix);
    return given.empty() ? std::string(kDefaultName) : given;
  };
  if (text.starts_with("journald:")) {
    return {Target::Kind::kJournal, name("journald:")};
  }
  if (text.starts_with("syslog:")) {
    return {Target::Kind::kSyslog, name("syslog:")};
  }
  return {Target::Kind::kFile, text.starts_with("file:") ? after("file:") : text};
}

Result<sys::UniqueFd> open_target(const Target& target) {
  switch (target.kind) {
    case Target::Kind::kJournal:
      return connect_service(kJournalSocket, "systemd-journald");
    case Target::Kind::kSyslog:
      return connect_service(kSyslogSocket, "a syslog daemon");
    case Target::Kind::kFile:
      break;
  }
  return sys::open_at(AT_FDCWD, target.value, O_WRONLY | O_CREAT | O_APPEND, 0644);
}

void send_to_syslog(int socket, log::Level level, std::string_view text, const std::string& name, pid_t pid) {
  const time_t now = ::time(nullptr);
  struct tm local {};
  if (::localtime_r(&now, &local) != nullptr) {
    static_cast<void>(sys::send_message(socket, syslog_datagram(level, text, name, pid, local), {}, kSyslogSocket));
  }
}

}  // namespace

std::string journal_datagram(log::Level level, std::string_view message, std::string_view name,
                             std::string_view container) {
  std::string datagram;
  add_field(datagram, "PRIORITY", std::to_string(priority_of(level)));
  add_field(datagram, "SYSLOG_IDENTIFIER", name);
  if (!container.empty()) {
    add_field(datagram, "ID", container);
  }
  add_field(datagram, "MESSAGE", message);
  return datagram;
}

std::string syslog_datagram(log::Level level, std::string_view message, std::string_view name, pid_t pid,
                            const struct tm& local_time) {
  static constexpr std::array<const char*, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  constexpr std::size_t kLongest = 8000;
  constexpr int kFacilityUser = 1 << 3;
  std::string datagram = fmt::format("<{}>{} {:2} {:02}:{:02}:{:02} {}[{}]: {}", kFacilityUser | priority_of(level),
                                     kMonths.at(static_cast<std::size_t>(local_time.tm_mon)), local_time.tm_mday,
                                     local_time.tm_hour, local_time.tm_min, local_time.tm_sec, name, pid, message);
  datagram.resize(std::min(datagram.size(), kLongest));
  return datagram;
}

Result<sys::UniqueFd> open_log(const LogOptions& options, const std::string& container, int first_free) {
  log::Settings settings{.fd = -1, .format = options.format, .level = options.level};
  sys::UniqueFd fd;
  if (!options.target.empty()) {
    const Target target = parse_target(options.target);
    fd = TRY_CONTEXT(open_target(target), "--log {}", one_line(options.target));
    if (fd.get() < first_free) {
      fd = TRY_CONTEXT(sys::duplicate(fd.get(), first_free), "--log");
    }
    settings.fd = fd.get();
    if (target.kind == Target::Kind::kJournal) {
      settings.send = [socket = fd.get(), name = target.value, container](log::Level level, std::string_view text) {
        static_cast<void>(send_to_journal(socket, journal_datagram(level, text, name, container)));
      };
    } else if (target.kind == Target::Kind::kSyslog) {
      ::tzset();  // now: later it would be the container's /etc/localtime
      // The pid too: the container's process has another one in its own pid namespace.
      settings.send = [socket = fd.get(), name = target.value, pid = sys::own_pid()](
                          log::Level level, std::string_view text) { send_to_syslog(socket, level, text, name, pid); };
    }
  }
  log::configure(settings);
  return fd;
}

}  // namespace berth::cli
