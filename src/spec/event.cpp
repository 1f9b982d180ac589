#include <berth/spec/event.hpp>

#include "spec/json_writer.hpp"

namespace berth::spec {
namespace {

// runc leaves these out where they are 0.
void member_unless_zero(JsonWriter& writer, std::string_view name, std::uint64_t number) {
  if (number != 0) {
    writer.member(name, number);
  }
}

template <class Number>
void numbers_unless_empty(JsonWriter& writer, std::string_view name, const std::vector<Number>& numbers) {
  if (numbers.empty()) {
    return;
  }
  writer.key(name);
  writer.begin_array();
  for (const Number number : numbers) {
    writer.value(number);
  }
  writer.end_array();
}

void counters_unless_empty(JsonWriter& writer, std::string_view name, const Counters& counters) {
  if (counters.empty()) {
    return;
  }
  writer.key(name);
  writer.begin_object();
  for (const auto& [key, number] : counters) {
    writer.member(key, number);
  }
  writer.end_object();
}

void write_pressure(JsonWriter& writer, const std::optional<Pressure>& pressure) {
  if (!pressure) {
    return;
  }
  writer.key("psi");
  writer.begin_object();
  for (const auto& [name, line] : {std::pair("some", &pressure->some), std::pair("full", &pressure->full)}) {
    writer.key(name);
    writer.begin_object();
    for (const auto& [key, text] :
         {std::pair("avg10", &line->avg10), std::pair("avg60", &line->avg60), std::pair("avg300", &line->avg300)}) {
      writer.key(key);
      writer.number(*text);
    }
    writer.member("total", line->total);
    writer.end_object();
  }
  writer.end_object();
}

void write_cpu(JsonWriter& writer, const CpuStatistics& cpu) {
  writer.key("cpu");
  writer.begin_object();
  writer.key("usage");
  writer.begin_object();
  member_unless_zero(writer, "total", cpu.total);
  numbers_unless_empty(writer, "percpu", cpu.of_each);
  numbers_unless_empty(writer, "percpu_kernel", cpu.of_each_kernel);
  numbers_unless_empty(writer, "percpu_user", cpu.of_each_user);
  writer.member("kernel", cpu.kernel);
  writer.member("user", cpu.user);
  writer.end_object();
  writer.key("throttling");
  writer.begin_object();
  member_unless_zero(writer, "periods", cpu.periods);
  member_unless_zero(writer, "throttledPeriods", cpu.throttled_periods);
  member_unless_zero(writer, "throttledTime", cpu.throttled_time);
  writer.end_object();
  write_pressure(writer, cpu.pressure);
  writer.end_object();
}

void write_cpuset(JsonWriter& writer, const CpusetStatistics& cpuset) {
  writer.key("cpuset");
  writer.begin_object();
  numbers_unless_empty(writer, "cpus", cpuset.cpus);
  numbers_unless_empty(writer, "mems", cpuset.mems);
  for (const auto& [name, number] : cpuset.files) {
    writer.member(name, number);
  }
  writer.member("sched_relax_domain_level", cpuset.relax_domain_level);
  writer.end_object();
}

void write_memory(JsonWriter& writer, const MemoryStatistics& memory) {
  writer.key("memory");
  writer.begin_object();
  member_unless_zero(writer, "cache", memory.cache);
  for (const auto& [name, use] : {std::pair("usage", &memory.usage), std::pair("swap", &memory.swap),
                                  std::pair("kernel", &memory.kernel), std::pair("kernelTCP", &memory.kernel_tcp)}) {
    writer.key(name);
    writer.begin_object();
    writer.member("limit", use->limit);
    member_unless_zero(writer, "usage", use->usage);
    member_unless_zero(writer, "max", use->max);
    writer.member("failcnt", use->failcnt);
    writer.end_object();
  }
  counters_unless_empty(writer, "raw", memory.raw);
  counters_unless_empty(writer, "events", memory.events);
  write_pressure(writer, memory.pressure);
  writer.end_object();
}

void write_pids(JsonWriter& writer, const PidsStatistics& pids) {
  writer.key("pids");
  writer.begin_object();
  member_unless_zero(writer, "current", pids.current);
  member_unless_zero(writer, "limit", pids.limit);
  counters_unless_empty(writer, "events", pids.events);
  writer.end_object();
}

void write_block_io(JsonWriter& writer, const BlockIoStatistics& block_io) {
  writer.key("blkio");
  writer.begin_object();
  for (const auto& [name, entries] : block_io.lists) {
    writer.key(name);
    writer.begin_array();
    for (const BlockIoEntry& entry : entries) {
      writer.begin_object();
      member_unless_zero(writer, "major", entry.major);
      member_unless_zero(writer, "minor", entry.minor);
      if (!entry.operation.empty()) {
        writer.member("op", entry.operation);
      }
      member_unless_zero(writer, "value", entry.value);
      writer.end_object();
    }
    writer.end_array();
  }
  write_pressure(writer, block_io.pressure);
  writer.end_object();
}

void write_hugetlb(JsonWriter& writer, const std::vector<HugetlbStatistics>& hugetlb) {
  writer.key("hugetlb");
  writer.begin_object();
  for (const HugetlbStatistics& pages : hugetlb) {
    writer.key(pages.page_size);
    writer.begin_object();
    member_unless_zero(writer, "usage", pages.usage);
    member_unless_zero(writer, "max", pages.max);
    writer.member("failcnt", pages.failcnt);
    writer.end_object();
  }
  writer.end_object();
}

void begin_event(JsonWriter& writer, const char* type, const std::string& id) {
  writer.begin_object();
  writer.member("type", type);
  writer.member("id", id);
}

}  // namespace

std::string stats_event_json(const std::string& id, const Statistics& statistics) {
  JsonWriter writer(Layout::kCompact);
  begin_event(writer, "stats", id);
  writer.key("data");
  writer.begin_object();
  write_cpu(writer, statistics.cpu);
  write_cpuset(writer, statistics.cpuset);
  write_memory(writer, statistics.memory);
  write_pids(writer, statistics.pids);
  write_block_io(writer, statistics.block_io);
  write_hugetlb(writer, statistics.hugetlb);
  // runc's keys for what berth does not measure: Intel RDT, and interfaces that the runtime itself would have made.
  writer.key("intel_rdt");
  writer.begin_object();
  writer.end_object();
  writer.key("network_interfaces");
  writer.number("null");
  writer.end_object();
  writer.end_object();
  return writer.take();
}

std::string oom_event_json(const std::string& id) {
  JsonWriter writer(Layout::kCompact);
  begin_event(writer, "oom", id);
  writer.end_object();
  return writer.take();
}

}  // namespace berth::spec
