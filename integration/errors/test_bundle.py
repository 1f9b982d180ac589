"""Bundles that are no bundles."""

import json
import os

import pytest


@pytest.fixture
def refuse(container, runtime, state_root):
    """create and run fail with one line and leave no state."""
    def refuse(made, *texts):
        for command in ("create", "run"):
            with container(made) as box:
                result = getattr(box, command)()
                error = result.error
                assert result.status == 1
                for text in texts:
                    assert text in error, error
                assert not os.path.exists(os.path.join(state_root, box.id))
        return error
    return refuse


@pytest.mark.parametrize("version", ["0.5.0-dev", "1.0.0", "1.3.0", "1.99.1"])
def test_versions_that_can_be_read(run, version):
    assert run("exit", 3, change=lambda config: config.update(ociVersion=version)).status == 3


@pytest.mark.parametrize("version", ["2.0.0", "1.3", ""])
def test_versions_that_cannot_be_read(bundle, refuse, version):
    refuse(bundle("exit", 0, change=lambda config: config.update(ociVersion=version)), f'/ociVersion: got "{version}"')


def test_root_is_required(bundle, refuse):
    refuse(bundle("exit", 0, change=lambda config: config.pop("root")), "/root")


def test_configuration_of_another_system(bundle, refuse):
    def change(config):
        del config["linux"]
        config["windows"] = {"layerFolders": ["x"]}
    refuse(bundle("exit", 0, change=change), "/linux", "windows")


def test_no_such_bundle(bundle, refuse):
    made = bundle("exit", 0)
    made.path = "/does/not/exist"
    refuse(made, "/does/not/exist", "No such file or directory")


def test_no_configuration(bundle, refuse):
    refuse(bundle("exit", 0, write=False), "config.json", "No such file or directory")


def test_bundle_is_a_file(bundle, refuse):
    made = bundle("exit", 0)
    made.path = made.path + "/config.json"
    refuse(made, "Not a directory")


@pytest.mark.parametrize("text, place", [("", "line 1"), ("{", "line 1"), ('{"ociVersion": "1.0.0",\n  "root": }', "line 2"),
                                         ('{"a": 1}\n\n]', "line 3"), ("not json", "line 1"), ('{"a": "\x01"}', "line 1")])
def test_broken_json_has_line_and_column(bundle, refuse, text, place):
    made = bundle("exit", 0, write=False)
    made.write(text)
    refuse(made, "config.json", place, "column")


@pytest.mark.parametrize("text", [b"[]", b"1", b"null", b'"text"'])
def test_not_an_object(bundle, refuse, text):
    made = bundle("exit", 0, write=False)
    made.write(text)
    refuse(made, "object")


def test_deep_nesting(bundle, refuse):
    made = bundle("exit", 0, write=False)
    made.write("[" * 100000)
    refuse(made)


def test_every_error_of_the_configuration_at_once(bundle, refuse):
    made = bundle("exit", 0, change=lambda config: (config["process"].update(cwd="relative"),
                                                    config["linux"]["namespaces"].append({"type": "nosuch"})))
    refuse(made, "/process/cwd", "relative", "/linux/namespaces/5/type", "nosuch")


def test_no_rootfs(bundle, refuse):
    made = bundle("exit", 0)
    os.rename(made.rootfs, made.rootfs + "-away")
    refuse(made, "rootfs", "No such file or directory")


def test_rootfs_is_a_file(bundle, refuse):
    made = bundle("exit", 0, change=lambda config: config["root"].update(path="config.json"))
    refuse(made, "config.json", "Not a directory")


def test_cut_short_at_every_tenth_byte(bundle, container, runtime):
    """A truncated file never starts anything."""
    made = bundle("exit", 0)
    whole = json.dumps(made.config)
    id = bundle.new_id()
    for length in range(0, len(whole), max(1, len(whole) // 25)):
        made.write(whole[:length])
        result = runtime("run", "--bundle", made.path, id)
        assert result.status == 1 and "config.json" in result.error
