#include <berth/base/log.hpp>
#include <berth/container/lifecycle.hpp>

#include <algorithm>
#include <atomic>
#include <memory>
#include <system_error>
#include <thread>

#include "container/observation.hpp"
#include "container/process_identity.hpp"

namespace berth::container {
namespace {

// What looking at so many containers costs, a thread is cheap beside.
constexpr std::size_t kContainersOfAThread = 64;
constexpr std::size_t kMaxThreads = 8;

std::size_t threads_for(std::size_t containers) {
  const std::size_t processors = std::max(std::thread::hardware_concurrency(), 1U);
  return std::min({processors, kMaxThreads, containers / kContainersOfAThread});
}

// Calls work(0) ... work(count - 1), several at a time.
template <class Work>
void for_each_index(std::size_t count, const Work& work) {
  std::atomic<std::size_t> next{0};
  const auto take = [&] {
    for (std::size_t index = next++; index < count; index = next++) {
      work(index);
    }
  };
  std::vector<std::jthread> helpers;
  try {
    for (std::size_t threads = threads_for(count); threads > 1; --threads) {
      helpers.emplace_back(take);
    }
  } catch (const std::system_error&) {
    // A limit of processes or of memory: those that there are do all the work.
  }
  take();
}

}  // namespace

Result<std::vector<spec::State>> list(const StateStore& store) {
  std::vector<spec::State> states;
  const auto containers = TRY(store.view());
  if (!containers) {
    return states;
  }
  // Its answer is kept in a local static, which no thread may be the first to ask for (cmake/Hardening.cmake).
  TRY(boot_id());
  const std::vector<std::string> ids = TRY(containers->ids());
  states.resize(ids.size());
  std::vector<std::unique_ptr<Error>> failures(ids.size());
  for_each_index(ids.size(), [&](std::size_t index) {
    if (auto known = look_at(*containers, ids[index])) {
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
