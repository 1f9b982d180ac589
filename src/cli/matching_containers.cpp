#include "cli/matching_containers.hpp"

#include <regex.h>

#include <array>
#include <optional>
#include <utility>

namespace berth::cli {
namespace {

class Expression {
 public:
  static Result<Expression> compile(const std::string& text) {
    if (text.empty()) {  // most likely a variable that is not set
      return fail(ErrorKind::kUsage, "an empty regular expression would match all containers (say \".*\" for that)");
    }
    Expression expression;
    if (const int error = ::regcomp(&expression.compiled_.emplace(), text.c_str(), REG_EXTENDED | REG_NOSUB);
        error != 0) {
      std::array<char, 128> cause{};
      ::regerror(error, &*expression.compiled_, cause.data(), cause.size());
      expression.compiled_.reset();  // regcomp(3) left nothing to free
      return fail(ErrorKind::kUsage, "not a regular expression: {}", cause.data());
    }
    return expression;
  }
  Expression(Expression&& other) noexcept : compiled_(std::exchange(other.compiled_, std::nullopt)) {}
  Expression& operator=(Expression&&) = delete;
  Expression(const Expression&) = delete;
  Expression& operator=(const Expression&) = delete;
  ~Expression() {
    if (compiled_) {
      ::regfree(&*compiled_);
    }
  }

  [[nodiscard]] bool matches(const std::string& text) const {
    return ::regexec(&*compiled_, text.c_str(), 0, nullptr, 0) == 0;
  }

 private:
  Expression() = default;
  std::optional<regex_t> compiled_;
};

}  // namespace

Result<std::vector<std::string>> matching_ids(const std::string& expression, std::vector<std::string> ids) {
  const Expression compiled = TRY(Expression::compile(expression));
  std::erase_if(ids, [&compiled](const std::string& id) { return !compiled.matches(id); });
  return ids;
}

Status act_on_each(std::span<const std::string> ids, const std::function<Status(const std::string& id)>& act) {
  constexpr std::size_t kShown = 8;
  std::size_t failures = 0;
  ErrorKind kind = ErrorKind::kState;
  std::string text;
  for (const std::string& id : ids) {
    const auto done = act(id);
    if (done || done.error().kind() == ErrorKind::kNotFound) {
      continue;
    }
    if (++failures == 1) {
      kind = done.error().kind();
    }
    if (failures <= kShown) {
      text += fmt::format("{}\"{}\": {}", failures == 1 ? "" : "; ", id, done.error().message());
    }
  }
  if (failures == 0) {
    return {};
  }
  if (failures > kShown) {
    text += fmt::format("; and {} more", failures - kShown);
  }
  return fail(kind, "{} of {} containers: {}", failures, ids.size(), text);
}

}  // namespace berth::cli
