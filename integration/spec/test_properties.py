"""spec/properties.md is true as far as a test can see it: complete against the schema of the specification, and what it
names exists. No container is started here; the tests that the table names do that."""

import collections
import fnmatch
import functools
import json
import os
import re
import subprocess

import pytest

from harness.schema import Schemas

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SCHEMAS = Schemas(os.path.join(TOP, "spec/schema"))
OTHER_PLATFORMS = ("windows", "solaris", "vm", "zos", "freebsd")
PLAN_HEADERS = ("include/berth/plan/container_plan.hpp", "include/berth/spec/config.hpp", "include/berth/spec/hook.hpp")


def read(path):
    with open(os.path.join(TOP, path)) as file:
        return file.read()


def code(cell):
    """The words of a cell that stand in backticks."""
    return re.findall(r"`([^`]*)`", cell)


def tables():
    """{name of the first column: [{column: cell}]} of the file; tables of the same columns are one."""
    found, columns = collections.defaultdict(list), None
    for line in read("spec/properties.md").splitlines():
        if not line.startswith("|"):
            columns = None
            continue
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if columns is None:
            columns = cells
        elif set("".join(cells)) - set("- "):
            assert len(cells) == len(columns), line
            found[columns[0]].append(dict(zip(columns, cells)))
    return found


TABLES = tables()
ALL_ROWS = [row for rows in TABLES.values() for row in rows]
PROPERTIES = sorted(set(SCHEMAS.properties("config-schema.json", SCHEMAS.file("config-schema.json"), OTHER_PLATFORMS)))


def name_of(row):
    return code(next(iter(row.values())))[0]


def covers(pattern, pointer):
    """Whether a row is about a property of the schema: a `*` of the row stands for any step, or for a part of one."""
    patterns, steps = pattern.split("/"), pointer.split("/")
    return len(patterns) == len(steps) and all(map(fnmatch.fnmatchcase, steps, patterns))


@functools.cache
def names_of_tests(path):
    text = read(path)
    if path.endswith(".py"):
        return set(re.findall(r"^def (test_\w+)\(", text, re.MULTILINE))
    cases = re.findall(r'TEST_CASE\(\s*((?:"(?:[^"\\]|\\.)*"\s*)+)', text)
    return {"".join(re.findall(r'"((?:[^"\\]|\\.)*)"', case)) for case in cases}


def test_every_property_of_the_schema_has_one_row():
    patterns = [name_of(row) for row in TABLES["Property"]]
    counts = {pointer: sum(covers(pattern, pointer) for pattern in patterns) for pointer in PROPERTIES}
    assert len(counts) > 200
    assert {pointer: count for pointer, count in counts.items() if count != 1} == {}


def test_every_row_is_about_a_property_of_the_schema():
    patterns = [name_of(row) for row in TABLES["Property"]]
    assert [pattern for pattern in patterns if not any(covers(pattern, pointer) for pointer in PROPERTIES)] == []


def test_every_row_is_complete():
    assert set(TABLES) == {"Property", "Option", "Operation"}
    for row in ALL_ROWS:
        assert all(row.values()), row
        assert re.match(r"(yes|v1 only:|exec only:|refused:|ignored:|accepted:)", row["What is done"]), row
        assert re.fullmatch(r"1\.[0-3](\.[12])?", row.get("Since", "1.0")), row


def test_planned_is_what_is_done():
    """Whoever is done has a place in the plan; whoever is refused or ignored has none."""
    for row in TABLES["Property"]:
        planned = not re.match("refused|ignored|exec only", row["What is done"])
        assert planned == bool(code(row["Plan"])), row


def test_every_field_of_the_plan_exists():
    words = set(re.findall(r"\w+", "".join(map(read, PLAN_HEADERS))))
    for row in TABLES["Property"]:
        for field in code(row["Plan"]):
            assert set(field.split(".")) <= words, f"{name_of(row)}: {field}"


def test_every_step_exists():
    steps = [step for row in ALL_ROWS for step in code(row.get("Step", ""))]
    assert len(steps) > 150
    for step in steps:
        path, _, function = step.partition(": ")
        assert os.path.isfile(os.path.join(TOP, path)), step
        assert re.search(rf"\b{function}\(", read(path)), step


def test_every_test_exists():
    for row in ALL_ROWS:
        tests = code(row["Test"])
        assert tests, row
        for test in tests:
            path, _, name = test.partition("::")
            assert os.path.isfile(os.path.join(TOP, path)), test
            assert name in names_of_tests(path), test


@pytest.fixture(scope="module")
def features(binary):
    return json.loads(subprocess.run([binary, "features"], check=True, capture_output=True, timeout=10).stdout)


def test_features_fit_their_schema(features):
    assert list(SCHEMAS.problems("features-schema.json", SCHEMAS.file("features-schema.json"), features)) == []


def test_features_name_the_mount_options_of_the_table(features):
    done = [name_of(row) for row in TABLES["Option"] if not row["What is done"].startswith("refused")]
    assert sorted(features["mountOptions"]) == sorted(done)


@pytest.mark.parametrize("name", ["docker-default", "podman-default", "containerd-default"])
def test_configurations_of_the_engines_fit_the_schema(name):
    """Real documents keep the validator honest: each of these uses most of the schema."""
    schema = SCHEMAS.file("config-schema.json")
    config = json.loads(read(f"integration/bundles/{name}.json"))
    assert list(SCHEMAS.problems("config-schema.json", schema, config)) == []


EXAMPLES = {f"{kind}/{judgement}/{name}": (kind, judgement == "good") for kind in ("features", "state")
            for judgement in ("good", "bad")
            for name in os.listdir(os.path.join(TOP, "tests/spec/data", kind, judgement))}


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_examples_of_the_specification(name):
    """What `features` and `state` print is judged by these schemas: they accept and refuse as the specification does. The
    examples of configurations are read by the unit tests of spec and plan."""
    kind, good = EXAMPLES[name]
    schema = f"{kind}-schema.json"
    try:
        document = json.loads(read(f"tests/spec/data/{name}"))
    except json.JSONDecodeError:
        assert not good
        return
    assert (list(SCHEMAS.problems(schema, SCHEMAS.file(schema), document)) == []) == good


def test_state_fits_its_schema(container, bundle):
    with container(bundle("sleep")) as box:
        for command in ("create", "start"):
            box.must(command)
            schema = SCHEMAS.file("state-schema.json")
            assert list(SCHEMAS.problems("state-schema.json", schema, box.state())) == []


@pytest.mark.parametrize("change, pointer", [
    ({"ociVersion": 1}, "/ociVersion"), ({"process": {}}, "/process/cwd"), ({"root": []}, "/root"),
    ({"mounts": [{"destination": "/a", "options": ["ro", 1]}]}, "/mounts/0/options/1"),
    ({"linux": {"namespaces": [{"type": "pid"}, {"type": "no"}]}}, "/linux/namespaces/1/type"),
    ({"linux": {"devices": [{"type": "cc", "path": "/a"}]}}, "/linux/devices/0/type"),
    ({"linux": {"seccomp": {"defaultAction": "SCMP_ACT_LOG", "syscalls": [{"names": [], "action": "SCMP_ACT_LOG"}]}}},
     "/linux/seccomp/syscalls/0/names"),
    ({"linux": {"resources": {"blockIO": {"weightDevice": [{"major": 8, "minor": 0, "weight": 65536}]}}}},
     "/linux/resources/blockIO/weightDevice/0/weight"),
    ({"linux": {"resources": {"rdma": {"x": {"hcaHandles": -1}}}}}, "/linux/resources/rdma/x/hcaHandles"),
    ({"annotations": {"a": None}}, "/annotations/a"), ({"root": {"path": "r", "readonly": 1}}, "/root/readonly"),
    ({"hooks": {"poststop": [{"path": "/h", "timeout": True}]}}, "/hooks/poststop/0/timeout")])
def test_the_validator_refuses(change, pointer):
    problems = list(SCHEMAS.problems("config-schema.json", SCHEMAS.file("config-schema.json"),
                                     {"ociVersion": "1.3.0", **change}))
    assert problems and all(line.startswith(pointer) for line in problems)
