"""Malformed configurations: one line that names the property, exit status 1, nothing left, and the same as one record in
the log. Each case is a file NAME.json in ../malformed; the text that the error has to name is in expected.json there."""

import json
import os

import pytest

DIRECTORY = os.path.join(os.path.dirname(__file__), "../malformed")


def cases():
    path = os.path.join(DIRECTORY, "expected.json")
    if not os.path.exists(path):
        return []
    with open(path) as file:
        return sorted(json.load(file).items())


def test_there_are_at_least_a_hundred():
    assert len(cases()) >= 100


@pytest.mark.parametrize("name, expected", cases())
def test_malformed(bundle, container, runtime, state_root, tmp_path, name, expected):
    made = bundle(write=False)
    with open(os.path.join(DIRECTORY, name), "rb") as file:
        made.write(file.read())
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
