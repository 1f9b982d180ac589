"""Seccomp filters as the program feels them."""

import errno
import signal

import pytest

GETPGRP = 111
SYSCALL_SYSLOG = 103


def seccomp(**filter):
    def change(config):
        config["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"], **filter}
    return change


def rule(action, *names, args=None, errno_ret=None):
    made = {"names": list(names), "action": action}
    if args is not None:
        made["args"] = args
    if errno_ret is not None:
        made["errnoRet"] = errno_ret
    return made


def argument(value, op="SCMP_CMP_EQ", index=0, **more):
    return {"index": index, "value": value, "op": op, **more}


def test_without_a_filter(report):
    assert report().status["Seccomp"] == "0"


def test_filter_mode(report):
    seen = report(change=seccomp(syscalls=[rule("SCMP_ACT_ERRNO", "sethostname")]))
    assert seen.status["Seccomp"] == "2"


@pytest.mark.parametrize("nnp", [True, False])
def test_errno_defaults_to_eperm(report, nnp):
    def change(config):
        config["process"]["noNewPrivileges"] = nnp
        seccomp(syscalls=[rule("SCMP_ACT_ERRNO", "getpgrp", "keyctl")])(config)

    seen = report("--try", f"syscall:{GETPGRP}", "--try", "keyring", change=change)
    assert set(seen.tries.values()) == {errno.EPERM}
    assert seen.status["Seccomp"] == "2"


@pytest.mark.parametrize("nnp", [True, False])
def test_filter_that_forbids_what_the_runtime_does_before_exec(run, nnp):
    """With no_new_privs nothing is left to do under the filter; without, capabilities are given up after it is loaded."""
    def change(config):
        config["process"]["noNewPrivileges"] = nnp
        seccomp(syscalls=[rule("SCMP_ACT_ERRNO", "capset", "capget", "prctl", "setresuid", "close")])(config)

    result = run("report", change=change)
    if nnp:
        assert result.ok and result.report.status["Seccomp"] == "2"
    else:
        assert "credentials: capset: Operation not permitted" in result.error


def test_errno_of_a_rule(report):
    seen = report("--try", f"syscall:{GETPGRP}",
                  change=seccomp(syscalls=[rule("SCMP_ACT_ERRNO", "getpgrp", errno_ret=errno.EDOM)]))
    assert seen.tries[f"syscall:{GETPGRP}"] == errno.EDOM


def test_default_errno(report):
    """An allow-list with ENOSYS for the rest, which lets programs fall back."""
    def change(config):
        with_every_call = seccomp(defaultAction="SCMP_ACT_ERRNO", defaultErrnoRet=38,
                                  syscalls=[rule("SCMP_ACT_ALLOW", *every_call()),
                                            rule("SCMP_ACT_ERRNO", "syslog", errno_ret=1)])
        with_every_call(config)

    seen = report("--try", f"syscall:{GETPGRP}", "--try", f"syscall:{SYSCALL_SYSLOG}", "--try", "syscall:999",
                  change=change)
    assert seen.tries == {f"syscall:{GETPGRP}": errno.ENOSYS, f"syscall:{SYSCALL_SYSLOG}": errno.EPERM,
                          "syscall:999": errno.ENOSYS}


def every_call():
    """What the probe needs, by the list of Podman's configuration without getpgrp."""
    import json
    import os
    path = os.path.join(os.path.dirname(__file__), "../bundles/podman-default.json")
    with open(path) as file:
        rules = json.load(file)["linux"]["seccomp"]["syscalls"]
    names = {name for r in rules if r["action"] == "SCMP_ACT_ALLOW" and "args" not in r for name in r["names"]}
    return sorted(names - {"getpgrp", "syslog"})


def test_argument_rules(report):
    """personality(2) as Docker allows it: a few values."""
    allowed = [rule("SCMP_ACT_ALLOW", "personality", args=[argument(value)]) for value in (0, 8, 0xffffffff)]
    names = [*every_call()]

    seen = report("--try", "personality:0", "--try", "personality:8", "--try", "personality:0x0040000",
                  "--try", "personality:0xffffffff", "--try", "personality:9",
                  change=seccomp(defaultAction="SCMP_ACT_ERRNO", syscalls=[rule("SCMP_ACT_ALLOW", *names), *allowed]))
    assert seen.tries == {"personality:0": 0, "personality:8": 0, "personality:0x0040000": errno.EPERM,
                          "personality:0xffffffff": 0, "personality:9": errno.EPERM}


@pytest.mark.parametrize("op, value, hits", [
    ("SCMP_CMP_EQ", 8, {8}), ("SCMP_CMP_NE", 8, {0, 9, 16}), ("SCMP_CMP_LT", 8, {0}), ("SCMP_CMP_LE", 8, {0, 8}),
    ("SCMP_CMP_GT", 8, {9, 16}), ("SCMP_CMP_GE", 8, {8, 9, 16})])
def test_operators(report, op, value, hits):
    seen = report(*[arg for v in (0, 8, 9, 16) for arg in ("--try", f"personality:{v}")],
                  change=seccomp(syscalls=[rule("SCMP_ACT_ERRNO", "personality", args=[argument(value, op)])]))
    assert {int(name.split(":")[1]) for name, e in seen.tries.items() if e == errno.EPERM} == hits


def test_masked_equality(report):
    seen = report("--try", "personality:9", "--try", "personality:1", "--try", "personality:8", "--try", "personality:0",
                  change=seccomp(syscalls=[rule("SCMP_ACT_ERRNO", "personality",
                                                args=[argument(8, "SCMP_CMP_MASKED_EQ", valueTwo=8)])]))
    assert seen.tries == {"personality:9": errno.EPERM, "personality:1": 0, "personality:8": errno.EPERM, "personality:0": 0}


def test_two_conditions_on_one_argument_are_alternatives(report):
    """runc: a rule with several conditions on one argument is one rule for each."""
    seen = report("--try", "personality:8", "--try", "personality:9", "--try", "personality:0",
                  change=seccomp(syscalls=[rule("SCMP_ACT_ERRNO", "personality", args=[argument(8), argument(9)])]))
    assert seen.tries == {"personality:8": errno.EPERM, "personality:9": errno.EPERM, "personality:0": 0}


def test_podman_without_audit_write(report):
    """`podman run --cap-drop audit_write`: no netlink socket for audit. Behind the socketcall(2) of 32-bit programs
    these rules look alike, and only that one's own rule settles which of them holds."""
    audit, netlink = argument(9, index=2), argument(16, index=0)
    not_audit, not_netlink = argument(9, "SCMP_CMP_NE", index=2), argument(16, "SCMP_CMP_NE", index=0)
    seen = report("--try", f"syscall:{GETPGRP}", change=seccomp(
        defaultAction="SCMP_ACT_ERRNO", defaultErrnoRet=errno.ENOSYS,
        architectures=["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
        syscalls=[rule("SCMP_ACT_ALLOW", *(set(every_call()) - {"socket"})),
                  rule("SCMP_ACT_ERRNO", "socket", args=[netlink, audit], errno_ret=errno.EINVAL),
                  rule("SCMP_ACT_ALLOW", "socket", args=[not_audit]),
                  rule("SCMP_ACT_ALLOW", "socket", args=[not_netlink]),
                  rule("SCMP_ACT_ALLOW", "socket", args=[not_audit])]))
    assert seen.status["Seccomp"] == "2" and seen.tries[f"syscall:{GETPGRP}"] == errno.ENOSYS


@pytest.mark.parametrize("action, number", [("SCMP_ACT_KILL", signal.SIGSYS), ("SCMP_ACT_KILL_PROCESS", signal.SIGSYS),
                                            ("SCMP_ACT_KILL_THREAD", signal.SIGSYS), ("SCMP_ACT_TRAP", signal.SIGSYS)])
def test_deadly_actions(report, action, number):
    seen = report("--try", f"syscall:{GETPGRP}", change=seccomp(syscalls=[rule(action, "getpgrp")]))
    assert seen.tries[f"syscall:{GETPGRP}"] == 256 + number


def test_log_action_lets_the_call_through(report):
    seen = report("--try", f"syscall:{GETPGRP}", change=seccomp(syscalls=[rule("SCMP_ACT_LOG", "getpgrp")]))
    assert seen.tries[f"syscall:{GETPGRP}"] == 0


def test_trace_action_without_a_tracer(report):
    seen = report("--try", f"syscall:{GETPGRP}", change=seccomp(syscalls=[rule("SCMP_ACT_TRACE", "getpgrp")]))
    assert seen.tries[f"syscall:{GETPGRP}"] == errno.ENOSYS


GETPGRP_32 = 65


@pytest.mark.parametrize("architectures, wanted", [
    (["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"], errno.EPERM), (["SCMP_ARCH_X86_64"], 256 + signal.SIGSYS)])
def test_32_bit_calls(run, architectures, wanted):
    """The 32-bit entry has numbers of its own: with the architecture in the filter the rule holds there, without it
    a call through it is fatal."""
    result = run("report", "--try", f"syscall32:{GETPGRP_32}", "--try", f"syscall:{GETPGRP}",
                 change=seccomp(architectures=architectures, syscalls=[rule("SCMP_ACT_ERRNO", "getpgrp")]))
    seen = result.report
    if seen.tries[f"syscall32:{GETPGRP_32}"] == 256 + signal.SIGSEGV:
        pytest.skip("this kernel has no 32-bit entry (CONFIG_IA32_EMULATION)")
    assert seen.tries == {f"syscall32:{GETPGRP_32}": wanted, f"syscall:{GETPGRP}": errno.EPERM}


@pytest.mark.parametrize("flags", [[], ["SECCOMP_FILTER_FLAG_LOG"], ["SECCOMP_FILTER_FLAG_SPEC_ALLOW"],
                                   ["SECCOMP_FILTER_FLAG_TSYNC"]])
def test_flags(report, flags):
    seen = report("--try", f"syscall:{GETPGRP}",
                  change=seccomp(flags=flags, syscalls=[rule("SCMP_ACT_ERRNO", "getpgrp")]))
    assert seen.tries[f"syscall:{GETPGRP}"] == errno.EPERM


def test_unknown_system_calls_are_skipped(report):
    """Engines' lists name calls of other architectures and newer kernels."""
    seen = report("--try", f"syscall:{GETPGRP}",
                  change=seccomp(syscalls=[rule("SCMP_ACT_ERRNO", "no_such_call", "getpgrp", "s390_pci_mmio_read")]))
    assert seen.tries[f"syscall:{GETPGRP}"] == errno.EPERM


@pytest.mark.parametrize("change, pointer", [
    (seccomp(defaultAction="SCMP_ACT_NOSUCH"), "/linux/seccomp/defaultAction"),
    (seccomp(architectures=["SCMP_ARCH_NOSUCH"]), "/linux/seccomp/architectures/0"),
    (seccomp(syscalls=[rule("SCMP_ACT_NOSUCH", "read")]), "/linux/seccomp/syscalls/0/action"),
    (seccomp(syscalls=[rule("SCMP_ACT_ERRNO", "read", args=[argument(0, "SCMP_CMP_NOSUCH")])]),
     "/linux/seccomp/syscalls/0/args/0/op"),
    (seccomp(syscalls=[rule("SCMP_ACT_ERRNO", "read", args=[argument(0, index=6)])]),
     "/linux/seccomp/syscalls/0/args/0/index"),
    (seccomp(flags=["SECCOMP_FILTER_FLAG_NOSUCH"]), "/linux/seccomp/flags/0"),
])
def test_bad_filters(run, change, pointer):
    assert pointer in run("exit", 0, change=change).error
