#include <berth/cgroup/oom_watch.hpp>
#include <berth/sys/eventfd.hpp>
#include <berth/sys/file.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "cgroup/place.hpp"
#include "cgroup/statistics.hpp"

namespace berth::cgroup {
namespace {

// Of memory.events; nothing once the cgroup is gone. Reading from the start is also what makes poll(2) wait for the
// next change.
Result<std::optional<std::uint64_t>> kills_in(int fd) {
  if (::lseek(fd, 0, SEEK_SET) < 0) {
    return sys_fail(errno, "lseek(memory.events)");
  }
  const auto text = sys::read_all(fd, 4096, "memory.events");
  if (!text) {
    const bool gone = text.error().is(ENODEV) || text.error().is(ENOENT);
    return gone ? Result<std::optional<std::uint64_t>>() : std::unexpected(text.error());
  }
  return counter(parse_counters(*text), "oom_kill");
}

}  // namespace

Result<OomWatch> OomWatch::open(const Placement& placement) {
  OomWatch watch;
  if (const Directory* memory = find_directory(placement, "memory")) {
    watch.eventfd_ = TRY(sys::make_eventfd());
    watch.file_ = TRY(sys::open_at(AT_FDCWD, memory->path + "/memory.oom_control", O_RDONLY));
    // Documentation/admin-guide/cgroup-v1/memory.rst: "<event_fd> <fd of memory.oom_control>".
    TRY(sys::write_file(AT_FDCWD, memory->path + "/cgroup.event_control",
                        fmt::format("{} {}", watch.eventfd_.get(), watch.file_.get())));
  } else if (const Directory* unified = find_directory(placement, "")) {
    auto opened = sys::open_at(AT_FDCWD, unified->path + "/memory.events", O_RDONLY);
    if (!opened && opened.error().is(ENOENT)) {
      return watch;
    }
    watch.file_ = TRY(std::move(opened));
    watch.killed_ = TRY(kills_in(watch.file_.get())).value_or(0);
  }
  return watch;
}

pollfd OomWatch::request() const {
  if (eventfd_.valid()) {
    return {.fd = eventfd_.get(), .events = POLLIN, .revents = 0};
  }
  return {.fd = file_.get(), .events = POLLPRI, .revents = 0};
}

Result<bool> OomWatch::take() {
  if (!file_.valid()) {
    return false;
  }
  if (!eventfd_.valid()) {
    const auto killed = TRY(kills_in(file_.get()));
    const bool more = killed.value_or(0) > killed_;
    if (!killed) {
      file_.reset();  // of a cgroup that is gone, which poll(2) would report without end
    } else {
      killed_ = *killed;
    }
    return more;
  }
  std::uint64_t count = TRY(sys::read_eventfd(eventfd_.get()));
  char byte = 0;
  if (count > 0 && ::pread(file_.get(), &byte, 1, 0) < 0 && errno == ENODEV) {
    count -= 1;  // the removal of the cgroup signals once itself
    eventfd_.reset();
    file_.reset();
  }
  return count > 0;
}

}  // namespace berth::cgroup
