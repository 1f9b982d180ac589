// Included before all of request.cpp (see CMakeLists.txt), because CLI11 includes <iostream>, for functions that nobody
// calls here; and whoever includes that sets up eight streams at each start, and has them in the binary.
#pragma once

#include <istream>
#include <ostream>

#if defined(__GLIBCXX__)
// <iostream>'s own guard, and its declarations without its initialiser.
#define _GLIBCXX_IOSTREAM 1  // NOLINT(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp)
namespace std {              // NOLINT(cert-dcl58-cpp)
extern istream cin;
extern ostream cout;
extern ostream cerr;
extern ostream clog;
}  // namespace std
#endif
