"""A seccomp agent: takes the listener of a container's filter over its socket and answers what the filter notifies."""

import array
import errno
import fcntl
import json
import os
import select
import socket
import struct
import threading

# linux/seccomp.h: struct seccomp_notif has 80 bytes, struct seccomp_notif_resp 24.
RECEIVE, SEND = 0xC0502100, 0xC0182101
CONTINUE = 1


class Agent:
    """Serves one container at `path` while the context lives. `answers` maps system call numbers to the errno to answer;
    other calls are continued."""

    def __init__(self, path, answers=None):
        self.path, self.answers = path, answers or {}
        self.document, self.seen, self.fd_count, self.more = None, [], 0, None
        self._stop_read, self._stop_write = os.pipe()
        self._server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._server.bind(path)
        self._server.listen(4)
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        os.write(self._stop_write, b"x")
        self._thread.join()
        self._server.close()
        os.close(self._stop_read)
        os.close(self._stop_write)
        os.unlink(self.path)

    def _wait(self, fd):
        """Whether there is something to read, before the end of the context."""
        poller = select.poll()
        poller.register(fd, select.POLLIN)
        poller.register(self._stop_read, select.POLLIN)
        events = dict(poller.poll())
        return bool(events.get(fd, 0) & select.POLLIN)

    def _serve(self):
        if not self._wait(self._server.fileno()):
            return
        connection, _ = self._server.accept()
        with connection:
            data, control, _, _ = connection.recvmsg(1 << 20, socket.CMSG_SPACE(16 * 4))
            fds = array.array("i")
            for _, kind, content in control:
                if kind == socket.SCM_RIGHTS:
                    fds.frombytes(content[:len(content) - len(content) % fds.itemsize])
            self.document, self.fd_count = json.loads(data), len(fds)
            self.more = connection.recv(1)  # b"" at the end of the stream
        for extra in fds[1:]:
            os.close(extra)
        try:
            while self._wait(fds[0]):
                self._answer(fds[0])
        finally:
            os.close(fds[0])

    def _answer(self, listener):
        request = bytearray(80)
        try:
            fcntl.ioctl(listener, RECEIVE, request)
        except OSError as error:
            if error.errno == errno.ENOENT:  # the caller was killed meanwhile
                return
            raise
        id, pid, _, number = struct.unpack_from("=QIIi", request)
        self.seen.append(number)
        error = self.answers.get(number)
        response = struct.pack("=QqiI", id, 0, -error if error else 0, 0 if error else CONTINUE)
        try:
            fcntl.ioctl(listener, SEND, response)
        except OSError as failed:
            if failed.errno != errno.ENOENT:
                raise
