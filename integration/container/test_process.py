"""The process that a container starts with: what config.json's `process` asks for."""

import errno
import os
import signal

import pytest

from harness.bundle import SOME_CAPABILITIES
from harness.marks import needs_sys_nice, needs_sys_resource


def process(**settings):
    """A change of the configuration: these properties of `process`."""
    def change(config):
        config["process"].update(settings)
    return change


def user(**settings):
    def change(config):
        config["process"]["user"] = settings
    return change


def test_args_env_and_cwd(report):
    def change(config):
        config["process"]["env"] = ["PATH=/bin", "A=1", "EMPTY=", "WITH=a=b c"]
        config["process"]["cwd"] = "/place"

    seen = report("a b", "", "ü", change=change)
    assert seen.args == ["/probe", "report", "a b", "", "Ã¼"]
    assert seen.env[:4] == ["PATH=/bin", "A=1", "EMPTY=", "WITH=a=b c"]
    assert [name for name in seen.env[4:] if not name.startswith("HOME=")] == []
    assert seen.cwd == "/place"


def test_home_of_the_configuration_stays(report):
    assert [v for v in report(change=process(env=["HOME=/mine"])).env if v.startswith("HOME")] == ["HOME=/mine"]


@pytest.mark.parametrize("uid, home", [(0, "/root-home"), (1000, "/home/user"), (1234, "/")])
def test_home_comes_from_passwd(bundle, container, uid, home):
    """Docker's and containerd's configurations have no HOME: their runtime sets it. An entry that is *named* like
    the number is not the user (CVE-2016-3697)."""
    made = bundle("report", change=user(uid=uid, gid=0))
    with open(made.rootfs + "/etc/passwd", "w") as file:
        file.write("root:x:0:0:root:/root-home:/bin/sh\n1000:x:0:0:fake:/wrong:/bin/sh\n"
                   "user:x:1000:1000::/home/user:/bin/sh\n")
    with container(made) as box:
        seen = box.run().report
    assert f"HOME={home}" in seen.env
    assert seen.uids == [uid] * 3


def test_program_is_looked_up_in_path_of_the_configuration(bundle, container):
    made = bundle(args=["probe", "report"], change=process(env=["PATH=/nowhere:/opt/tools"]))
    os.makedirs(made.rootfs + "/opt/tools")
    os.link(made.rootfs + "/probe", made.rootfs + "/opt/tools/probe")
    with container(made) as box:
        seen = box.run().report
    assert seen.args[0] == "probe"
    assert seen.exe == "/opt/tools/probe"


def test_relative_program_is_relative_to_cwd(bundle, container):
    made = bundle(args=["./probe", "report"], change=process(cwd="/opt"))
    os.mkdir(made.rootfs + "/opt")
    os.link(made.rootfs + "/probe", made.rootfs + "/opt/probe")
    with container(made) as box:
        assert box.run().report.exe == "/opt/probe"


def test_missing_cwd_is_made(bundle, container):
    made = bundle("report", change=process(cwd="/not/there"))
    with container(made) as box:
        assert box.run().report.cwd == "/not/there"


def test_user_group_and_additional_groups(report):
    seen = report(change=user(uid=1000, gid=1001, additionalGids=[5, 10, 1000]))
    assert seen.uids == [1000] * 3
    assert seen.gids == [1001] * 3
    assert sorted(seen.groups) == [5, 10, 1000]


def test_no_groups_of_the_caller(report):
    """A supplementary group is a right (CVE-2022-36109)."""
    seen = report(change=user(uid=1000, gid=1000), preexec=lambda: os.setgroups([4, 27]))
    assert set(seen.groups) <= {1000}
    seen = report(change=user(uid=0, gid=0), preexec=lambda: os.setgroups([4, 27]))
    assert set(seen.groups) <= {0}


def test_large_ids(report):
    seen = report(change=user(uid=4294967294, gid=4294967294))
    assert seen.uids == [4294967294] * 3
    assert seen.gids == [4294967294] * 3


@pytest.mark.parametrize("value", [-1, 4294967296, 4294967295, "0", 1.5])
@pytest.mark.parametrize("name", ["uid", "gid"])
def test_ids_out_of_range_are_refused(run, name, value):
    """uid 2^32 is not uid 0 (CVE-2024-40635)."""
    ids = {"uid": 1, "gid": 1, name: value}
    assert f"/process/user/{name}" in run("exit", 0, change=user(**ids)).error


@pytest.mark.parametrize("mask", [0, 0o22, 0o77, 0o777])
def test_umask(report, mask):
    assert report(change=user(uid=0, gid=0, umask=mask)).umask == mask


def test_umask_does_not_come_from_the_caller(report):
    assert report(preexec=lambda: os.umask(0o777)).umask == 0o22


def capabilities(**sets):
    def change(config):
        config["process"]["capabilities"] = {name: ["CAP_" + c for c in names] for name, names in sets.items()}
    return change


def test_capabilities_are_exact(report):
    seen = report()
    for name in ("Prm", "Eff", "Bnd"):
        assert seen.capabilities(name) == set(SOME_CAPABILITIES)
    for name in ("Inh", "Amb"):
        assert seen.capabilities(name) == set()


def test_five_different_sets(report):
    seen = report(change=capabilities(
        bounding=["CHOWN", "KILL", "MKNOD", "SETUID"], permitted=["CHOWN", "KILL", "SETUID"],
        inheritable=["KILL", "SETUID"], ambient=["KILL"], effective=["CHOWN", "KILL"]))
    assert seen.capabilities("Bnd") == {"CAP_CHOWN", "CAP_KILL", "CAP_MKNOD", "CAP_SETUID"}
    assert seen.capabilities("Inh") == {"CAP_KILL", "CAP_SETUID"}
    assert seen.capabilities("Amb") == {"CAP_KILL"}
    # With no_new_privs execve(2) gives root nothing that it did not have.
    assert seen.capabilities("Prm") == {"CAP_CHOWN", "CAP_KILL", "CAP_SETUID"}


def test_capabilities_of_a_user_are_the_ambient_ones(report):
    def change(config):
        capabilities(bounding=["CHOWN", "KILL"], permitted=["CHOWN", "KILL"], effective=["CHOWN", "KILL"],
                     inheritable=["KILL"], ambient=["KILL"])(config)
        user(uid=1000, gid=1000)(config)

    seen = report(change=change)
    assert seen.capabilities("Eff") == seen.capabilities("Prm") == seen.capabilities("Amb") == {"CAP_KILL"}
    assert seen.capabilities("Bnd") == {"CAP_CHOWN", "CAP_KILL"}


def test_a_user_without_ambient_capabilities_has_none(report):
    """CVE-2016-8867."""
    seen = report(change=user(uid=1000, gid=1000))
    for name in ("Eff", "Prm", "Inh", "Amb"):
        assert seen.capabilities(name) == set()
    assert seen.capabilities("Bnd") == set(SOME_CAPABILITIES)


def test_no_capabilities_at_all(report):
    seen = report(change=lambda config: config["process"].pop("capabilities"))
    for name in ("Eff", "Prm", "Inh", "Amb", "Bnd"):
        assert seen.capabilities(name) == set()


def test_an_unknown_capability_is_ignored_with_a_warning(run):
    """The specification: a runtime SHOULD NOT fail, but warn, for capabilities that it cannot map."""
    result = run("report", change=capabilities(bounding=["CHOWN", "NO_SUCH"], permitted=["CHOWN"], effective=["CHOWN"]))
    assert result.report.capabilities("Bnd") == {"CAP_CHOWN"}


def test_no_new_privileges(report):
    assert report(change=process(noNewPrivileges=True)).no_new_privs == 1
    assert report(change=process(noNewPrivileges=False)).no_new_privs == 0


def test_nothing_else_is_left_on_the_process(report):
    seen = report()
    assert (seen.dumpable, seen.keep_caps, seen.securebits, seen.death_signal, seen.subreaper) == (1, 0, 0, 0, 0)


def test_caller_s_signals_do_not_reach_the_program(report):
    """Blocked and ignored signals survive execve(2)."""
    def odd_signals():
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGCHLD])

    seen = report(preexec=odd_signals)
    assert int(seen.status["SigBlk"], 16) == 0
    assert int(seen.status["SigIgn"], 16) == 0


def rlimit(name, soft, hard):
    return process(rlimits=[{"type": name, "soft": soft, "hard": hard}])


@pytest.mark.parametrize("name, soft, hard", [
    ("RLIMIT_NOFILE", 100, 200), ("RLIMIT_NPROC", 50, 60), ("RLIMIT_CORE", 0, 0), ("RLIMIT_STACK", 1 << 20, 1 << 22),
    ("RLIMIT_AS", 1 << 30, 1 << 30), ("RLIMIT_CPU", 100, 1000), ("RLIMIT_MEMLOCK", 4096, 8192),
    ("RLIMIT_NICE", 0, 0), ("RLIMIT_RTPRIO", 0, 0), ("RLIMIT_SIGPENDING", 10, 20), ("RLIMIT_MSGQUEUE", 1000, 2000),
    ("RLIMIT_FSIZE", 1 << 20, 1 << 21), ("RLIMIT_DATA", 1 << 28, 1 << 29), ("RLIMIT_RSS", 1, 2),
    ("RLIMIT_LOCKS", 5, 6), ("RLIMIT_RTTIME", 10000, 20000)])
def test_rlimit(report, name, soft, hard):
    assert report(change=rlimit(name, soft, hard)).rlimits[name] == [soft, hard]


def test_rlimits_that_are_not_named_stay(report):
    mine = __import__("resource").getrlimit(__import__("resource").RLIMIT_FSIZE)
    seen = report(change=rlimit("RLIMIT_NOFILE", 100, 200))
    assert [value if value < 2**63 else -1 for value in seen.rlimits["RLIMIT_FSIZE"]] == list(mine)


@needs_sys_resource
def test_rlimit_can_be_raised(report):
    assert report(change=rlimit("RLIMIT_NOFILE", 30000, 40000)).rlimits["RLIMIT_NOFILE"] == [30000, 40000]


@pytest.mark.skipif(needs_sys_resource.args[0] is False, reason="CAP_SYS_RESOURCE would allow it")
def test_rlimit_that_cannot_be_raised_says_so(run):
    error = run("exit", 0, change=rlimit("RLIMIT_NOFILE", 1 << 19, 1 << 19)).error
    assert "RLIMIT_NOFILE" in error and "Operation not permitted" in error


def test_oom_score(report):
    assert report(change=process(oomScoreAdj=500)).file("/proc/self/oom_score_adj") == "500\n"


def test_oom_score_is_the_caller_s_by_default(report):
    assert report().file("/proc/self/oom_score_adj") == open("/proc/self/oom_score_adj").read()


@needs_sys_resource
def test_oom_score_can_be_lowered(report):
    assert report(change=process(oomScoreAdj=-500)).file("/proc/self/oom_score_adj") == "-500\n"


@pytest.mark.parametrize("value", [1001, -1001])
def test_oom_score_out_of_range(run, value):
    assert "/process/oomScoreAdj" in run("exit", 0, change=process(oomScoreAdj=value)).error


def test_scheduler(report):
    assert report(change=process(scheduler={"policy": "SCHED_BATCH", "nice": 5})).scheduling["policy"] == 3
    assert report(change=process(scheduler={"policy": "SCHED_OTHER", "nice": 7})).scheduling["nice"] == 7
    assert report(change=process(scheduler={"policy": "SCHED_IDLE"})).scheduling["policy"] == 5


def test_scheduler_flags(report):
    seen = report(change=process(scheduler={"policy": "SCHED_BATCH", "flags": ["SCHED_FLAG_RESET_ON_FORK"]}))
    assert seen.scheduling["policy"] == 3 | os.SCHED_RESET_ON_FORK


def realtime(view, **scheduler):
    def change(config):
        config["process"]["scheduler"] = scheduler
        # With real-time groups (v1) nobody in a cgroup may be real-time before it has a budget.
        if view.mounts.get("cpu") and os.path.exists(view.mounts["cpu"] + "/cpu.rt_runtime_us"):
            config["linux"]["resources"]["cpu"] = {"realtimeRuntime": 5000}
    return change


@needs_sys_nice
@pytest.mark.parametrize("policy, number", [("SCHED_FIFO", 1), ("SCHED_RR", 2)])
def test_realtime_scheduler(report, view, policy, number):
    seen = report(change=realtime(view, policy=policy, priority=7))
    assert (seen.scheduling["policy"], seen.scheduling["priority"]) == (number, 7)


@needs_sys_nice
def test_deadline_scheduler(run):
    """Who may be anywhere but on all CPUs of the host has no deadline: the kernel decides, and its word is told."""
    result = run("report", change=process(scheduler={"policy": "SCHED_DEADLINE", "runtime": 1000000,
                                                     "deadline": 10000000, "period": 20000000}))
    if result.ok:
        assert result.report.scheduling["policy"] == 6
    else:
        assert "sched_setattr" in result.error and "DEADLINE" in result.error


def test_io_priority(report):
    seen = report(change=process(ioPriority={"class": "IOPRIO_CLASS_BE", "priority": 6}))
    assert seen.scheduling["io_priority"] == 2 << 13 | 6


def test_personality(report):
    seen = report(change=lambda config: config["linux"].update(personality={"domain": "LINUX32"}))
    assert seen.personality == 8
    assert seen.machine == "i686"


def test_personality_has_no_flags_yet(run):
    change = lambda config: config["linux"].update(personality={"domain": "LINUX", "flags": ["NO_RANDOMIZE"]})
    assert "/linux/personality/flags" in run("exit", 0, change=change).error


@pytest.mark.skipif(not os.path.exists("/proc/self/numa_maps"), reason="this kernel was built without NUMA")
@pytest.mark.parametrize("policy, seen_as", [
    ({"mode": "MPOL_BIND", "nodes": "0"}, "bind:0"),
    ({"mode": "MPOL_PREFERRED", "nodes": "0"}, "prefer:0"),
    ({"mode": "MPOL_INTERLEAVE", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES"]}, "interleave=static:0"),
    ({"mode": "MPOL_LOCAL"}, "local"), ({"mode": "MPOL_DEFAULT"}, "default")])
def test_memory_policy(report, policy, seen_as):
    seen = report("--read", "/proc/self/numa_maps", change=lambda config: config["linux"].update(memoryPolicy=policy))
    assert {line.split()[1] for line in seen.file("/proc/self/numa_maps").splitlines()} == {seen_as}


def active_security_modules():
    try:
        with open("/sys/kernel/security/lsm") as file:
            return file.read().strip().split(",")
    except FileNotFoundError:
        return []


@pytest.mark.parametrize("module, name, change", [
    ("apparmor", "apparmorProfile", process(apparmorProfile="berth-no-such-profile")),
    ("selinux", "selinuxLabel", process(selinuxLabel="system_u:system_r:container_t:s0")),
    ("selinux", "context", lambda config: config["linux"].update(mountLabel="system_u:object_r:container_file_t:s0"))])
def test_a_label_that_cannot_be_given_is_refused(run, module, name, change):
    """A container without the confinement that was asked for must not start."""
    if module == "selinux" and module in active_security_modules():
        pytest.skip("SELinux is active here")
    assert name in run("exit", 0, change=change).error


def test_stdio_belongs_to_the_user(bundle, container):
    """A program that is not root has to be able to reopen its own stdout (/dev/stdout)."""
    read, write = os.pipe()
    try:
        with container(bundle("report", "--try", "write:/proc/self/fd/1", change=user(uid=1000, gid=1000))) as box:
            result = box.run(stdout=write)
            os.close(write)
            write = None
            with os.fdopen(read, closefd=False) as file:
                import json
                seen = json.loads(file.read())
            assert result.ok
            assert seen["fds"]["1"]["uid"] == 1000
            assert seen["tries"]["write:/proc/self/fd/1"] == 0
    finally:
        for fd in (read, write):
            if fd is not None:
                os.close(fd)


def test_dev_null_keeps_its_owner(bundle, container):
    """Handing stdio to the user must not change the owner of a device of the host."""
    before = os.stat("/dev/null")
    with container(bundle("exit", 0, change=user(uid=1000, gid=1000))) as box:
        box.must("run", stdin=None)
    after = os.stat("/dev/null")
    assert (before.st_uid, before.st_gid, before.st_mode) == (after.st_uid, after.st_gid, after.st_mode)


def test_errno_of_a_file_of_another_user(report):
    seen = report("--try", "create:/made", change=user(uid=1000, gid=1000))
    assert seen.tries["create:/made"] == errno.EACCES


def test_intel_rdt_needs_resctrl(run):
    """This machine's processor has no RDT: what is done with one is tested against a tree of files (tests/rdt)."""
    with open("/proc/self/mountinfo") as file:
        if " - resctrl " in file.read():
            pytest.skip("resctrl is mounted here")

    def change(config):
        config["linux"]["intelRdt"] = {"l3CacheSchema": "L3:0=f"}

    assert "/linux/intelRdt: no resctrl file system is mounted" in run("exit", 0, change=change).error
