"""Malformed configurations: one line that names the property, exit status 1, nothing left, and the same as one record in
the log."""

import json
import os

import pytest

from malformed.cases import cases

CASES = cases()


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
