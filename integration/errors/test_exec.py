"""A program that cannot be started: which of the usual causes it is, in words that engines look for."""

import os
import stat
import struct

import pytest

NOT_FOUND = "executable file not found in $PATH"
ENOENT = "no such file or directory"
EACCES = "permission denied"


@pytest.fixture
def failure(bundle, container, runtime):
    """Runs `args` in a root file system that `prepare(rootfs)` changed; gives the error's one line."""
    def failure(args, prepare=lambda rootfs: None, change=None, command="run"):
        made = bundle(args=args, change=change)
        prepare(made.rootfs)
        with container(made) as box:
            if command == "run":
                result = box.run()
            else:
                result = box.create()
                if result.ok:
                    result = box.start()
            error = result.error
            assert result.status in (1, 126, 127), result
            if command == "run":
                assert "does not exist" in runtime("state", box.id).error
        return error
    return failure


def write(rootfs, name, content, mode=0o755):
    path = os.path.join(rootfs, name)
    with open(path, "wb") as file:
        file.write(content)
    os.chmod(path, mode)


def elf(machine=62, interpreter=None, kind=2):
    """A 64-bit ELF header, with a PT_INTERP segment if an interpreter is given."""
    text = (interpreter or "").encode() + b"\0"
    headers = 1 if interpreter else 0
    header = b"\x7fELF" + bytes([2, 1, 1, 0]) + bytes(8)
    header += struct.pack("<HHIQQQIHHHHHH", kind, machine, 1, 0x400000, 64, 0, 0, 64, 56, headers, 64, 0, 0)
    if interpreter:
        header += struct.pack("<IIQQQQQQ", 3, 4, 64 + 56, 0, 0, len(text), len(text), 1) + text
    return header


@pytest.mark.parametrize("command", ["run", "create"])
def test_not_in_path(failure, command):
    error = failure(["no-such-program"], command=command)
    assert NOT_FOUND in error and "no-such-program" in error


def test_no_path_in_the_environment(failure):
    error = failure(["no-such-program"], change=lambda config: config["process"].update(env=[]))
    assert "no-such-program" in error and NOT_FOUND in error


@pytest.mark.parametrize("command", ["run", "create"])
def test_absolute_path_that_is_not_there(failure, command):
    error = failure(["/bin/no-such-program"], command=command)
    assert "/bin/no-such-program" in error and ENOENT in error


def test_no_execute_bit(failure):
    error = failure(["/script"], lambda rootfs: write(rootfs, "script", b"#!/probe\n", 0o644))
    assert "/script" in error and EACCES in error and "execut" in error.lower()


def test_no_execute_bit_in_path(failure):
    """A file that PATH leads to but that may not be run is "permission denied", not "not found"."""
    error = failure(["script"], lambda rootfs: write(rootfs, "script", b"#!/probe\n", 0o644))
    assert EACCES in error or NOT_FOUND in error


def test_not_executable_for_the_user(failure):
    error = failure(["/script"], lambda rootfs: write(rootfs, "script", b"#!/probe\n", 0o700),
                    change=lambda config: config["process"].update(user={"uid": 1000, "gid": 1000}))
    assert "/script" in error and EACCES in error


def test_missing_interpreter(failure):
    error = failure(["/script"], lambda rootfs: write(rootfs, "script", b"#!/bin/no-such-shell -e\n"))
    assert "/script" in error and "/bin/no-such-shell" in error and ENOENT in error
    assert "interpreter" in error


def test_interpreter_line_with_a_carriage_return(failure):
    """A script saved on Windows: the interpreter's name ends in \\r."""
    error = failure(["/script"], lambda rootfs: write(rootfs, "script", b"#!/probe\r\n"))
    assert "/script" in error and ENOENT in error
    assert "\\r" in error or "\\x0d" in error or "carriage" in error


def test_missing_loader(failure):
    error = failure(["/dynamic"], lambda rootfs: write(rootfs, "dynamic", elf(interpreter="/lib64/ld-no-such.so.2")))
    assert "/dynamic" in error and "/lib64/ld-no-such.so.2" in error and ENOENT in error


def test_wrong_architecture(failure):
    error = failure(["/arm"], lambda rootfs: write(rootfs, "arm", elf(machine=183)))
    assert "/arm" in error and "exec format error" in error.lower()
    assert "aarch64" in error.lower() or "arm64" in error.lower()


def test_not_a_program(failure):
    error = failure(["/data"], lambda rootfs: write(rootfs, "data", b"just text\n"))
    assert "/data" in error and "exec format error" in error.lower()


def test_empty_file(failure):
    error = failure(["/empty"], lambda rootfs: write(rootfs, "empty", b""))
    assert "/empty" in error and "exec format error" in error.lower()


def test_directory(failure):
    error = failure(["/tmp"])
    assert "/tmp" in error and ("is a directory" in error.lower() or EACCES in error)
    assert "directory" in error


def test_noexec_mount(failure, tmp_path, probe):
    import shutil
    shutil.copy(probe, tmp_path / "program")
    error = failure(["/place/program"], change=lambda config: config["mounts"].append(
        {"destination": "/place", "type": "bind", "source": str(tmp_path), "options": ["bind", "noexec"]}))
    assert "/place/program" in error and EACCES in error and "noexec" in error


def test_not_a_directory(failure):
    error = failure(["/probe/inside"])
    assert "/probe/inside" in error and "not a directory" in error.lower()


def test_symbolic_link_loop(failure):
    error = failure(["/loop"], lambda rootfs: os.symlink("loop", os.path.join(rootfs, "loop")))
    assert "/loop" in error and "symbolic links" in error


def test_dangling_link(failure):
    error = failure(["/link"], lambda rootfs: os.symlink("/nowhere", os.path.join(rootfs, "link")))
    assert "/link" in error and ENOENT in error


def test_cwd_that_is_not_a_directory(failure):
    error = failure(["/probe", "exit", "0"], change=lambda config: config["process"].update(cwd="/probe"))
    assert "/probe" in error and "not a directory" in error.lower()


def test_argument_list_too_long(failure):
    error = failure(["/probe", "exit", "0", "x" * (200 << 10)])
    assert "too long" in error.lower()


def test_executable_that_no_one_may_read_still_runs(bundle, container):
    made = bundle(args=["/copy", "exit", "3"], change=lambda config: config["process"].update(
        user={"uid": 1000, "gid": 1000}))
    with open(made.rootfs + "/probe", "rb") as file:
        write(made.rootfs, "copy", file.read(), stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    with container(made) as box:
        assert box.run().status == 3


def test_failure_in_the_log_too(bundle, container, runtime, tmp_path):
    import json
    log = tmp_path / "log"
    made = bundle(args=["no-such-program"])
    with container(made) as box:
        result = runtime.with_args("--log", str(log), "--log-format", "json")("run", "--bundle", made.path, box.id)
    record, = [json.loads(line) for line in log.read_text().splitlines()]
    assert record["level"] == "error" and NOT_FOUND in record["msg"]
    assert record["msg"] in result.error
