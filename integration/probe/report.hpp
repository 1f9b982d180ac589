#pragma once

#include "json_writer.hpp"

namespace probe {

/// Everything that a process can see of itself, as fields of the open object.
void report_self(JsonWriter& json, char** arguments, char** environment);
/// `path` with its content, or its errno as a number.
void report_file(JsonWriter& json, const char* path);
/// `path` with lstat's answer, or its errno as a number.
void report_stat(JsonWriter& json, const char* path);
/// `path` with the names in it and what each is.
void report_directory(JsonWriter& json, const char* path);

/// Tries one thing that a container may or may not be able to do. `attempt` is NAME or NAME:ARGUMENT (see
/// attempts.cpp); gives 0 if it worked, else errno, -1 if there is no such attempt.
int attempt(const char* attempt);

/// Looks into every new process until SIGUSR1 comes, then prints what of the host it found there. `arguments`: device
/// and inode of the host's root, and a text of the caller's environment.
int watch(char** arguments);

/// Traces every new process that it may, until SIGUSR1 comes; then prints what those were, each as
/// `EXECUTABLE filtered` or `EXECUTABLE free` (of a seccomp filter).
int seize();

/// The pid that was given last in this namespace: the last word of /proc/loadavg.
int last_pid();

}  // namespace probe
