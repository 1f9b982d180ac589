#pragma once

#include <berth/plan/container_plan.hpp>
#include <berth/spec/config.hpp>

#include <array>
#include <string_view>
#include <vector>

namespace berth::plan {

struct HookStage {
  std::string_view name;
  std::vector<spec::Hook> spec::Hooks::*config;
  std::vector<Hook> Hooks::*plan;
};

/// The stages, in the order of the lifecycle.
inline constexpr std::array<HookStage, 6> kHookStages = {{
    {"prestart", &spec::Hooks::prestart, &Hooks::prestart},
    {"createRuntime", &spec::Hooks::create_runtime, &Hooks::create_runtime},
    {"createContainer", &spec::Hooks::create_container, &Hooks::create_container},
    {"startContainer", &spec::Hooks::start_container, &Hooks::start_container},
    {"poststart", &spec::Hooks::poststart, &Hooks::poststart},
    {"poststop", &spec::Hooks::poststop, &Hooks::poststop},
}};

}  // namespace berth::plan
