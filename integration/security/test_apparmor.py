"""process.apparmorProfile on a host that has AppArmor: the virtual machine has (integration/vm)."""

import os
import shutil
import subprocess

import pytest

from harness.runtime import wait_until

PROFILE = """
profile berth-test flags=(attach_disconnected,mediate_deleted) {
  file, capability, network, signal, ptrace, unix, mount, umount, pivot_root,
  deny /forbidden r,
  deny /protected w,
}
"""


def apparmor_is_on():
    try:
        with open("/sys/module/apparmor/parameters/enabled") as file:
            return file.read().strip() == "Y" and shutil.which("apparmor_parser")
    except FileNotFoundError:
        return False


pytestmark = pytest.mark.skipif(not apparmor_is_on(), reason="no AppArmor here, or no apparmor_parser")


@pytest.fixture(scope="module", autouse=True)
def profile(tmp_path_factory):
    file = tmp_path_factory.mktemp("apparmor") / "profile"
    file.write_text(PROFILE)
    subprocess.run(["apparmor_parser", "--skip-cache", "--replace", str(file)], check=True)
    yield
    subprocess.run(["apparmor_parser", "--remove", str(file)], check=True)


CURRENT = "/proc/self/attr/current"


def confined(change=None):
    def apply(config):
        config["process"]["apparmorProfile"] = "berth-test"
        if change:
            change(config)
    return apply


def forbid(made):
    for name in ("forbidden", "protected"):
        with open(os.path.join(made.rootfs, name), "w") as file:
            file.write("x")
    return made


def assert_confined(report):
    assert report.file(CURRENT).strip("\n\0") == "berth-test (enforce)"
    assert report.tries["read:/forbidden"] == 13


PROBE = ("report", "--read", CURRENT, "--try", "read:/forbidden")


@pytest.mark.parametrize("change", [
    None, lambda config: config["process"].update(noNewPrivileges=True),
    lambda config: config["process"]["user"].update(uid=1000, gid=1000)], ids=["root", "no new privileges", "user"])
def test_run(bundle, container, change):
    made = forbid(bundle(*PROBE, change=confined(change)))
    with container(made) as box:
        assert_confined(box.run().report)


def test_without_a_profile(bundle, container):
    made = forbid(bundle(*PROBE))
    with container(made) as box:
        seen = box.run().report
    assert seen.file(CURRENT).strip("\n\0") == "unconfined"
    assert seen.tries["read:/forbidden"] == 0


def test_create_and_start(bundle, container):
    """The process that waits is not the program: it has no profile yet."""
    made = bundle("sleep", change=confined())
    with container(made) as box:
        box.must("create")
        current = f"/proc/{box.pid}/attr/current"
        assert open(current).read().strip("\n\0") == "unconfined"
        box.must("start")
        wait_until(lambda: open(current).read().strip("\n\0") == "berth-test (enforce)")


def test_exec(bundle, container):
    made = forbid(bundle("sleep", change=confined()))
    with container(made) as box:
        box.must("create")
        box.must("start")
        assert_confined(box.exec("/probe", *PROBE).report)


def test_exec_with_another_profile(bundle, container):
    made = forbid(bundle("sleep"))
    with container(made) as box:
        box.must("create")
        box.must("start")
        assert_confined(box.exec("/probe", *PROBE, flags=["--apparmor", "berth-test"]).report)


@pytest.mark.parametrize("profiled", [True, False])
def test_start_hooks_have_the_profile_too(bundle, container, profiled):
    """They run in the container, with no more rights than its program."""
    def hook(config):
        config["hooks"] = {"startContainer": [{"path": "/probe", "args": ["/probe", "report", "--try", "unlink:/protected"]}]}

    made = forbid(bundle(*PROBE, change=confined(hook) if profiled else hook))
    with container(made) as box:
        result = box.run()
    if profiled:
        assert_confined(result.report)
    assert os.path.exists(os.path.join(made.rootfs, "protected")) == profiled


def test_a_profile_that_is_not_loaded(bundle, container):
    made = bundle("exit", 0, change=lambda config: config["process"].update(apparmorProfile="berth-no-such-profile"))
    with container(made) as box:
        error = box.run().error
    assert "/process/apparmorProfile" in error and "the profile loaded" in error
