#include <berth/spec/record.hpp>

#include "spec/json_parse.hpp"
#include "spec/json_reader.hpp"
#include "spec/json_writer.hpp"
#include "spec/read_config.hpp"

namespace berth::spec {
namespace {

// Raised when a record of an older program can no longer be understood.
constexpr std::uint32_t kVersion = 1;

void write_hooks(JsonWriter& writer, std::string_view name, const std::vector<Hook>& hooks) {
  if (hooks.empty()) {
    return;
  }
  writer.key(name);
  writer.begin_array();
  for (const Hook& hook : hooks) {
    writer.begin_object();
    writer.member("path", hook.path);
    writer.string_array("args", hook.args);
    writer.string_array("env", hook.env);
    if (hook.timeout) {
      writer.member("timeout", hook.timeout->count());
    }
    writer.end_object();
  }
  writer.end_array();
}

void write_cgroup(JsonWriter& writer, const CgroupRecord& cgroup) {
  writer.key("cgroup");
  writer.begin_object();
  writer.member("manager", cgroup.manager);
  writer.member("path", cgroup.path);
  writer.key("directories");
  writer.begin_array();
  for (const CgroupDirectoryRecord& directory : cgroup.directories) {
    writer.begin_object();
    writer.member("hierarchy", directory.hierarchy);
    writer.member("path", directory.path);
    writer.end_object();
  }
  writer.end_array();
  if (cgroup.unit) {
    writer.key("unit");
    writer.begin_object();
    writer.member("name", cgroup.unit->name);
    writer.member("user", cgroup.unit->user);
    writer.member("invocation", cgroup.unit->invocation);
    writer.end_object();
  }
  writer.member("inode", cgroup.inode);
  writer.end_object();
}

// A path that commands act on: nothing relative to wherever the next command starts.
struct AbsolutePath {
  std::string& path;
};

void read(const Cursor& at, AbsolutePath& out) {
  read(at, out.path);
  if (!out.path.starts_with('/')) {
    at.expected("an absolute path");
  }
}

// kill(2) and others give negative numbers another meaning.
struct ProcessId {
  pid_t& pid;
};

void read(const Cursor& at, ProcessId& out) {
  std::int64_t number = 0;
  read_signed(at, 0, std::numeric_limits<pid_t>::max(), number);
  out.pid = static_cast<pid_t>(number);
}

struct Version {};

void read(const Cursor& at, Version& /*version*/) {
  std::uint32_t number = kVersion;
  read(at, number);
  if (number != kVersion) {
    at.expected(fmt::format("version {} of the record", kVersion));
  }
}

}  // namespace

void read(const Cursor& at, CgroupDirectoryRecord& directory) {
  AbsolutePath path{directory.path};
  Fields(at).required("hierarchy", directory.hierarchy).required("path", path);
}

void read(const Cursor& at, UnitRecord& unit) {
  Fields(at).required("name", unit.name).required("user", unit.user).required("invocation", unit.invocation);
}

void read(const Cursor& at, CgroupRecord& cgroup) {
  Fields(at)
      .required("manager", cgroup.manager)
      .required("path", cgroup.path)
      .required("directories", cgroup.directories)
      .optional("inode", cgroup.inode)
      .optional("unit", cgroup.unit);
}

void read(const Cursor& at, Record& record) {
  Version version;
  AbsolutePath bundle{record.bundle};
  AbsolutePath rootfs{record.rootfs};
  ProcessId pid{record.pid};
  Fields(at)
      .required("version", version)
      .required("id", record.id)
      .required("bundle", bundle)
      .required("rootfs", rootfs)
      .required("bootId", record.boot_id)
      .required("pid", pid)
      .required("startTime", record.start_time)
      .required("created", record.created)
      .required("owner", record.owner)
      .required("committed", record.committed)
      .required("cgroup", record.cgroup)
      .optional("noNewKeyring", record.no_new_keyring)
      .optional("poststart", record.poststart)
      .optional("poststop", record.poststop)
      .optional("annotations", record.annotations)
      .optional("rdtDirectories", record.rdt_directories)
      .optional("seccompListenerPath", record.seccomp_listener_path)
      .optional("seccompListenerMetadata", record.seccomp_listener_metadata);
}

// What most containers do not have is left out: `list` reads a thousand of these.
std::string record_json(const Record& record) {
  JsonWriter writer(Layout::kCompact);
  writer.begin_object();
  writer.member("version", kVersion);
  writer.member("id", record.id);
  writer.member("bundle", record.bundle);
  writer.member("rootfs", record.rootfs);
  writer.member("bootId", record.boot_id);
  writer.member("pid", record.pid);
  writer.member("startTime", record.start_time);
  writer.member("created", record.created);
  writer.member("owner", record.owner);
  writer.member("committed", record.committed);
  write_cgroup(writer, record.cgroup);
  if (record.no_new_keyring) {
    writer.member("noNewKeyring", true);
  }
  write_hooks(writer, "poststart", record.poststart);
  write_hooks(writer, "poststop", record.poststop);
  if (!record.annotations.empty()) {
    writer.string_object("annotations", record.annotations);
  }
  if (!record.rdt_directories.empty()) {
    writer.string_array("rdtDirectories", record.rdt_directories);
  }
  if (!record.seccomp_listener_path.empty()) {
    writer.member("seccompListenerPath", record.seccomp_listener_path);
    writer.member("seccompListenerMetadata", record.seccomp_listener_metadata);
  }
  writer.end_object();
  return writer.take() + '\n';
}

Result<Record> parse_record(std::string_view text) {
  const auto as_state_error = [](Error error) {
    error.set_kind(ErrorKind::kState);
    return std::unexpected(std::move(error));
  };
  if (!text.ends_with('\n')) {
    return fail(ErrorKind::kState, "the record is cut short after {} bytes", text.size());
  }
  Result<Value> document = parse_json(text);
  if (!document) {
    return as_state_error(std::move(document).error());
  }
  Problems problems;
  Record record;
  read(Cursor(*document, problems), record);
  if (!problems.empty()) {
    return as_state_error(problems.error());
  }
  return record;
}

}  // namespace berth::spec
