"""Malformed configurations: one line that names the property, exit status 1, nothing left, and the same as one record in
the log."""

import importlib.util
import json
import os

import pytest


def load_cases():
    """The cases of ../malformed, a package of its own: it needs nothing of the harness."""
    directory = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../malformed")
    spec = importlib.util.spec_from_file_location("malformed", os.path.join(directory, "__init__.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.cases()


CASES = load_cases()


def test_there_are_at_least_a_hundred():
    assert len(CASES) >= 100


@pytest.mark.parametrize("name", sorted(CASES))
def test_malformed(bundle, container, runtime, state_root, tmp_path, name):
    content, expected = CASES[name]
    made = bundle(write=False)
    made.write(content)
    log = tmp_path / "log"
    with container(made) as box:
        result = runtime.with_args("--log", str(log), "--log-format", "json")("run", "--bundle", made.path, box.id)
        assert result.status == 1
        assert expected in result.error
        assert not os.path.exists(os.path.join(state_root, box.id))
    records = [json.loads(line) for line in log.read_text().splitlines()]
    assert [record["level"] for record in records] == ["error"]
    assert records[0]["msg"] in result.error
    assert result.seconds < 1
