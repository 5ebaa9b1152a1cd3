"""The seed's UDP client: udp_client.py HOST PORT

Sends three names, prints each answer. Exits with 1 and the reason when an answer differs or stays away.
"""

import socket
import sys
import time


def ask(s, name, patience):
    """The answer to `name`, asked again every half second: UDP does not say whether the server is up yet."""
    deadline = time.monotonic() + patience
    while True:
        try:
            s.send(name)
            return s.recv(1024)
        except (TimeoutError, ConnectionRefusedError) as error:
            if time.monotonic() >= deadline:
                sys.exit(f"no answer to {name!r}: {error}")
            if isinstance(error, ConnectionRefusedError):
                time.sleep(0.05)


def main():
    host, port = sys.argv[1], int(sys.argv[2])
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.connect((host, port))  # fixes the peer, so that its "port unreachable" is heard
    s.settimeout(0.5)
    before = None
    for name in [b"Michael", b"Tracy", b"Sarah"]:
        answer = ask(s, name, patience=10)
        while answer == before:  # the second answer to a name that was asked twice
            answer = s.recv(1024)
        if answer != b"Hello, %s!" % name:
            sys.exit(f"expected the greeting of {name!r}, got {answer!r}")
        print(answer.decode(), flush=True)
        before = answer
    s.close()


if __name__ == "__main__":
    try:
        main()
    except OSError as error:
        sys.exit(f"the conversation broke off: {error}")
