"""--log journald:NAME and syslog:NAME with systemd's own journal, which takes both. What is sent byte by byte, and what
happens without a service, is in integration/lifecycle/test_log_services.py."""

import json
import os
import subprocess

import pytest

pytestmark = pytest.mark.skipif(not os.path.exists("/run/systemd/journal/socket"),
                                reason="this host has no systemd-journald (integration/vm has)")


def entries(name):
    subprocess.run(["journalctl", "--sync"], check=True)
    done = subprocess.run(["journalctl", "-o", "json", "--all", f"SYSLOG_IDENTIFIER={name}"], stdout=subprocess.PIPE, text=True,
                          check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_journal(runtime, bundle, token):
    id = bundle.new_id()
    error = runtime.with_args("--log", f"journald:{token}-journal")("state", id).error
    entry, = entries(f"{token}-journal")
    assert error == "berth: " + entry["MESSAGE"]
    assert (entry["PRIORITY"], entry["ID"], entry["_TRANSPORT"]) == ("3", id, "journal")
    # The journal looks the name up itself, and leaves it out if the command has ended before.
    assert entry.get("_COMM", "berth") == "berth"


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
