"""The kernel talks to itself over the loopback of its network, and the frames go into a pcap file.

Usage: kernel_dialogue.py FILE. Meant for the lab: it needs a network of its own, whose raw frames it may read.
"""

import socket
import struct
import sys
import threading
import time

OUTGOING = 4
STREAM = socket.SOCK_STREAM


def capture(raw, path, ended):
    """Writes each frame as the loopback delivers it."""
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
        while True:
            try:
                frame, address = raw.recvfrom(262144)
            except socket.timeout:
                if ended.is_set():
                    return
                continue
            if address[2] == OUTGOING:
                continue
            now = time.time_ns() // 1000
            size = len(frame)
            file.write(struct.pack("<IIII", now // 1000000, now % 1000000, size, size))
            file.write(frame)


def pair(host, receive=None, source=None):
    """A connection: the client's end, the server's."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, STREAM)
    if receive:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
    listener.bind((host, 0 if source is None else 9999))
    listener.listen()
    client = socket.socket(family, STREAM)
    if source:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        client.bind((host, source))
    client.connect(listener.getsockname()[:2])
    server, _ = listener.accept()
    listener.close()
    return client, server


def reset(end):
    """Closes without a goodbye."""
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    end.close()


def read_all(end):
    while end.recv(65536):
        pass


def dialogue(host):
    client, server = pair(host)
    for _ in range(3):
        client.sendall(b"hello")
        server.sendall(server.recv(5) * 100)
        client.recv(500)
    # One end says goodbye and still hears.
    client.shutdown(socket.SHUT_WR)
    read_all(server)
    server.sendall(b"x" * 1000)
    server.close()
    read_all(client)
    client.close()


def bulk(host, octets):
    client, server = pair(host)
    reader = threading.Thread(target=read_all, args=(server,))
    reader.start()
    client.sendall(b"x" * octets)
    client.close()
    reader.join()
    server.close()


def shut_window(host):
    client, server = pair(host, receive=4096)
    client.setblocking(False)
    try:
        while client.send(b"x" * 1000):
            pass
    except BlockingIOError:
        pass
    # Some probes, then room.
    time.sleep(1.5)
    client.close()
    read_all(server)
    server.close()


def keep_alive(host):
    client, server = pair(host)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1)
    client.sendall(b"hello")
    time.sleep(2.5)
    client.close()
    server.close()


def resets(host):
    # A port is used again after each.
    for first in (0, 1, 0):
        ends = pair(host, source=40000)
        ends[0].sendall(b"unread")
        reset(ends[first])
        ends[1 - first].close()
    refused = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, STREAM)
    assert refused.connect_ex((host, 9)) != 0


def main():
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 23)
    raw.bind(("lo", 0))
    raw.settimeout(0.2)
    ended = threading.Event()
    writer = threading.Thread(target=capture, args=(raw, sys.argv[1], ended))
    writer.start()
    try:
        for host in ("127.0.0.1", "::1"):
            dialogue(host)
            bulk(host, 1000000)
            shut_window(host)
            keep_alive(host)
            resets(host)
    finally:
        ended.set()
        writer.join()


main()
