#include <berth/spec/parse.hpp>

#include "spec/json_parse.hpp"
#include "spec/read_config.hpp"

namespace berth::spec {

void read(const Cursor& at, IdMapping& mapping) {
  Fields(at)
      .required("containerID", mapping.container_id)
      .required("hostID", mapping.host_id)
      .required("size", mapping.size);
}

void read(const Cursor& at, Root& root) {
  Fields(at).required("path", root.path).optional("readonly", root.readonly);
}

void read(const Cursor& at, Mount& mount) {
  Fields(at)
      .required("destination", mount.destination)
      .optional("source", mount.source)
      .optional("type", mount.type)
      .optional("options", mount.options)
      .optional("uidMappings", mount.uid_mappings)
      .optional("gidMappings", mount.gid_mappings);
}

void read(const Cursor& at, Hook& hook) {
  std::optional<std::uint32_t> timeout;
  Fields(at)
      .required("path", hook.path)
      .optional("args", hook.args)
      .optional("env", hook.env)
      .optional("timeout", timeout);
  if (timeout) {
    hook.timeout = std::chrono::seconds(*timeout);
  }
}

void read(const Cursor& at, Hooks& hooks) {
  Fields(at)
      .optional("prestart", hooks.prestart)
      .optional("createRuntime", hooks.create_runtime)
      .optional("createContainer", hooks.create_container)
      .optional("startContainer", hooks.start_container)
      .optional("poststart", hooks.poststart)
      .optional("poststop", hooks.poststop);
}

void read(const Cursor& at, Config& config) {
  Fields fields(at);
  fields.required("ociVersion", config.oci_version)
      .optional("root", config.root)
      .optional("mounts", config.mounts)
      .optional("process", config.process)
      .optional("hostname", config.hostname)
      .optional("domainname", config.domainname)
      .optional("hooks", config.hooks)
      .optional("annotations", config.annotations)
      .optional("linux", config.linux);
  for (const std::string_view platform : {"windows", "solaris", "vm", "zos", "freebsd"}) {
    if (fields.has(platform)) {
      config.other_platforms.emplace_back(platform);
    }
  }
}

namespace {

// Reads a document that is config.json, or a part of it, which `read_at` gives its place.
template <class Typed, class ReadAt>
Result<Typed> parse(std::string_view text, ReadAt read_at) {
  Value document = TRY(parse_json(text));
  Problems problems;
  Typed typed;
  read_at(Cursor(document, problems), document, typed);
  if (!problems.empty()) {
    return std::unexpected(problems.error());
  }
  return typed;
}

}  // namespace

Result<Config> parse_config(std::string_view text) {
  return parse<Config>(text, [](const Cursor& at, Value&, Config& config) { read(at, config); });
}

Result<Process> parse_process(std::string_view text) {
  return parse<Process>(text, [](const Cursor& config, Value& document, Process& process) {
    read(Cursor(config, "process", document), process);
  });
}

Result<std::vector<Mount>> parse_mounts(std::string_view text) {
  return parse<std::vector<Mount>>(text, [](const Cursor& config, Value& document, std::vector<Mount>& mounts) {
    read(Cursor(config, "mounts", document), mounts);
  });
}

Result<Resources> parse_resources(std::string_view text) {
  return parse<Resources>(text, [](const Cursor& config, Value& document, Resources& resources) {
    const Cursor linux(config, "linux", document);
    read(Cursor(linux, "resources", document), resources);
  });
}

}  // namespace berth::spec
