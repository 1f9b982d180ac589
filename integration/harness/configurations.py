"""The configurations that engines wrote, and what a bundle needs to run one of them."""

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
