"""The engines, started once for the session, each with the runtime under test as its only one."""

import itertools
import json
import os
import resource
import shutil
import subprocess
import tempfile
import textwrap
import time

import pytest

from harness.cri import Cri
from harness.engine import Cell, Client, Daemon, Unavailable, cgroups_below, image_archive, outcome, program, remove_cgroups
from harness.marks import has_capability
from harness.runtime import wait_until

IMAGE = "docker.io/library/box:1"
PAUSE = "docker.io/library/pause:1"
README = os.path.join(os.path.dirname(__file__), "../../README.md")


def readme_lines(file, binary):
    """What the README says to write into a file, with the runtime under test in the place of the installed one."""
    with open(README) as readme:
        _, _, rest = readme.read().partition(f"in `{file}`")
    lines = rest.partition(":\n\n")[2].splitlines()
    block = itertools.takewhile(lambda line: line.startswith("    ") or not line, lines)
    text = textwrap.dedent("\n".join(block)).strip() + "\n"
    assert "/usr/local/sbin/berth" in text, f"the README does not say what belongs into {file}"
    return text.replace("/usr/local/sbin/berth", binary)


def needs_trial(engine, result):
    """An engine that cannot run a container with Debian's runc either says nothing about the runtime under test."""
    if not result.ok:
        raise Unavailable(f"{engine} runs no container here, not even with runc: {result.stderr.strip()}")


@pytest.fixture(scope="session")
def cell():
    try:
        made = Cell()
    except Unavailable as why:
        pytest.skip(str(why))
    yield made
    made.close()


@pytest.fixture(scope="session")
def home(cell, token):
    """The engines' directory; its path is short, because sockets are in it."""
    path = tempfile.mkdtemp(prefix="berth-en-")
    yield path
    cell.close()
    shutil.rmtree(path, ignore_errors=True)
    remaining = remove_cgroups(token)
    assert not remaining, f"cgroups of the engines are left: {remaining}"


@pytest.fixture(scope="session")
def archive(home, probe, busybox):
    """An image of busybox and the probe."""
    rootfs = os.path.join(home, "image")
    for name in ("bin", "dev", "etc", "proc", "sys", "tmp", "root", "home"):
        os.makedirs(os.path.join(rootfs, name))
    os.chmod(os.path.join(rootfs, "tmp"), 0o1777)
    shutil.copy(probe, os.path.join(rootfs, "probe"))
    shutil.copy(busybox, os.path.join(rootfs, "bin/busybox"))
    for applet in subprocess.run([busybox, "--list"], stdout=subprocess.PIPE, text=True, check=True).stdout.split():
        if applet != "busybox":
            os.symlink("busybox", os.path.join(rootfs, "bin", applet))
    with open(os.path.join(rootfs, "etc/passwd"), "w") as file:
        file.write("root:x:0:0:root:/root:/bin/sh\nsailor:x:1000:1000:sailor:/home:/bin/sh\n")
    with open(os.path.join(rootfs, "etc/group"), "w") as file:
        file.write("root:x:0:\nsailor:x:1000:\ncrew:x:2000:sailor\n")
    path = os.path.join(home, "box.tar")
    image_archive(path, rootfs, IMAGE, ["/bin/sleep", "300"])  # without a command: as Podman's first container of a pod
    return path


@pytest.fixture(scope="session")
def pause_archive(home, probe):
    """The image of a pod's first container: a program that waits."""
    rootfs = os.path.join(home, "pause")
    os.mkdir(rootfs)
    shutil.copy(probe, os.path.join(rootfs, "probe"))
    path = os.path.join(home, "pause.tar")
    image_archive(path, rootfs, PAUSE, ["/probe", "sleep"])
    return path


def write_pod_network(directory):
    """A network of pods that needs two of CNI's programs and nothing else: a pair of interfaces for each pod."""
    os.mkdir(directory)
    network = {"cniVersion": "0.4.0", "name": "pods", "plugins": [
        {"type": "ptp", "ipam": {"type": "host-local", "dataDir": f"{directory}/leases", "subnet": "10.213.0.0/24"}}]}
    with open(os.path.join(directory, "10-pods.conflist"), "w") as file:
        json.dump(network, file)


@pytest.fixture(scope="session")
def containerd(cell, home, binary):
    """A containerd, its CRI part set up as the README says; gives its socket."""
    directory = os.path.join(home, "c")
    os.mkdir(directory)
    write_pod_network(f"{directory}/networks")
    config = os.path.join(directory, "config.toml")
    cri = '[plugins."io.containerd.grpc.v1.cri"'
    with open(config, "w") as file:
        file.write(readme_lines("/etc/containerd/config.toml", binary).replace(
            "version = 2\n", f'version = 2\nroot = "{directory}/root"\nstate = "{directory}/state"\n'
                             'disabled_plugins = ["io.containerd.internal.v1.opt"]\n'))
        file.write(f'    Root = "{home}/berth"\n'
                   f'[grpc]\n  address = "{directory}/sock"\n'
                   '[debug]\n  level = "warn"\n'
                   f'{cri}]\n  sandbox_image = "{PAUSE}"\n  netns_mounts_under_state_dir = true\n'
                   f'  restrict_oom_score_adj = {"false" if has_capability(24) else "true"}\n'
                   f'{cri}.cni]\n  bin_dir = "/usr/lib/cni"\n  conf_dir = "{directory}/networks"\n'
                   f'{cri}.containerd.runtimes.runc]\n  runtime_type = "io.containerd.runc.v2"\n'
                   f'{cri}.containerd.runtimes.runc.options]\n    BinaryName = "{program("runc", "runc")}"\n'
                   f'    Root = "{home}/runc"\n')
    socket = os.path.join(directory, "sock")
    try:
        ctr = Client(cell, [program("ctr", "containerd"), "--address", socket])
        daemon = Daemon(cell, [program("containerd", "containerd"), "--config", config],
                        os.path.join(home, "containerd.log"), lambda: ctr("version").ok)
    except Unavailable as why:
        pytest.skip(str(why))
    yield socket
    daemon.close()


@pytest.fixture(scope="session")
def ctr_client(cell, containerd, archive, token):
    try:
        client = Client(cell, [program("ctr", "containerd"), "--address", containerd, "--namespace", token])
        client.must("images", "import", archive)
        needs_trial("containerd", client("run", "--rm", "--runc-binary", program("runc", "runc"), IMAGE, "trial", "true"))
    except Unavailable as why:
        pytest.skip(str(why))
    return client


@pytest.fixture(scope="session")
def cri_client(cell, home, containerd, archive, pause_archive):
    """containerd as a kubelet sees it."""
    try:
        images = Client(cell, [program("ctr", "containerd"), "--address", containerd, "--namespace", "k8s.io", "images"])
        for path in (archive, pause_archive):
            images.must("import", path)
        client = Cri(cell, containerd, f"{home}/cri.descriptors")
    except Unavailable as why:
        pytest.skip(str(why))
    wait_until(lambda: {tag for image in client("ListImages")["images"] for tag in image["repo_tags"]} >= {IMAGE, PAUSE},
               seconds=20, what="the images in the view of a kubelet")
    yield client
    assert client.close() == ""


@pytest.fixture(scope="session")
def docker_client(cell, home, containerd, archive, binary, token):
    """A dockerd without a network of its own, set up as the README says; the runtime is its default one."""
    directory = os.path.join(home, "d")
    os.mkdir(directory)
    config = os.path.join(directory, "daemon.json")
    with open(config, "w") as file:
        file.write(readme_lines("/etc/docker/daemon.json", binary))
    socket = f"unix://{directory}/sock"
    try:
        client = Client(cell, [program("docker", "docker.io"), "-H", socket], {"HOME": directory})
        daemon = Daemon(cell, [program("dockerd", "docker.io"), "--config-file", config, "--data-root", f"{directory}/data",
                               "--exec-root", f"{directory}/exec", "--pidfile", f"{directory}/pid", "-H", socket,
                               "--containerd", containerd, "--bridge=none", "--exec-opt", "native.cgroupdriver=cgroupfs",
                               "--cgroup-parent", f"/{token}-docker", "--log-level", "warn"],
                        os.path.join(home, "dockerd.log"), lambda: client("version").ok)
        client.must("load", "-i", archive)
        try:
            needs_trial("docker", client("run", "--rm", "--runtime", "runc", IMAGE, "true"))
        except Unavailable:
            daemon.close()
            raise
    except Unavailable as why:
        pytest.skip(str(why))
    yield client
    daemon.close()


@pytest.fixture(scope="session")
def podman_cell(cell, pytestconfig):
    """Where Podman runs."""
    if pytestconfig.getoption("--podman-cgroups") == "cgroupfs":
        yield cell
        return
    if not os.path.isdir("/run/systemd/system"):
        pytest.skip("this host has no systemd as init (integration/vm has)")
    made = Cell(pid_namespace=False)
    yield made
    made.close()


def give_ids(cell, directory):
    """The ranges of ids that Podman takes from for --userns auto."""
    for name in ("subuid", "subgid"):
        path = os.path.join(directory, name)
        with open(path, "w") as file:
            file.write("containers:300000:1000000\n")
        assert outcome(cell.command("mount", "--bind", path, f"/etc/{name}"), 10).ok


@pytest.fixture(scope="session")
def podman_client(podman_cell, home, archive, binary, pytestconfig):
    """Podman set up as the README says, and with the limits of this machine."""
    directory = os.path.join(home, "p")
    os.mkdir(directory)
    limits = ", ".join(f'"{name}={hard}:{hard}"' for name, (_, hard) in
                       (("nofile", resource.getrlimit(resource.RLIMIT_NOFILE)),
                        ("nproc", resource.getrlimit(resource.RLIMIT_NPROC))))
    own_limits = "" if has_capability(24) else f"default_ulimits = [{limits}]\n"
    config = os.path.join(directory, "containers.conf")
    with open(config, "w") as file:
        file.write(readme_lines("/etc/containers/containers.conf", binary).replace(
            "[engine]\n", f'[engine]\ncgroup_manager = "{pytestconfig.getoption("--podman-cgroups")}"\n'
                          f'events_logger = "file"\ninfra_image = "{IMAGE}"\n'))
        file.write(f'[containers]\n{own_limits}netns = "none"\n'
                   f'[network]\nnetwork_config_dir = "{directory}/networks"\n')
    try:
        program("conmon", "conmon")
        give_ids(podman_cell, directory)
        client = Client(podman_cell, [program("podman", "podman"), "--root", f"{directory}/root", "--runroot", f"{directory}/run",
                               "--tmpdir", f"{directory}/tmp"],
                        {"CONTAINERS_CONF": config, "HOME": directory})
        loaded = client("load", "-i", archive)
        if not loaded.ok:
            raise Unavailable(f"podman cannot be used here: {loaded.stderr.strip()}")
        needs_trial("podman", client("--runtime", program("runc", "runc"), "run", "--rm", IMAGE, "true"))
    except Unavailable as why:
        pytest.skip(str(why))
    yield client
    remove_cgroups("libpod_parent")


@pytest.fixture
def untouched(cell):
    """untouched(state, cgroups...) is called with a directory of the runtime's states and parts of the names of cgroups;
    at the end of the test there must be no state, no such cgroup and no more mounts than before."""
    def engines_own(mount):  # network namespaces, and Podman's store, which it mounts on itself now and then
        return mount[1] == "nsfs" or mount[0] == "/run/netns" or mount[0].endswith("/root/overlay")

    def containers(name):  # Podman keeps a cgroup for its conmons
        return [path for path in cgroups_below(name) if not path.endswith("/libpod_parent/conmon")]

    looked_at = []
    yield lambda state, *cgroups, cell=cell: looked_at.append((state, cgroups, cell, cell.mounts()))
    for state, cgroups, where, before in looked_at:
        def left():
            states = [name for name in os.listdir(state) if not name.startswith("@")] if os.path.isdir(state) else []
            mounts = [mount for mount in where.mounts() if mount not in before and not engines_own(mount)]
            return states + [path for name in cgroups for path in containers(name)] + mounts
        deadline = time.monotonic() + 5
        while left() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert left() == []


@pytest.fixture
def docker(docker_client, untouched, home, token):
    untouched(f"{home}/d/exec/runtime-berth/moby", f"/{token}-docker/")
    yield docker_client
    if ids := docker_client.must("ps", "-aq").split():
        docker_client.must("rm", "-f", *ids)


@pytest.fixture
def compose(docker, home, tmp_path):
    """compose("up", ...) with the file that compose.write(text) wrote."""
    client = Client(docker.cell, [program("docker-compose", "docker-compose"), "--ansi", "never", "--project-name", "ship",
                                  "--file", f"{tmp_path}/compose.yaml"],
                    {"DOCKER_HOST": docker.base[-1], "HOME": f"{home}/d"})
    client.write = (tmp_path / "compose.yaml").write_text
    yield client
    client.must("down", "--timeout", "0", "--volumes")


@pytest.fixture
def podman(podman_client, untouched):
    untouched(f"/proc/{podman_client.cell.pid}/root/run/berth", "/libpod-", "/libpod_parent/", "/machine-libpod",
              cell=podman_client.cell)
    yield podman_client
    # Podman before 4.4 now and then unmounts /dev/shm too late for itself: EBUSY (its issue 11594).
    wait_until(lambda: podman_client("rm", "--all", "--force", "--time", "0").ok, what="podman rm --all --force")


@pytest.fixture
def pods_go_away(podman):
    yield
    podman.must("pod", "rm", "--all", "--force", "--time", "0")


@pytest.fixture
def cri(cri_client, untouched, home, token):
    untouched(f"{home}/berth/k8s.io", f"/{token}-pods/")
    yield cri_client
    for pod in cri_client("ListPodSandbox")["items"]:
        cri_client("StopPodSandbox", pod_sandbox_id=pod["id"])
        cri_client("RemovePodSandbox", pod_sandbox_id=pod["id"])


@pytest.fixture
def ctr(ctr_client, untouched, home, token):
    untouched(f"{home}/runc/{token}", f"/{token}/")
    yield ctr_client
    for task in ctr_client.must("tasks", "ls", "-q").split():
        ctr_client.must("tasks", "rm", "--force", task)
    for container in ctr_client.must("containers", "ls", "-q").split():
        ctr_client.must("containers", "rm", container)
