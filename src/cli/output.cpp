#include "cli/output.hpp"

#include <berth/sys/file.hpp>
#include <berth/sys/process.hpp>

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>

namespace berth::cli {
namespace {

// Fixed places: a runtime that runs as root starts nothing that it finds in a caller's $PATH.
constexpr std::array<const char*, 2> kPsPrograms = {"/usr/bin/ps", "/bin/ps"};

std::vector<std::string_view> split_words(std::string_view line) {
  std::vector<std::string_view> words;
  while (true) {
    const std::size_t begin = line.find_first_not_of(" \t");
    if (begin == std::string_view::npos) {
      return words;
    }
    line.remove_prefix(begin);
    words.push_back(line.substr(0, line.find_first_of(" \t")));
    line.remove_prefix(words.back().size());
  }
}

[[noreturn]] void exec_ps(int output, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "ps");
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (std::string& argument : arguments) {
    argv.push_back(argument.data());
  }
  argv.push_back(nullptr);
  if (sys::duplicate_to(output, STDOUT_FILENO, 0)) {
    for (const char* program : kPsPrograms) {
      ::execve(program, argv.data(), environ);
    }
  }
  ::_exit(127);
}

void append_cell(std::string& table, std::string_view cell, std::size_t width) {
  if (std::ranges::all_of(cell, [](char character) { return static_cast<unsigned char>(character) < 0x80; })) {
    table += cell;
    table.append(width - cell.size(), ' ');
  } else {  // as wide as it looks, not as many bytes
    table += fmt::format("{:<{}}", cell, width);
  }
}

}  // namespace

Status print(std::string_view text) {
  return sys::write_all(STDOUT_FILENO, text, "stdout");
}

std::string list_table(std::span<const spec::State> states) {
  constexpr std::size_t kColumns = 6;
  constexpr std::size_t kGap = 4;
  using Row = std::array<std::string_view, kColumns>;
  constexpr Row kHeader = {"ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"};
  // Not kept: a thousand rows are less to make twice than to have in memory.
  const auto for_each_row = [&](const auto& visit) {
    visit(kHeader);
    for (const spec::State& state : states) {
      const std::string pid = std::to_string(state.pid);
      const std::string bundle = one_line(state.bundle);
      visit(Row{state.id, pid, spec::status_name(state.status), bundle, state.created, state.owner});
    }
  };
  std::array<std::size_t, kColumns> widths{};
  for_each_row([&widths](const Row& row) {
    for (std::size_t column = 0; column < kColumns; ++column) {
      widths.at(column) = std::max(widths.at(column), row.at(column).size());
    }
  });
  std::string table;
  for_each_row([&](const Row& row) {
    for (std::size_t column = 0; column + 1 < kColumns; ++column) {
      append_cell(table, row.at(column), widths.at(column) + kGap);
    }
    table += row.back();
    table += '\n';
  });
  return table;
}

std::string pid_array(std::span<const pid_t> pids) {
  return fmt::format("[{}]\n", fmt::join(pids, ","));
}

Result<std::string> process_table(std::span<const pid_t> pids, const std::vector<std::string>& arguments) {
  constexpr std::size_t kMaxOutput = std::size_t{64} * 1024 * 1024;
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) < 0) {
    return sys_fail(errno, "pipe2");
  }
  sys::UniqueFd read_end(ends[0]);
  sys::UniqueFd write_end(ends[1]);
  auto cloned = TRY(sys::clone_process(0, -1));
  if (!cloned) {
    exec_ps(write_end.get(), arguments.empty() ? std::vector<std::string>{"-ef"} : arguments);
  }
  sys::Child child(std::move(*cloned));
  write_end.reset();
  const std::string output = TRY(sys::read_all(read_end.get(), kMaxOutput, "ps"));
  const sys::ExitStatus status = TRY(child.reap());
  if (status.shell_status() == 127) {
    return fail(ErrorKind::kSystem, "{} cannot be run; it comes with the package procps", kPsPrograms.front());
  }
  if (status.shell_status() != 0) {
    return fail(ErrorKind::kSystem, "ps: {}", status.describe());
  }
  return filter_process_table(output, pids);
}

Result<std::string> filter_process_table(std::string_view output, std::span<const pid_t> pids) {
  const std::string_view header = output.substr(0, output.find('\n'));
  const std::vector<std::string_view> titles = split_words(header);
  const auto title = std::ranges::find(titles, "PID");
  if (title == titles.end()) {
    return fail(ErrorKind::kUsage, "the output of ps has no column PID");
  }
  const auto column = static_cast<std::size_t>(title - titles.begin());
  std::string table = fmt::format("{}\n", header);
  output.remove_prefix(std::min(output.size(), header.size() + 1));
  while (!output.empty()) {
    const std::string_view line = output.substr(0, output.find('\n'));
    output.remove_prefix(std::min(output.size(), line.size() + 1));
    const std::vector<std::string_view> words = split_words(line);
    pid_t pid = 0;
    if (column >= words.size() ||
        std::from_chars(words[column].data(), words[column].data() + words[column].size(), pid).ec != std::errc()) {
      continue;
    }
    if (std::ranges::find(pids, pid) != pids.end()) {
      table += fmt::format("{}\n", line);
    }
  }
  return table;
}

}  // namespace berth::cli
