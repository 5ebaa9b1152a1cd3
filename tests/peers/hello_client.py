"""The TCP client of the seed's server: hello_client.py HOST PORT

Reads the welcome, says three names, prints each answer, says "exit" and expects the end of the stream.
Exits with 1 and the reason when the server does anything else.
"""

import socket
import sys
import time


def connect(address, patience=10):
    """Connects; only "nobody answers there yet" is tried again, for `patience` seconds."""
    deadline = time.monotonic() + patience
    while True:
        try:
            return socket.create_connection(address, timeout=patience)
        except OSError as error:
            if time.monotonic() >= deadline:
                sys.exit(f"no server at {address}: {error}")
            time.sleep(0.05)


def expect(sock, text):
    """Reads exactly `text`: TCP may deliver it in pieces."""
    wanted, got = text.encode(), b""
    while len(got) < len(wanted):
        data = sock.recv(len(wanted) - len(got))
        if not data:
            break
        got += data
    if got != wanted:
        sys.exit(f"expected {wanted!r}, got {got!r}")
    print(text, flush=True)


def main():
    host, port = sys.argv[1], int(sys.argv[2])
    with connect((host, port)) as sock:
        expect(sock, "Welcome!")
        for name in ["Michael", "Tracy", "Sarah"]:
            sock.sendall(name.encode())
            expect(sock, f"Hello, {name}!")
        sock.sendall(b"exit")
        rest = sock.recv(1024)
        if rest:
            sys.exit(f"expected the end of the stream, got {rest!r}")


if __name__ == "__main__":
    try:
        main()
    except OSError as error:
        sys.exit(f"the conversation broke off: {error}")
