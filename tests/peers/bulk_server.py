"""A long transfer, one way: bulk_server.py take|give PORT FILE

take: reads from each client to the end, and answers "whole" if that was what the file holds, else how far it was right.
give: sends each client what the file holds.
"""

import hashlib
import socket
import sys


def take(sock, expected):
    received = bytearray()
    while True:
        data = sock.recv(65536)
        if not data:
            break
        received += data
    if hashlib.sha256(received).digest() == hashlib.sha256(expected).digest():
        sock.sendall(b"whole")
        return
    pairs = enumerate(zip(received, expected))
    right = next((i for i, (a, b) in pairs if a != b), min(len(received), len(expected)))
    sock.sendall(b"%d octets, %d of them right" % (len(received), right))


def give(sock, contents):
    sock.sendall(contents)


def main():
    deed = {"take": take, "give": give}[sys.argv[1]]
    with open(sys.argv[3], "rb") as file:
        contents = file.read()
    server = socket.create_server(("", int(sys.argv[2])), family=socket.AF_INET6, dualstack_ipv6=True)
    while True:
        sock, _ = server.accept()
        with sock:
            deed(sock, contents)


if __name__ == "__main__":
    main()
