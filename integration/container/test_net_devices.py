"""linux.netDevices: devices of the host that the container gets, with what they had."""

import json
import subprocess

import pytest


def ip(*arguments):
    return subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True, timeout=10).stdout


def links():
    return {link["ifname"]: link for link in json.loads(ip("-json", "address", "show"))}


def addresses(link):
    return {(a["local"], a["prefixlen"]) for a in link["addr_info"] if a["scope"] == "global"}


@pytest.fixture
def device(token):
    """One end of a veth pair of the host, with addresses. Whichever namespace it is in, it goes away with the other end."""
    name = f"b{token[-10:]}"
    try:
        ip("link", "add", name, "mtu", "1400", "address", "02:00:00:00:00:17", "type", "veth", "peer", "name", name + "p")
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no veth device: {error.stderr.strip()}")
    try:
        ip("address", "add", "192.0.2.7/24", "broadcast", "192.0.2.255", "dev", name)
        ip("address", "add", "198.51.100.1/32", "dev", name)
        ip("address", "add", "2001:db8::7/64", "nodad", "dev", name)
        ip("address", "add", "203.0.113.9/24", "dev", name, "scope", "link")
        ip("link", "set", name, "up")
        yield name
    finally:
        subprocess.run(["ip", "link", "delete", name + "p"], capture_output=True, timeout=10)


def devices(**wanted):
    def change(config):
        config["linux"]["netDevices"] = {name: ({"name": new} if new else {}) for name, new in wanted.items()}
        config["linux"]["namespaces"] = [n for n in config["linux"]["namespaces"] if n["type"] != "network"]
        config["linux"]["namespaces"].append({"type": "network"})
    return change


GLOBAL = {("192.0.2.7", 24), ("198.51.100.1", 32), ("2001:db8::7", 64)}


def inside(box, name):
    """The device as `ip` sees it in the container's network namespace."""
    return {link["ifname"]: link for link in json.loads(
        subprocess.run(["nsenter", f"--net=/proc/{box.pid}/ns/net", "ip", "-json", "address", "show"], check=True,
                       capture_output=True, timeout=10).stdout)}[name]


@pytest.mark.parametrize("new_name", [None, "eth0"])
def test_device_with_name_addresses_and_mtu(container, bundle, device, new_name):
    with container(bundle("sleep", change=devices(**{device: new_name}))) as box:
        box.must("create")
        assert device not in links()
        link = inside(box, new_name or device)
        assert (link["mtu"], link["address"]) == (1400, "02:00:00:00:00:17")
        assert addresses(link) == GLOBAL and "UP" in link["flags"]
        assert {a["local"] for a in link["addr_info"] if a["scope"] == "link" and a["family"] == "inet"} == set()
        assert [a["broadcast"] for a in link["addr_info"] if a["local"] == "192.0.2.7"] == ["192.0.2.255"]
        box.must("start")


def test_the_program_sees_the_device(report, device):
    seen = report("--read", "/proc/net/dev", "--read", "/proc/net/if_inet6", change=devices(**{device: "eth0"}))
    assert "eth0:" in seen.file("/proc/net/dev") and device not in seen.file("/proc/net/dev")
    assert "20010db8000000000000000000000007" in seen.file("/proc/net/if_inet6")


def test_in_a_user_namespace(report, device):
    def change(config):
        devices(**{device: "eth0"})(config)
        config["linux"]["namespaces"].append({"type": "user"})
        config["linux"]["uidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
        config["linux"]["gidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 65536}]

    assert "eth0:" in report("--read", "/proc/net/dev", change=change).file("/proc/net/dev")


def test_a_namespace_that_is_joined_keeps_the_device(container, bundle, device):
    """The specification leaves the end to the kernel: a namespace that lives on has the device."""
    holder = subprocess.Popen(["unshare", "--net", "sh", "-c", "echo ready; exec sleep inf"], stdout=subprocess.PIPE)
    try:
        assert holder.stdout.readline() == b"ready\n"

        def change(config):
            devices(**{device: "eth0"})(config)
            config["linux"]["namespaces"][-1]["path"] = f"/proc/{holder.pid}/ns/net"

        with container(bundle("report", "--read", "/proc/net/dev", change=change)) as box:
            assert "eth0:" in box.run().report.file("/proc/net/dev")
        command = ["nsenter", f"--net=/proc/{holder.pid}/ns/net", "ip", "link", "show", "eth0"]
        assert subprocess.run(command, capture_output=True).returncode == 0
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()


@pytest.mark.parametrize("what", ["hook", "program", "name"])
def test_a_failure_gives_the_device_back(container, bundle, device, what):
    made = bundle("sleep", change=devices(**{device: "eth0"}))
    if what == "hook":
        made.config["hooks"] = {"createRuntime": [{"path": "/bin/false"}]}
    elif what == "program":
        made.config["process"]["args"] = ["/no/such/program"]
    else:
        made.config["linux"]["netDevices"]["no-such-device"] = {}
    made.write()
    before = links()[device]
    with container(made) as box:
        error = box.run().error
    assert what != "name" or "network device no-such-device: find it (RTM_GETLINK): No such device" in error
    after = links()[device]
    assert addresses(after) == addresses(before) == GLOBAL
    assert (after["mtu"], "UP" in after["flags"]) == (1400, True)


def test_a_name_that_is_taken(run, device):
    error = run("exit", 0, change=devices(**{device: "lo"})).error
    assert f"network device {device}" in error and "File exists" in error
    assert addresses(links()[device]) == GLOBAL


def test_what_cannot_be_moved(run):
    assert "network device lo" in run("exit", 0, change=devices(lo="eth0")).error


@pytest.mark.parametrize("wanted, expected", [
    ({"eth0": "a/b"}, "/linux/netDevices/eth0/name: got"), ({"eth0": "x" * 16}, "/linux/netDevices/eth0/name: got"),
    ({"": None}, "/linux/netDevices/: got"), ({"a b": None}, "/linux/netDevices/a b: got"),
    ({"eth%d": None}, "/linux/netDevices/eth%d: got"), ({"a": "c", "b": "c"}, "/linux/netDevices/b: got \"c\" again")])
def test_names_that_cannot_be(run, wanted, expected):
    assert expected in run("exit", 0, change=devices(**wanted)).error


def test_without_a_network_namespace(run):
    def change(config):
        devices(eth0=None)(config)
        config["linux"]["namespaces"].pop()

    assert "/linux/netDevices: got network devices, expected a network namespace" in run("exit", 0, change=change).error
