#include <berth/base/log.hpp>
#include <berth/container/lifecycle.hpp>

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <functional>
#include <memory>
#include <thread>

#include "container/observation.hpp"
#include "container/process_identity.hpp"

namespace berth::container {
namespace {

std::size_t threads_for(std::size_t containers) {
  constexpr std::size_t kContainersOfAThread = 64;  // which take longer than to start it
  constexpr std::size_t kMaxThreads = 8;
  if (containers < 2 * kContainersOfAThread) {
    return 1;
  }
  cpu_set_t usable;  // EINVAL where there are more processors than it holds
  const int processors = ::sched_getaffinity(0, sizeof usable, &usable) == 0 ? CPU_COUNT(&usable) : 1;
  return std::min({static_cast<std::size_t>(processors), kMaxThreads, containers / kContainersOfAThread});
}

// Calls work(0) ... work(count - 1), several at a time. What one of them throws ends it.
template <class Work>
void for_each_index(std::size_t count, const Work& work) {
  std::atomic<std::size_t> next{0};
  std::vector<std::exception_ptr> thrown(threads_for(count));
  const auto take = [&](std::exception_ptr& failure) noexcept {
    try {
      for (std::size_t index = next++; index < count; index = next++) {
        work(index);
      }
    } catch (...) {  // which would end the program here; it is thrown again below, where main() catches it
      failure = std::current_exception();
      next = count;
    }
  };
  {
    std::vector<std::jthread> helpers;
    try {
      for (std::size_t thread = 1; thread < thrown.size(); ++thread) {
        helpers.emplace_back(take, std::ref(thrown[thread]));
      }
    } catch (const std::exception& error) {
      // A limit of processes or of memory: those that there are do all the work.
      log::debug("list: no further thread: {}", error.what());
    }
    take(thrown.front());
  }
  for (const std::exception_ptr& failure : thrown) {
    if (failure) {
      std::rethrow_exception(failure);
    }
  }
}

}  // namespace

Result<std::vector<spec::State>> list(const StateStore& store) {
  std::vector<spec::State> states;
  const auto containers = TRY(store.view());
  if (!containers) {
    return states;
  }
  const std::vector<std::string> ids = TRY(containers->ids());
  if (ids.empty()) {
    return states;
  }
  // Its answer is kept in a local static, which no thread may be the first to ask for (cmake/Hardening.cmake).
  TRY(boot_id());
  states.resize(ids.size());
  std::vector<std::unique_ptr<Error>> failures(ids.size());
  cgroup::FrozenAbove above;
  for_each_index(ids.size(), [&](std::size_t index) {
    if (auto known = look_at(*containers, ids[index], above)) {
      states[index] = std::move(*known);
    } else {
      failures[index] = std::make_unique<Error>(std::move(known).error());
    }
  });
  for (const auto& failure : failures) {
    if (failure && failure->kind() != ErrorKind::kNotFound) {
      log::warning("list: {}", failure->message());
    }
  }
  std::erase_if(states, [](const spec::State& state) { return state.id.empty(); });
  return states;
}

}  // namespace berth::container
