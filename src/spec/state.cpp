#include <berth/spec/state.hpp>

#include "spec/json_writer.hpp"

namespace berth::spec {
namespace {

void write_state(JsonWriter& writer, const State& state) {
  writer.begin_object();
  writer.member("ociVersion", kOciVersion);
  writer.member("id", state.id);
  writer.member("pid", state.pid);
  writer.member("status", status_name(state.status));
  writer.member("bundle", state.bundle);
  writer.member("rootfs", state.rootfs);
  writer.member("created", state.created);
  if (!state.annotations.empty()) {
    writer.string_object("annotations", state.annotations);
  }
  writer.member("owner", state.owner);
  writer.end_object();
}

}  // namespace

std::string_view status_name(ContainerStatus status) {
  switch (status) {
    case ContainerStatus::kCreating:
      return "creating";
    case ContainerStatus::kCreated:
      return "created";
    case ContainerStatus::kRunning:
      return "running";
    case ContainerStatus::kPaused:
      return "paused";
    case ContainerStatus::kStopped:
      return "stopped";
  }
  return "";
}

std::string state_json(const State& state, Layout layout) {
  JsonWriter writer(layout);
  write_state(writer, state);
  return writer.take();
}

std::string process_state_json(const State& state, pid_t pid, std::string_view metadata) {
  JsonWriter writer(Layout::kCompact);
  writer.begin_object();
  writer.member("ociVersion", kOciVersion);
  writer.string_array("fds", std::initializer_list<std::string_view>{"seccompFd"});
  writer.member("pid", pid);
  if (!metadata.empty()) {
    writer.member("metadata", metadata);
  }
  writer.key("state");
  write_state(writer, state);
  writer.end_object();
  return writer.take();
}

std::string state_list_json(std::span<const State> states, Layout layout) {
  JsonWriter writer(layout);
  writer.begin_array();
  for (const State& state : states) {
    write_state(writer, state);
  }
  writer.end_array();
  return writer.take();
}

}  // namespace berth::spec
