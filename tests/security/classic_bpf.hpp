// Runs a seccomp filter as the kernel would.
#pragma once

#include <linux/bpf_common.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include <cstdint>
#include <cstring>
#include <span>
#include <stdexcept>

namespace berth::test {

/// What the filter returns for a call. Throws what the kernel's verifier would refuse.
inline std::uint32_t run_filter(std::span<const sock_filter> program, const seccomp_data& data) {
  std::uint32_t accumulator = 0;
  std::uint32_t index = 0;
  std::uint32_t memory[BPF_MEMWORDS] = {};
  for (std::size_t position = 0; position < program.size(); ++position) {
    const sock_filter& instruction = program[position];
    const std::uint32_t value = instruction.k;
    const auto jump = [&](bool condition) { position += condition ? instruction.jt : instruction.jf; };
    switch (instruction.code) {
      case BPF_LD | BPF_W | BPF_ABS:
        if (value % 4 != 0 || value + 4 > sizeof data) {
          throw std::out_of_range("load");
        }
        std::memcpy(&accumulator, reinterpret_cast<const char*>(&data) + value, sizeof accumulator);
        break;
      case BPF_LD | BPF_MEM:
        accumulator = memory[value % BPF_MEMWORDS];
        break;
      case BPF_ST:
        memory[value % BPF_MEMWORDS] = accumulator;
        break;
      case BPF_MISC | BPF_TAX:
        index = accumulator;
        break;
      case BPF_MISC | BPF_TXA:
        accumulator = index;
        break;
      case BPF_ALU | BPF_AND | BPF_K:
        accumulator &= value;
        break;
      case BPF_JMP | BPF_JA:
        position += value;
        break;
      case BPF_JMP | BPF_JEQ | BPF_K:
        jump(accumulator == value);
        break;
      case BPF_JMP | BPF_JGE | BPF_K:
        jump(accumulator >= value);
        break;
      case BPF_JMP | BPF_JGT | BPF_K:
        jump(accumulator > value);
        break;
      case BPF_JMP | BPF_JSET | BPF_K:
        jump((accumulator & value) != 0);
        break;
      case BPF_RET | BPF_K:
        return value;
      default:
        throw std::logic_error("instruction");
    }
  }
  throw std::out_of_range("end of the program");
}

}  // namespace berth::test
