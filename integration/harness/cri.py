"""What a kubelet does: pods and their containers by the Container Runtime Interface."""

import base64
import json
import os
import select
import subprocess
import sys

from .engine import Terminal, Unavailable, outcome, program

HERE = os.path.dirname(os.path.abspath(__file__))


class Refused(Exception):
    """The error of a call, as the engine words it."""


class Cri:
    """The calls of the interface: `cri("StartContainer", container_id=id)` gives the answer as a dictionary."""

    def __init__(self, cell, socket, descriptors):
        made = outcome([program("protoc", "protobuf-compiler"), "-I", HERE, f"--descriptor_set_out={descriptors}",
                        "cri.proto"], 30)
        assert made.ok, made
        self.cell = cell
        self.process = subprocess.Popen(
            cell.command(sys.executable, f"{HERE}/cri_calls.py", socket, descriptors), stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1)
        try:
            self.version = self("Version")
        except BrokenPipeError:
            words = self.close().strip().splitlines()
            raise Unavailable(f"no CRI client (python3-grpcio, python3-protobuf): {words[-1:]}") from None

    def __call__(self, method, **request):
        self.process.stdin.write(json.dumps([method, request]) + "\n")
        assert select.select([self.process.stdout], [], [], 90)[0], f"no answer to {method}"
        line = self.process.stdout.readline()
        if not line:
            raise BrokenPipeError
        answer, error = json.loads(line)
        if error is not None:
            raise Refused(error)
        return answer

    def refusal(self, method, **request):
        """The error of a call that has to fail."""
        try:
            answer = self(method, **request)
        except Refused as refused:
            return str(refused)
        raise AssertionError(f"{method} should have failed: {answer}")

    def exec_sync(self, id, *command, timeout=20):
        """Status, stdout and stderr of a command in a container."""
        answer = self("ExecSync", container_id=id, cmd=command, timeout=timeout)
        return (answer["exit_code"], *(base64.b64decode(answer[name]).decode() for name in ("stdout", "stderr")))

    def _stream_command(self, url):
        return self.cell.command(sys.executable, f"{HERE}/cri_stream.py", url)

    def exec(self, id, *command, input=None):
        """The outcome of a command in a container, by a stream."""
        url = self("Exec", container_id=id, cmd=command, stdin=input is not None, stdout=True, stderr=True)["url"]
        return outcome(self._stream_command(url), 30, input=input)

    def exec_terminal(self, id, *command):
        url = self("Exec", container_id=id, cmd=command, stdin=True, stdout=True, tty=True)["url"]
        return Terminal(self._stream_command(url), dict(os.environ))

    def attach_terminal(self, id):
        url = self("Attach", container_id=id, stdin=True, stdout=True, tty=True)["url"]
        return Terminal(self._stream_command(url), dict(os.environ))

    def close(self):
        """What it had to complain about."""
        self.process.stdin.close()
        words = self.process.stderr.read()
        self.process.stdout.close()
        self.process.stderr.close()
        self.process.wait(20)
        return words


class Pod:
    """A pod: `with Pod(cri, config) as pod: id = pod.start(container config)`. Ends with nothing left of it."""

    def __init__(self, cri, config, handler="berth"):
        self.cri, self.config, self.containers = cri, config, []
        self.id = cri("RunPodSandbox", config=config, runtime_handler=handler)["pod_sandbox_id"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.cri("StopPodSandbox", pod_sandbox_id=self.id)
        self.cri("RemovePodSandbox", pod_sandbox_id=self.id)

    def create(self, config):
        id = self.cri("CreateContainer", pod_sandbox_id=self.id, config=config, sandbox_config=self.config)["container_id"]
        self.containers.append(id)
        return id

    def start(self, config):
        id = self.create(config)
        self.cri("StartContainer", container_id=id)
        return id

    def status(self, id):
        return self.cri("ContainerStatus", container_id=id)["status"]
