#include "cli/update_options.hpp"

#include <berth/base/log.hpp>
#include <berth/spec/parse.hpp>
#include <berth/spec/state.hpp>

#include <charconv>
#include <concepts>
#include <optional>

#include "cli/amounts.hpp"
#include "cli/document.hpp"

namespace berth::cli {
namespace {

template <std::integral Integer>
Status read_number(const std::string& text, std::optional<Integer>& number) {
  const char* const end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, number.emplace());
  if (parsed.ec != std::errc() || parsed.ptr != end) {
    return fail(ErrorKind::kUsage, "\"{}\" is not a number for it", one_line(text));
  }
  return {};
}

Status read_bytes(const std::string& text, std::optional<std::int64_t>& bytes) {
  bytes = TRY(parse_bytes(text));
  return {};
}

Status ignore_kernel_memory(UpdateDocument& /*update*/, const std::string& /*text*/) {
  log::warning("kernel memory has no limit of its own any more: --memory counts it too");
  return {};
}

using Update = UpdateDocument;
using Text = const std::string&;

}  // namespace

const std::array<LimitOption, kLimitOptionCount> kLimitOptions = {{
    {"--blkio-weight", "weight of block io, 10 to 1000", false,
     [](Update& u, Text text) { return read_number(text, u.resources.block_io.weight); }},
    {"--cpu-period", "microseconds that a quota is for", false,
     [](Update& u, Text text) { return read_number(text, u.resources.cpu.period); }},
    {"--cpu-quota", "microseconds of cpu time in each period, -1 for no limit", false,
     [](Update& u, Text text) { return read_number(text, u.resources.cpu.quota); }},
    {"--cpu-burst", "microseconds that may be saved up for later periods", false,
     [](Update& u, Text text) { return read_number(text, u.resources.cpu.burst); }},
    {"--cpu-share", "share of the cpu, beside those of others", false,
     [](Update& u, Text text) { return read_number(text, u.resources.cpu.shares); }},
    {"--cpu-rt-period", "microseconds that a real-time budget is for", false,
     [](Update& u, Text text) { return read_number(text, u.resources.cpu.realtime_period); }},
    {"--cpu-rt-runtime", "microseconds for real-time processes in each period", false,
     [](Update& u, Text text) { return read_number(text, u.resources.cpu.realtime_runtime); }},
    {"--cpu-idle", "1: run only when nobody else wants to", false,
     [](Update& u, Text text) { return read_number(text, u.resources.cpu.idle); }},
    {"--cpuset-cpus", "cpus to run on, as 0-3,5", false,
     [](Update& u, Text text) { return u.resources.cpu.cpus = text, Status(); }},
    {"--cpuset-mems", "memory nodes to take memory from", false,
     [](Update& u, Text text) { return u.resources.cpu.mems = text, Status(); }},
    {"--memory", "bytes of memory, as 64m; -1 for no limit", false,
     [](Update& u, Text text) { return read_bytes(text, u.resources.memory.limit); }},
    {"--memory-reservation", "bytes of memory that are left when memory is short", false,
     [](Update& u, Text text) { return read_bytes(text, u.resources.memory.reservation); }},
    {"--memory-swap", "bytes of memory and swap together, -1 for no limit", false,
     [](Update& u, Text text) { return read_bytes(text, u.resources.memory.swap); }},
    {"--pids-limit", "number of processes and threads, -1 for no limit", false,
     [](Update& u, Text text) { return read_number(text, u.resources.pids.limit); }},
    {"--l3-cache-schema", "Intel RDT: share of the level 3 cache, as L3:0=ff", false,
     [](Update& u, Text text) { return u.intel_rdt.l3_cache_schema = text, Status(); }},
    {"--mem-bw-schema", "Intel RDT: share of the memory bandwidth, as MB:0=50", false,
     [](Update& u, Text text) { return u.intel_rdt.memory_bandwidth_schema = text, Status(); }},
    {"--kernel-memory", "accepted for older callers; ignored", true, ignore_kernel_memory},
    {"--kernel-memory-tcp", "accepted for older callers; ignored", true, ignore_kernel_memory},
}};

Result<UpdateDocument> read_update(const UpdateOptions& options) {
  UpdateDocument update;
  update.oci_version = spec::kOciVersion;
  for (std::size_t index = 0; index < kLimitOptionCount; ++index) {
    if (!options.limits.at(index).empty()) {
      TRY_CONTEXT(kLimitOptions.at(index).set(update, options.limits.at(index)), "{}", kLimitOptions.at(index).name);
    }
  }
  if (!options.document.empty()) {
    const std::string text = TRY_CONTEXT(read_document(options.document), "--resources");
    update.resources = TRY_CONTEXT(spec::parse_resources(text), "--resources");
    update.oci_version.clear();
  }
  return update;
}

}  // namespace berth::cli
