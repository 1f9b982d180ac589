#include "fuzz/config_input.hpp"

#include <berth/base/log.hpp>
#include <berth/plan/lower.hpp>
#include <berth/spec/parse.hpp>
#include <berth/spec/record.hpp>

#include <cstdio>
#include <cstdlib>

namespace berth::test {
namespace {

void check(const Error& error, ErrorKind kind) {
  const std::string message = error.message();
  if (message.empty() || message.find('\n') != std::string::npos || error.kind() != kind) {
    std::fprintf(stderr, "not an error as it should be: %s\n", message.c_str());
    std::abort();
  }
}

template <typename T>
void check(const Result<T>& result) {
  if (!result) {
    check(result.error(), ErrorKind::kConfig);
  }
}

}  // namespace

void read_as_everything(std::string_view text) {
  log::configure({.fd = -1, .format = log::Format::kText, .level = log::Level::kError});
  const auto config = spec::parse_config(text);
  check(config);
  if (config) {
    check(plan::lower(*config, "/bundle", {}));
    check(plan::lower(*config, "/bundle", {.capabilities = 0x1ffffffffff, .euid = 1000, .rootless = true}));
  }
  const auto resources = spec::parse_resources(text);
  check(resources);
  if (resources) {
    check(plan::lower_update(*resources, {}, ""));
  }
  if (const auto record = spec::parse_record(text); !record && record.error().message().empty()) {
    std::abort();
  }
}

}  // namespace berth::test

/// For libFuzzer (integration/fuzz), which looks for inputs that reach new code.
extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  berth::test::read_as_everything({reinterpret_cast<const char*>(data), size});
  return 0;
}
