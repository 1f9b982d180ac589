"""The configurations that engines wrote, what a bundle needs to run one of them, and changes that several tests make to theirs."""

import json
import os

BUNDLES = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "bundles")
#: Which controller a part of linux.resources needs; device rules need none of cgroup2's.
CONTROLLERS = {"memory": "memory", "cpu": "cpu", "pids": "pids", "blockIO": "io", "hugepageLimits": "hugetlb",
               "rdma": "rdma"}


def engine_config(name):
    with open(os.path.join(BUNDLES, name + ".json")) as file:
        return json.load(file)


def without_limits_that(view, config):
    """cannot be set in this view."""
    if view.unified:
        resources = config["linux"].get("resources", {})
        for name in list(resources):
            if name in CONTROLLERS and CONTROLLERS[name] not in view.controllers:
                del resources[name]
    return config


def fill(made, busybox):
    """The root file system and the files that the configuration binds."""
    made.busybox(busybox, "echo", "cat")
    for entry in made.config["mounts"]:
        if entry["source"].startswith("files/"):
            if entry["source"].endswith("shm"):
                os.makedirs(os.path.join(made.path, entry["source"]), exist_ok=True)
            else:
                made.file(entry["source"], entry["destination"] + "\n")


def with_user_namespace(config):
    """A change of a test's own configuration."""
    config["linux"]["namespaces"].append({"type": "user"})
    for name in ("uidMappings", "gidMappings"):
        config["linux"][name] = [{"containerID": 0, "hostID": 100000, "size": 65536}]


def with_hook(kind):
    """One that does nothing; startContainer's is a program of the container's."""
    def change(config):
        config["hooks"] = {kind: [{"path": "/bin/true" if kind != "startContainer" else "/probe", "args": ["x", "exit", "0"]}]}
    return change
