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

Result<Config> parse_config(std::string_view text) {
  Value document = TRY(parse_json(text));
  Problems problems;
  Config config;
  read(Cursor(document, problems), config);
  if (!problems.empty()) {
    return std::unexpected(problems.error());
  }
  return config;
}

Result<Resources> parse_resources(std::string_view text) {
  Value document = TRY(parse_json(text));
  Problems problems;
  const Cursor config(document, problems);
  const Cursor linux(config, "linux", document);
  Resources resources;
  read(Cursor(linux, "resources", document), resources);
  if (!problems.empty()) {
    return std::unexpected(problems.error());
  }
  return resources;
}

}  // namespace berth::spec
