"""A program that connects its terminal, or its three streams, with a stream of the Container Runtime Interface, as
`crictl exec` does: `cri_stream.py URL`. Ends with the command's status. Speaks Kubernetes' sub-protocol of WebSocket,
in which a message's first byte says what the others are."""

import fcntl
import json
import os
import select
import signal
import struct
import sys
import termios
import tty

import websocket

STDIN, STDOUT, STDERR, STATUS, SIZE = range(5)


def send_size(connection):
    rows, columns, _, _ = struct.unpack("4H", fcntl.ioctl(0, termios.TIOCGWINSZ, bytes(8)))
    size = json.dumps({"Width": columns, "Height": rows})
    connection.send_binary(bytes([SIZE]) + size.encode())


def exit_status(answer):
    """What the last message says (Kubernetes' metav1.Status)."""
    if answer["status"] == "Success":
        return 0
    if answer.get("reason") == "NonZeroExitCode":
        return int(answer["details"]["causes"][0]["message"])
    print(answer["message"], file=sys.stderr)
    return 255


def converse(connection):
    sources = [connection, sys.stdin]
    while True:
        ready = select.select(sources, [], [])[0]
        if sys.stdin in ready:
            typed = os.read(0, 4096)
            if typed:
                connection.send_binary(bytes([STDIN]) + typed)
            else:
                sources.remove(sys.stdin)
        if connection in ready:
            message = connection.recv()
            if not message:
                print("the stream ended without a status", file=sys.stderr)
                return 255
            if message[0] == STATUS and len(message) > 1:
                return exit_status(json.loads(message[1:]))
            if message[0] in (STDOUT, STDERR):
                os.write(message[0], message[1:])


def connect(url):
    return websocket.create_connection(url.replace("http:", "ws:", 1), subprotocols=["v4.channel.k8s.io"])


def main(url):
    if not os.isatty(0):
        return converse(connect(url))
    before = termios.tcgetattr(0)
    tty.setraw(0, termios.TCSANOW)
    try:
        connection = connect(url)
        send_size(connection)
        signal.signal(signal.SIGWINCH, lambda *_: send_size(connection))
        return converse(connection)
    finally:
        termios.tcsetattr(0, termios.TCSANOW, before)


sys.exit(main(*sys.argv[1:]))
