// stopwatch rounds COUNT SUBJECT...          times subjects by turns: A B C A B C ...
// stopwatch rate COUNT AT_ONCE SUBJECT       runs a subject COUNT times, AT_ONCE at a time
// SUBJECT = -- NAME STEP [; STEP]...         STEP = [@] PROGRAM ARGUMENT...
//
// A step's time is from before its program is started until it is collected; a step that begins with @ is not counted.
// {} in an argument is a number that no other turn has. `rounds` prints a line `NAME NANOSECONDS KIB` for each turn:
// the wall time of the counted steps, and the largest peak memory of their processes and of those that they waited for.
// `rate` prints `NAME NANOSECONDS` for the whole. A step that fails ends everything, with what it wrote.
//
// Orphans come to this process, as they do to an engine's monitor, and are collected at once.
#include <fcntl.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace {

struct Step {
  bool counted = true;
  std::vector<std::string> arguments;
};

struct Subject {
  std::string name;
  std::vector<Step> steps;
};

struct Sample {
  std::int64_t nanoseconds = 0;
  long peak_kib = 0;
};

int output = -1;  // what the steps write; read only if one fails

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "stopwatch: %s\n", what.c_str());
  std::exit(1);
}

std::int64_t now() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

std::vector<Subject> parse(int argc, char** argv, int from) {
  std::vector<Subject> subjects;
  bool named = false;
  for (int index = from; index < argc; ++index) {
    const std::string word = argv[index];
    if (word == "--") {
      subjects.emplace_back();
      named = false;
    } else if (subjects.empty()) {
      fail("a subject begins with --");
    } else if (!named) {
      subjects.back().name = word;
      subjects.back().steps.emplace_back();
      named = true;
    } else if (word == ";") {
      subjects.back().steps.emplace_back();
    } else if (word == "@") {
      subjects.back().steps.back().counted = false;
    } else {
      subjects.back().steps.back().arguments.push_back(word);
    }
  }
  return subjects;
}

pid_t spawn(const Step& step, const std::string& number) {
  std::vector<std::string> arguments = step.arguments;
  std::vector<char*> pointers;
  for (auto& argument : arguments) {
    if (const auto place = argument.find("{}"); place != std::string::npos) {
      argument.replace(place, 2, number);
    }
    pointers.push_back(argument.data());
  }
  pointers.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, output, 1);
  posix_spawn_file_actions_adddup2(&actions, output, 2);
  pid_t pid = -1;
  const int error = posix_spawn(&pid, pointers.front(), &actions, nullptr, pointers.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    fail(arguments.front() + ": " + std::strerror(error));
  }
  return pid;
}

[[noreturn]] void fail_step(const Step& step, int status) {
  std::string command;
  for (const auto& argument : step.arguments) {
    command += argument + " ";
  }
  std::array<char, 4096> text{};
  const auto end = lseek(output, 0, SEEK_END);
  const auto size = pread(output, text.data(), text.size() - 1, std::max<off_t>(0, end - 4000));
  fail(command + "ended with status " + std::to_string(status) + "\n" +
       std::string(text.data(), size > 0 ? static_cast<std::size_t>(size) : 0));
}

Sample time_once(const Subject& subject, const std::string& number) {
  Sample sample;
  for (const auto& step : subject.steps) {
    const std::int64_t start = now();
    const pid_t pid = spawn(step, number);
    rusage usage{};
    int status = 0;
    while (wait4(-1, &status, 0, &usage) != pid) {
    }
    const std::int64_t end = now();
    if (status != 0) {
      fail_step(step, status);
    }
    if (step.counted) {
      sample.nanoseconds += end - start;
      sample.peak_kib = std::max(sample.peak_kib, usage.ru_maxrss);
    }
  }
  return sample;
}

void rounds(int count, const std::vector<Subject>& subjects) {
  int number = 0;
  for (int round = 0; round < count; ++round) {
    for (const auto& subject : subjects) {
      const Sample sample = time_once(subject, std::to_string(number++));
      std::printf("%s %lld %ld\n", subject.name.c_str(), static_cast<long long>(sample.nanoseconds), sample.peak_kib);
    }
    if (ftruncate(output, 0) != 0) {
      fail("ftruncate");
    }
  }
}

void rate(int count, int at_once, const Subject& subject) {
  if (subject.steps.size() != 1) {
    fail("rate takes one step");
  }
  const Step& step = subject.steps.front();
  std::map<pid_t, int> running;
  const std::int64_t start = now();
  for (int number = 0; number < count || !running.empty();) {
    while (number < count && std::ssize(running) < at_once) {
      running[spawn(step, std::to_string(number))] = number;
      ++number;
    }
    int status = 0;
    const pid_t pid = wait4(-1, &status, 0, nullptr);
    if (running.erase(pid) != 0 && status != 0) {
      fail_step(step, status);
    }
  }
  std::printf("%s %lld\n", subject.name.c_str(), static_cast<long long>(now() - start));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    fail(
        "usage: stopwatch rounds COUNT -- NAME PROGRAM ARGUMENT... | stopwatch rate COUNT AT_ONCE -- NAME PROGRAM "
        "ARGUMENT...");
  }
  prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  output = open("/tmp", O_TMPFILE | O_RDWR | O_APPEND | O_CLOEXEC, 0600);
  if (output < 0) {
    fail("/tmp: no unnamed file can be made there");
  }
  const std::string_view mode = argv[1];
  const int count = std::atoi(argv[2]);
  if (mode == "rounds") {
    rounds(count, parse(argc, argv, 3));
  } else if (mode == "rate") {
    rate(count, std::atoi(argv[3]), parse(argc, argv, 4).front());
  } else {
    fail("rounds or rate?");
  }
}
