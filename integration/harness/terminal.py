"""The engine's side of --console-socket: receives the pseudo-terminal of a container."""

import array
import os
import select
import socket
import time


class ConsoleSocket:
    def __init__(self, path):
        self.path = path
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(path)
        self.listener.listen(1)
        self.master = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()
        if self.master is not None:
            os.close(self.master)
        os.unlink(self.path)

    def receive(self, seconds=5):
        """Accepts once, as conmon does: at least one byte and one descriptor in one message."""
        self.listener.settimeout(seconds)
        connection, _ = self.listener.accept()
        with connection:
            data, ancillary, _, _ = connection.recvmsg(4096, socket.CMSG_SPACE(4 * 4))
        assert data, "no data byte came with the terminal"
        fds = array.array("i")
        for level, kind, content in ancillary:
            assert (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS)
            fds.frombytes(content)
        assert len(fds) == 1
        self.master = fds[0]
        return self.master

    def read_until(self, text, seconds=5):
        """Output of the container up to and with `text`."""
        seen, deadline = "", time.monotonic() + seconds
        while text not in seen:
            assert time.monotonic() < deadline, f"{text!r} did not come: {seen!r}"
            if select.select([self.master], [], [], 0.05)[0]:
                try:
                    seen += os.read(self.master, 65536).decode()
                except OSError:  # EIO: the last process closed its end
                    break
        assert text in seen, seen
        return seen
