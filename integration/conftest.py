"""Real containers, watched from outside: every test has to leave the host as it found it.

BERTH names the runtime under test (default: the release build), BERTH_PROBE the probe; `--cgroups v2` gives every test
a private cgroup2 view in place of this host's own hierarchies, `--cgroups systemd` a unit of systemd."""

import glob
import os
import shutil
import tempfile

import pytest

from harness import libc
from harness.bundle import BundleFactory
from harness.host import Snapshot, View, cgroups_below, clean_up
from harness.runtime import Container, Runtime

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def pytest_addoption(parser):
    parser.addoption("--cgroups", choices=("native", "v2", "systemd"), default="native", help="view of the cgroup hierarchies")
    parser.addoption("--podman-cgroups", choices=("cgroupfs", "systemd"), default="cgroupfs",
                     help="Podman's cgroup manager; systemd needs systemd as init")


def pytest_sessionstart(session):
    if os.geteuid() != 0:
        pytest.exit("the integration tests start containers: run them as root", returncode=2)
    # A mount namespace of our own: what others mount does not disturb the checks, and what a runtime leaves is
    # still seen. Shared propagation, as systemd sets it up, so that a mount that escapes a container arrives here.
    libc.unshare(libc.CLONE_NEWNS)
    libc.mount(None, "/", None, libc.MS_REC | libc.MS_PRIVATE)
    libc.mount(None, "/", None, libc.MS_REC | libc.MS_SHARED)
    libc.become_subreaper()
    os.umask(0o022)


@pytest.fixture(scope="session")
def binary():
    path = os.environ.get("BERTH", os.path.join(TOP, "build/release/src/cli/berth"))
    if not os.access(path, os.X_OK):
        pytest.exit(f"no runtime at {path}: build it first, or set BERTH", returncode=2)
    return os.path.abspath(path)


@pytest.fixture(scope="session")
def probe():
    candidates = glob.glob(os.path.join(TOP, "build/*/integration/berth_probe"))
    path = os.environ.get("BERTH_PROBE") or max(candidates, key=os.path.getmtime, default="")
    if not os.access(path, os.X_OK):
        pytest.exit("no probe: build the target berth_probe, or set BERTH_PROBE", returncode=2)
    return path


@pytest.fixture(scope="session")
def directory():
    """Where the session's bundles and state are; goes away at its end."""
    path = tempfile.mkdtemp(prefix="berth-it-")
    os.chmod(path, 0o755)
    os.mkdir(os.path.join(path, "run"), 0o711)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def token():
    """Part of every id and cgroup of this session."""
    return f"it{os.getpid()}"


@pytest.fixture(scope="session")
def views():
    made = {}

    def get(name):
        if name not in made:
            made[name] = View(name)
        return made[name]

    get("native")
    get("v2")
    yield get
    for view in made.values():
        view.close()


@pytest.fixture(scope="session")
def native(views):
    return views("native")


@pytest.fixture
def view(views, bundle, token, request):
    """The view of the cgroup hierarchies; tests that depend on them are parametrised (see harness/marks.py)."""
    found = views(getattr(request, "param", None) or request.config.getoption("--cgroups"))
    bundle.cgroups_path = found.cgroups_path
    yield found
    hidden = set(found.mounts.values()) - set(views("native").mounts.values()) - {None}  # from the fixture nothing_left
    assert [path for mount in hidden for path in cgroups_below(mount) if token in path] == []


@pytest.fixture(scope="session")
def state_root(directory):
    return os.path.join(directory, "run")


@pytest.fixture
def runtime(binary, state_root, view):
    return Runtime(binary, state_root, view)


@pytest.fixture(scope="session")
def busybox():
    path = shutil.which("busybox")
    if path is None:
        pytest.exit("no busybox: install busybox-static", returncode=2)
    return path


@pytest.fixture(scope="session")
def bundle(directory, token, probe, busybox):
    return BundleFactory(directory, token, probe, busybox)


@pytest.fixture
def container(runtime, bundle):
    """container(bundle) is a context that deletes the container at its end."""
    return lambda made, id=None: Container(runtime, made, id or bundle.new_id())


@pytest.fixture
def run(container, bundle):
    """Runs a container of the base configuration with these arguments of the probe; gives the result."""
    def run(*probe_args, flags=(), **options):
        run_options = {name: options.pop(name) for name in list(options)
                       if name in ("input", "timeout", "env", "pass_fds", "close_fds", "preexec", "stdout", "stderr",
                                   "stdin")}
        with container(bundle(*probe_args, **options)) as box:
            return box.run(*flags, **run_options)
    return run


@pytest.fixture
def report(run):
    """Runs a container whose probe reports, with the changed configuration; gives the report."""
    return lambda *probe_args, **options: run("report", *probe_args, **options).report


@pytest.fixture(autouse=True)
def nothing_left(view, token, state_root, views, bundle):
    """The host before and after: mounts, cgroups, processes, state, shared memory, descriptors."""
    before = Snapshot(token, state_root, ("self", views("v2").holder.pid))
    yield
    leaks = before.leaks_since(before)
    if leaks:
        clean_up(before)
        pytest.fail("left behind: " + "; ".join(leaks), pytrace=False)
