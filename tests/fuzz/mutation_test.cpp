// A minute of changed configurations against the parser and the validator, built with the sanitizers as all unit tests.
// BERTH_FUZZ_SECONDS sets another time. What libFuzzer found worth keeping (integration/fuzz) is in corpus/.
#include <catch2/catch.hpp>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "fuzz/config_input.hpp"

namespace {

using Random = std::mt19937_64;

std::vector<std::string> read_corpus() {
  std::vector<std::string> texts;
  for (const char* directory : {BERTH_TESTS "/fuzz/corpus", BERTH_TESTS "/spec/data/config",
                                BERTH_TESTS "/security/profiles", BERTH_TESTS "/../integration/bundles"}) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
      if (entry.is_regular_file()) {
        std::ifstream stream(entry.path(), std::ios::binary);
        texts.emplace_back(std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>());
      }
    }
  }
  return texts;
}

std::size_t below(Random& random, std::size_t count) {
  return count == 0 ? 0 : std::uniform_int_distribution<std::size_t>(0, count - 1)(random);
}

// What makes parsers and number conversions stumble.
const std::vector<std::string> kTokens = {"null",
                                          "true",
                                          "[]",
                                          "{}",
                                          "\"\"",
                                          "-1",
                                          "0",
                                          "1e400",
                                          "-0.0",
                                          "18446744073709551615",
                                          "18446744073709551616",
                                          "-9223372036854775808",
                                          "9223372036854775807",
                                          "4294967296",
                                          "1.5",
                                          "\"a\\u0000b\"",
                                          "\"\\ud800\"",
                                          "\"\\uD83D\\uDE00\"",
                                          "\"/../..\"",
                                          "\"//\"",
                                          "\"\\n\"",
                                          "[[[[[[[[[[",
                                          "{\"a\":",
                                          "\"1-0\"",
                                          "\"0-18446744073709551615\"",
                                          "\"rbind\"",
                                          "\"rro\"",
                                          "\"idmap\"",
                                          "\"CAP_SYS_ADMIN\"",
                                          "\"RLIMIT_NOFILE\"",
                                          "\"SCMP_ACT_NOTIFY\"",
                                          "\"SCMP_CMP_MASKED_EQ\"",
                                          "\xff",
                                          "\xc3\x28",
                                          "\xed\xa0\x80"};

// The place of a value: after a colon, a comma or a bracket.
std::size_t value_place(Random& random, const std::string& text) {
  const std::size_t place = text.find_first_of(":[,", below(random, text.size()));
  return place == std::string::npos ? below(random, text.size()) : place + 1;
}

void mutate(Random& random, std::string& text, const std::string& other) {
  if (text.empty()) {
    text = other;
    return;
  }
  const std::size_t place = below(random, text.size());
  switch (below(random, 8)) {
    case 0:
      text[place] = static_cast<char>(random());
      break;
    case 1:
      text.erase(place, 1 + below(random, 40));
      break;
    case 2:
      text.resize(place);
      break;
    case 3:
      text.insert(place, text.substr(below(random, text.size()), below(random, 200)));
      break;
    case 4: {  // a value takes another's place
      const std::size_t start = value_place(random, text);
      const std::size_t end = text.find_first_of(",]}", start);
      text.replace(start, end == std::string::npos ? end : end - start, kTokens[below(random, kTokens.size())]);
      break;
    }
    case 5:
      text.insert(value_place(random, text), kTokens[below(random, kTokens.size())]);
      break;
    case 6: {  // a piece of another configuration
      const std::size_t start = value_place(random, other);
      text.insert(value_place(random, text), other.substr(std::min(start, other.size()), below(random, 300)));
      break;
    }
    default: {  // a key or a text of one is put where one of the other was
      const std::size_t from = other.find('"', below(random, other.size()));
      const std::size_t from_end = from == std::string::npos ? from : other.find('"', from + 1);
      const std::size_t to = text.find('"', place);
      const std::size_t to_end = to == std::string::npos ? to : text.find('"', to + 1);
      if (from_end != std::string::npos && to_end != std::string::npos) {
        text.replace(to, to_end - to + 1, other.substr(from, from_end - from + 1));
      }
    }
  }
}

}  // namespace

TEST_CASE("no change of a configuration breaks the parser or the validator") {
  const char* given = std::getenv("BERTH_FUZZ_SECONDS");
  const std::chrono::seconds time(given != nullptr ? std::atoi(given) : 60);
  const std::uint64_t seed = std::random_device()();
  CAPTURE(seed);
  Random random(seed);
  const std::vector<std::string> corpus = read_corpus();
  REQUIRE(corpus.size() > 10);
  for (const std::string& text : corpus) {
    berth::test::read_as_everything(text);
  }
  const auto end = std::chrono::steady_clock::now() + time;
  std::size_t tried = 0;
  while (std::chrono::steady_clock::now() < end) {
    std::string text = corpus[below(random, corpus.size())];
    for (std::size_t count = 1 + below(random, 6); count > 0; --count) {
      mutate(random, text, corpus[below(random, corpus.size())]);
    }
    // A crash ends this program: the input has to be on disk before.
    std::ofstream(BERTH_FUZZ_LAST, std::ios::binary) << text;
    berth::test::read_as_everything(text);
    ++tried;
  }
  WARN(tried << " inputs, the last one in " BERTH_FUZZ_LAST);
  CHECK(tried > 0);
}
