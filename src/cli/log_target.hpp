// Where log records go: --log.
#pragma once

#include <berth/base/error.hpp>
#include <berth/base/log.hpp>
#include <berth/sys/unique_fd.hpp>

#include <sys/types.h>
#include <time.h>

#include <string>
#include <string_view>

#include "cli/log_options.hpp"

namespace berth::cli {

/// Opens the log that `options` ask for and configures it: a file, which is appended to (`PATH`, `file:PATH`), the
/// journal (`journald:NAME`) or the syslog daemon (`syslog:NAME`), or stderr. `container` is the container's id, which
/// the journal gets as a field, or empty. The descriptor, which the log borrows, is not below `first_free`.
Result<sys::UniqueFd> open_log(const LogOptions& options, const std::string& container, int first_free);

/// A datagram of systemd's journal, in its native protocol, with the fields MESSAGE, PRIORITY, SYSLOG_IDENTIFIER and,
/// as in crun, ID.
[[nodiscard]] std::string journal_datagram(log::Level level, std::string_view message, std::string_view name,
                                           std::string_view container);

/// A datagram of syslog, as RFC 3164 and syslog(3) have it: facility user, local time, `name[pid]:`. A message that is
/// longer than daemons read is cut.
[[nodiscard]] std::string syslog_datagram(log::Level level, std::string_view message, std::string_view name, pid_t pid,
                                          const struct tm& local_time);

}  // namespace berth::cli
