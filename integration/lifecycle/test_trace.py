"""--trace: where a start spends its time, in the Chrome trace format."""

import json

COMMAND, STAGE, CONTAINER = 1, 2, 3


def spans_of(file):
    """name -> (begin, end) for each process; the file is complete JSON."""
    events = json.loads(file.read_text())
    names = {event["args"]["name"] for event in events if event["ph"] == "M"}
    assert {"command", "container's process"} <= names
    spans = {}
    for event in events:
        if event["ph"] == "X":
            assert event["dur"] >= 0
            spans.setdefault(event["pid"], {})[event["name"]] = (event["ts"], event["ts"] + event["dur"])
    return spans


def within(inner, outer):
    return outer[0] <= inner[0] and inner[1] <= outer[1]


def test_run(runtime, bundle, container, tmp_path):
    made, file = bundle("exit", 0), tmp_path / "trace.json"
    with container(made) as box:
        assert runtime("run", "--bundle", made.path, "--trace", str(file), box.id).ok
    spans = spans_of(file)
    command, process = spans[COMMAND], spans[CONTAINER]
    assert {"configuration", "cgroup", "launch", "clone", "commit", "the program runs", "delete"} <= set(command)
    assert {"mounts", "mount /proc", "root", "credentials", "program"} <= set(process)
    assert within(process["mount /proc"], process["mounts"])
    # One clock for both processes: what the container's does, it does while the command waits for it.
    assert within(process["mounts"], command["launch"])
    assert command["launch"][1] <= command["commit"][0] <= command["the program runs"][0]


def test_run_of_a_staged_launch(runtime, bundle, container, tmp_path):
    """A joined namespace that needs a process in between."""
    file = tmp_path / "trace.json"
    with container(bundle("sleep")) as first:
        first.must("create")
        first.must("start")

        def join(config):
            for namespace in config["linux"]["namespaces"]:
                if namespace["type"] == "pid":
                    namespace["path"] = f"/proc/{first.pid}/ns/pid"

        made = bundle("exit", 0, change=join)
        with container(made) as box:
            assert runtime("run", "--bundle", made.path, "--trace", str(file), box.id).ok
    assert "mounts" in spans_of(file)[CONTAINER]


def test_create(runtime, bundle, container, tmp_path):
    made, file = bundle("exit", 0), tmp_path / "trace.json"
    with container(made) as box:
        assert runtime("create", "--bundle", made.path, "--trace", str(file), box.id).ok
        before = file.read_text()
        assert runtime("start", box.id).ok
        assert file.read_text() == before
    assert "mounts" in spans_of(file)[CONTAINER]


def test_exec(runtime, bundle, container, tmp_path):
    file = tmp_path / "trace.json"
    with container(bundle("sleep")) as box:
        box.must("create")
        box.must("start")
        assert runtime("exec", "--trace", str(file), box.id, "/probe", "exit", "0").ok
    spans = spans_of(file)
    assert within(spans[CONTAINER]["namespaces"], spans[COMMAND]["launch"])


def test_of_a_start_that_fails(runtime, bundle, container, tmp_path):
    made, file = bundle(args=["/no/such/program"]), tmp_path / "trace.json"
    with container(made) as box:
        result = runtime("run", "--bundle", made.path, "--trace", str(file), box.id)
        assert result.status == 1 and "/no/such/program" in result.error
    assert "mounts" in spans_of(file)[CONTAINER]


def test_a_file_that_cannot_be_written(runtime, bundle, container, tmp_path):
    made = bundle("exit", 0)
    with container(made) as box:
        result = runtime("run", "--bundle", made.path, "--trace", str(tmp_path / "none" / "file"), box.id)
        assert result.status == 1 and "--trace" in result.error


def test_the_program_does_not_get_the_file(runtime, bundle, container, tmp_path):
    made = bundle("report")
    with container(made) as box:
        result = runtime("run", "--bundle", made.path, "--trace", str(tmp_path / "trace.json"), box.id)
        assert set(result.report.fds) == {"0", "1", "2"}
