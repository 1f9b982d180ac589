"""Ids: [A-Za-z0-9_+.-]+ and no path."""

import os

import pytest


@pytest.mark.parametrize("id", ["", ".", "..", "../up", "a/b", "/abs", "a b", "a\nb", "ä", "a:b", "a*", "$x",
                                pytest.param("x" * 1025, id="too-long")])
@pytest.mark.parametrize("command", ["create", "run"])
def test_bad_id(container, bundle, runtime, state_root, id, command):
    before = os.listdir(os.path.dirname(state_root))
    made = bundle("exit", 0)
    error = runtime(command, "--bundle", made.path, id).error
    assert "id" in error.lower()
    after = os.listdir(os.path.dirname(state_root))
    assert set(after) - set(before) == {os.path.basename(made.path)}


@pytest.mark.parametrize("id", ["../up", "a/b", ".."])
@pytest.mark.parametrize("command", ["state", "start", "kill", "delete", "pause", "resume", "ps", "update"])
def test_bad_id_of_other_commands(runtime, id, command):
    assert runtime(command, id).error


@pytest.mark.parametrize("suffix", ["a.b", "A_b", "x+y", "x-y", "...", "0"])
def test_good_id(container, bundle, token, suffix):
    with container(bundle("exit", 0), id=f"{token}-{suffix}") as box:
        box.must("create")
        assert box.state()["id"] == box.id
