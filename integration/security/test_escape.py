"""Ways out of a container that runtimes have left open."""

import errno
import os
import re
import signal

import pytest

from harness import libc
from harness.marks import both_views
from harness.runtime import Container, Runtime, exit_status, wait_until


def leak_directories():
    """As a careless caller: directories of the host at 10 to 39, not close-on-exec."""
    for number in range(10, 40):
        fd = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
        os.dup2(fd, number, inheritable=True)
        if fd != number:
            os.close(fd)


@pytest.mark.parametrize("number", list(range(3, 45)))
def test_cwd_in_a_leaked_directory(bundle, attack, number):
    """CVE-2024-21626. A descriptor of the runtime's own that is the container's root is no way out; the host is."""
    def change(config):
        config["process"]["cwd"] = f"/proc/self/fd/{number}"

    result = attack(bundle("report", "--list", "../../../..", change=change), preexec=leak_directories, close_fds=False)
    if result.ok:
        seen = result.report
        assert seen.cwd == "/"
        assert set(seen.lists["../../../.."]) == {"dev", "etc", "proc", "probe", "run", "sys", "tmp", "place"}


@pytest.mark.parametrize("number", [3, 5, 7, 8, 9, 10, 20, 39, 42])
def test_program_in_a_leaked_directory(bundle, attack, number):
    made = bundle(args=[f"/proc/self/fd/{number}/bin/echo", "escaped"])
    result = attack(made, preexec=leak_directories, close_fds=False)
    assert result.status != 0 and "escaped" not in result.stdout, result


def test_leaked_descriptors_are_closed(bundle, attack):
    seen = attack(bundle("report"), preexec=leak_directories, close_fds=False).report
    assert set(seen.fds) == {"0", "1", "2"}


def test_descriptors_of_a_created_container(bundle, container):
    """While it waits for start, its process holds nothing of the host but its standard files."""
    with container(bundle("sleep")) as box:
        box.must("create", preexec=leak_directories, close_fds=False)
        directory = f"/proc/{box.pid}/fd"
        links = {int(name): os.readlink(f"{directory}/{name}") for name in os.listdir(directory)}
        for number, link in links.items():
            assert number < 3 or re.match(r"(socket|pipe|anon_inode):|/memfd:", link), links


def test_binary_is_not_mapped_by_the_program(bundle, container, binary):
    with container(bundle("sleep")) as box:
        box.must("create")
        box.must("start")
        with open(f"/proc/{box.pid}/maps") as file:
            assert binary not in file.read()
        here, there = os.stat(binary), os.stat(f"/proc/{box.pid}/exe")
        assert (here.st_dev, here.st_ino) != (there.st_dev, there.st_ino)


@pytest.mark.parametrize("args", [["/proc/self/exe", "--version"], ["/proc/1/exe", "--version"], ["/script"], ["/link"]])
def test_program_that_is_the_runtime_itself(bundle, container, args):
    """The container runs, at most, something that it cannot write; binary_unchanged compares the file."""
    made = bundle(args=args)
    with open(made.rootfs + "/script", "w") as file:
        file.write("#!/proc/self/exe\n")
    os.chmod(made.rootfs + "/script", 0o755)
    os.symlink("/proc/self/exe", made.rootfs + "/link")
    with container(made) as box:
        assert "version" not in box.run(timeout=5).stdout


def privileged_in(pid_namespace):
    """Every right that matters here, in the pid namespace of another container."""
    def change(config):
        config["linux"]["namespaces"] = [{"type": "mount"}, {"type": "pid", "path": pid_namespace}]
        config.pop("hostname", None)
        config["mounts"] = config["mounts"][:1]
        names = ["CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE", "CAP_SYS_ADMIN", "CAP_KILL"]
        config["process"]["capabilities"] = {s: names for s in ("bounding", "effective", "permitted")}
    return change


def test_no_write_to_the_binary_through_another_container(bundle, binary, directory, view, state_root):
    """A container that shares the pid namespace holds the executable of a container that waits for start, and tries to
    write it after the start. The runtime is a copy here: another process that runs it would hide the hole."""
    import shutil
    copy = os.path.join(directory, "berth-copy-" + bundle.new_id())
    shutil.copy(binary, copy)
    runtime = Runtime(copy, state_root, view)
    with Container(runtime, bundle("sleep"), bundle.new_id()) as victim:
        victim.must("create")
        pid_namespace = f"/proc/{victim.pid}/ns/pid"
        made = bundle("hold-exe", change=privileged_in(pid_namespace))
        output = made.file("output")
        with Container(runtime, made, bundle.new_id()) as attacker, open(output, "r+b") as out:
            attacker.must("create", stdout=out)
            pid = attacker.pid
            attacker.must("start")
            wait_until(lambda: "held" in open(output).read(), what="the attacker at work")
            victim.must("start")
            assert exit_status(pid) == 0
        assert "writable" not in open(output).read()


SYSCTLS_OF_THE_HOST = ["kernel.core_pattern", "kernel.sysrq", "vm.overcommit_memory", "fs.file-max", "kernel/core_pattern",
                       "kernel.hostname", "kernel.modprobe", "kernel.ns_last_pid",
                       "net/../kernel/core_pattern", "net.ipv4/../../kernel/core_pattern", "../kernel/core_pattern",
                       "net.ipv4.conf.../../../../kernel/core_pattern", "kernel.sem/../core_pattern", "", ".", "net."]


@pytest.mark.parametrize("name", SYSCTLS_OF_THE_HOST)
def test_sysctls_of_the_host(run, name):
    """CRI-O CVE-2022-0811: kernel.core_pattern runs a program of the attacker on the host."""
    before = open("/proc/sys/kernel/core_pattern").read()
    error = run("exit", 0, change=lambda config: config["linux"].update(sysctl={name: "1"})).error
    assert "/linux/sysctl" in error
    assert open("/proc/sys/kernel/core_pattern").read() == before


@pytest.mark.parametrize("name, kind", [("net.ipv4.ip_forward", "network"), ("kernel.msgmax", "ipc"), ("kernel.shmmax", "ipc"),
                                        ("fs.mqueue.msg_max", "ipc"), ("kernel.sem", "ipc")])
def test_sysctls_need_a_namespace_of_their_own(run, name, kind):
    def change(config):
        config["linux"]["namespaces"] = [n for n in config["linux"]["namespaces"] if n["type"] != kind]
        config["linux"]["sysctl"] = {name: "1"}

    error = run("exit", 0, change=change).error
    assert "/linux/sysctl" in error and name in error


@pytest.mark.parametrize("value", ["1\n2", "a\0b"])
def test_sysctl_values_with_control_characters(run, value):
    result = run("exit", 0, change=lambda config: config["linux"].update(sysctl={"net.ipv4.ip_forward": value}))
    assert result.status != 0 or value == "1\n2"


@both_views
def test_cgroup_of_the_host_is_read_only_in_a_user_namespace(report, view):
    """CVE-2023-25809: without a cgroup namespace the host's hierarchy must not be writable."""
    def change(config):
        config["linux"]["namespaces"].append({"type": "user"})
        config["linux"]["uidMappings"] = config["linux"]["gidMappings"] = [
            {"containerID": 0, "hostID": 100000, "size": 65536}]
        config["mounts"].append({"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
                                 "options": ["nosuid", "noexec", "nodev", "ro"]})

    point = "/sys/fs/cgroup" if view.unified else "/sys/fs/cgroup/pids"
    seen = report("--try", f"mkdir:{point}/child", change=change)
    assert seen.tries[f"mkdir:{point}/child"] in (30, 13)


def start_hook(config):
    config["hooks"] = {"startContainer": [{"path": "/probe", "args": ["/probe", "exit", "0"]}]}


def test_executable_of_a_waiting_process_cannot_be_changed(bundle, container):
    """A process that waits for `start` can be seen by whoever is let into its pid namespace. Whoever opens its
    executable, with every capability of the host even, has a sealed file that is not berth's."""
    with container(bundle("sleep")) as box:
        box.must("create")
        path = f"/proc/{box.pid}/exe"
        assert os.readlink(path).startswith("/memfd:berth-trampoline")
        fd = os.open(path, os.O_PATH)
        try:
            again = f"/proc/self/fd/{fd}"
            with pytest.raises(OSError, match="Text file busy"):
                os.open(again, os.O_WRONLY)
            box.must("start")
            writable = os.open(again, os.O_RDWR)
            try:
                for attempt in (lambda: os.write(writable, b"x"), lambda: os.ftruncate(writable, 0),
                                lambda: os.ftruncate(writable, 1 << 20)):
                    with pytest.raises(OSError, match="Operation not permitted"):
                        attempt()
            finally:
                os.close(writable)
        finally:
            os.close(fd)


def test_executable_of_a_waiting_berth_stays_read_only(bundle, container):
    """Where berth itself has to wait for `start`, because it runs startContainer hooks, it is executed from a mount that
    nobody can write through, neither now nor when the file is busy no more."""
    with container(bundle("sleep", change=start_hook)) as box:
        box.must("create")
        fd = os.open(f"/proc/{box.pid}/exe", os.O_PATH)
        try:
            again = f"/proc/self/fd/{fd}"
            for attempt in (lambda: libc.make_writable(fd), lambda: libc.clone_mount(fd),
                            lambda: libc.mount(again, "/mnt", None, libc.MS_BIND),
                            lambda: libc.mount(None, again, None, libc.MS_BIND | libc.MS_REMOUNT)):
                with pytest.raises(OSError, match="Invalid argument"):
                    attempt()
            with pytest.raises(OSError, match="Text file busy"):
                os.open(again, os.O_WRONLY)
            box.must("start")
            with pytest.raises(OSError, match="Read-only file system"):
                os.open(again, os.O_WRONLY)
        finally:
            os.close(fd)


def in_the_hosts_pid_namespace(config):
    """With a filter that needs no capability."""
    config["linux"]["namespaces"] = [n for n in config["linux"]["namespaces"] if n["type"] != "pid"]
    config["process"]["noNewPrivileges"] = True
    config["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"],
                                  "syscalls": [{"names": ["reboot"], "action": "SCMP_ACT_ERRNO"}]}


def test_waiting_process_is_closed_to_its_equals(bundle, container):
    """In the host's pid namespace, containers see the process of another that waits for `start`. One with the same user
    and capabilities, of which none is CAP_SYS_PTRACE, could trace it, and run code that no filter confines."""
    with container(bundle("sleep", change=in_the_hosts_pid_namespace)) as waiting:
        waiting.must("create")
        memory = f"/proc/{waiting.pid}/maps"
        with container(bundle("report", "--read", memory, change=in_the_hosts_pid_namespace)) as other:
            assert other.run().report.file(memory) == errno.EACCES
        waiting.must("start")
        wait_until(lambda: "memfd" not in os.readlink(f"/proc/{waiting.pid}/exe"))
        with container(bundle("report", "--read", memory, change=in_the_hosts_pid_namespace)) as other:
            assert "/probe" in other.run().report.file(memory)


def test_no_moment_for_a_tracer(bundle, container, tmp_path):
    """As above, by an attacker who is fast enough for the moment between the trampoline's exec, which makes it dumpable,
    and its first call. What it may trace, at any time, is the container's program under its filter."""
    with container(bundle("seize", change=in_the_hosts_pid_namespace)) as attacker:
        with open(tmp_path / "found", "w") as output:
            attacker.must("run", "--detach", stdout=output)
        wait_until(lambda: (tmp_path / "found").read_text())
        victim = bundle("sleep", change=in_the_hosts_pid_namespace)
        for _ in range(20):
            with container(victim) as box:
                box.must("create")
                box.must("start")
        for _ in range(20):
            attacker.must("exec", "/probe", "exit", "0")
        attacker.must("kill", "USR1")
        attacker.wait_status("stopped")
    assert set((tmp_path / "found").read_text().splitlines()) == {"ready", "/probe filtered"}


def test_no_abstract_socket_of_ours(bundle, container):
    """containerd CVE-2020-15257: a container in the host's network namespace reaches abstract sockets."""
    def names():
        with open("/proc/net/unix") as file:
            return {line.split()[7] for line in file.read().splitlines()[1:] if len(line.split()) > 7 and "@" in line}

    before = names()
    with container(bundle("sleep")) as box:
        box.must("create")
        assert names() <= before


def test_environment_of_the_caller_stays_outside(bundle, container):
    with container(bundle("report", "--read", "/proc/1/environ")) as box:
        seen = box.run(env={"SECRET_OF_THE_HOST": "1", "PATH": os.environ["PATH"]}).report
    assert not any("SECRET" in variable for variable in seen.env)
    assert "SECRET" not in str(seen.file("/proc/1/environ"))


def test_nul_bytes_are_refused(run):
    """A string that the kernel would cut short is not what was checked."""
    for change, pointer in [
            (lambda c: c["process"].update(args=["/probe", "a\0b"]), "/process/args/1"),
            (lambda c: c["process"].update(env=["A=b\0c"]), "/process/env/0"),
            (lambda c: c["process"].update(cwd="/\0"), "/process/cwd"),
            (lambda c: c["mounts"].append({"destination": "/a\0b", "type": "tmpfs", "source": "t"}), "/mounts/6"),
            (lambda c: c.update(hostname="a\0b"), "/hostname")]:
        assert pointer in run("exit", 0, change=change).error


def test_state_directory_is_private(bundle, container, state_root):
    """A user of the host must not read or change what the runtime believes."""
    with container(bundle("sleep")) as box:
        box.must("create")
        directory = os.path.join(state_root, box.id)
        assert os.stat(directory).st_mode & 0o022 == 0
        for name in os.listdir(directory):
            info = os.stat(os.path.join(directory, name))
            assert info.st_mode & 0o022 == 0 or os.stat(directory).st_mode & 0o077 == 0


def test_signal_reaches_the_container_s_process_only(bundle, container):
    """kill uses a pidfd: the pid in the state may be somebody else's by now."""
    with container(bundle("sleep")) as box:
        box.must("create")
        box.must("start")
        pid = box.pid
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        wait_until(lambda: box.status == "stopped", what="stopped")
        assert box.kill("KILL").error
