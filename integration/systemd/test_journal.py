"""--log journald:NAME and syslog:NAME with systemd's own journal, which takes both. What is sent byte by byte, and what
happens without a service, is in integration/lifecycle/test_log_services.py."""

import json
import os
import subprocess

import pytest

from harness.runtime import wait_until

pytestmark = pytest.mark.skipif(not os.path.exists("/run/systemd/journal/socket"),
                                reason="this host has no systemd-journald (integration/vm has)")


def entries(name):
    subprocess.run(["journalctl", "--sync"], check=True)
    done = subprocess.run(["journalctl", "-o", "json", "--all", f"SYSLOG_IDENTIFIER={name}"], stdout=subprocess.PIPE, text=True,
                          check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_journal(runtime, bundle, token):
    id = bundle.new_id()
    log = runtime.with_args("--log", f"journald:{token}-journal")
    error = log("state", id).error
    entry, = entries(f"{token}-journal")
    assert error == "berth: " + entry["MESSAGE"]
    assert (entry["PRIORITY"], entry["ID"], entry["_TRANSPORT"]) == ("3", id, "journal")
    def names():
        log("state", id)
        return {entry["_COMM"] for entry in entries(f"{token}-journal") if "_COMM" in entry}

    # The journal looks the name up itself, and leaves it out of what comes from a command that has ended before.
    assert wait_until(names, 60, "an entry with the name of the command") == {"berth"}


def test_long_message(runtime, token):
    """More than a datagram holds: in a sealed memory file."""
    level = "\x01" * 100_000
    error = runtime.with_args("--log", f"journald:{token}-long", "--log-level", level)("list").error
    entry, = entries(f"{token}-long")
    assert len(entry["MESSAGE"]) > 400_000 and error == "berth: " + entry["MESSAGE"]


def test_container_s_steps(runtime, bundle, container, token):
    """Of the container's process too, which sends them from within its namespaces."""
    made = bundle("exit", 0)
    with container(made) as box:
        assert runtime.with_args("--debug", "--log", f"journald:{token}-steps")("run", "--bundle", made.path, box.id).ok
        found = entries(f"{token}-steps")
        assert {entry["PRIORITY"] for entry in found} == {"7"} and {entry["ID"] for entry in found} == {box.id}
        assert any("step" in entry["MESSAGE"] for entry in found) and len({entry["_PID"] for entry in found}) > 1


def test_syslog(runtime, bundle, token):
    error = runtime.with_args("--log", f"syslog:{token}-syslog", "--log-format", "json")("state", bundle.new_id()).error
    entry, = entries(f"{token}-syslog")
    assert error == "berth: " + json.loads(entry["MESSAGE"])["msg"]
    assert (entry["PRIORITY"], entry["SYSLOG_FACILITY"], entry["_TRANSPORT"]) == ("3", "1", "syslog")
    assert entry["SYSLOG_PID"] == entry["_PID"]
