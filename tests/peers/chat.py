"""A chat in the chat server's room, while the seed's clients are served beside it: chat.py HOST PORT

Exits with 1 and the reason when anybody hears anything but what they should, or when a member that does not read
holds the others up or fills the server's memory.
"""

import os
import socket
import struct
import subprocess
import sys

from hello_client import connect, expect

CLIENTS = 8  # of the seed's, at once
BATCHES, BATCH = 250, 32
WORDS = "x" * 990
GROWTH = 4 << 20  # octets of memory; what is said to the one who does not read is twice as much


class Member:
    """A member of the room."""

    def __init__(self, address, name):
        self.sock = connect(address)
        self.lines = self.sock.makefile("r", encoding="utf-8")
        self.name = name
        expect(self.sock, "Welcome!")
        # In pieces: a line is what ends with a newline, however it comes.
        for piece in [b"/jo", b"in ", f"{name}\n".encode()]:
            self.sock.sendall(piece)
        self.hear(f"* {name} joined")

    def say(self, text):
        self.sock.sendall(f"{text}\n".encode())

    def hear(self, wanted):
        line = self.lines.readline()
        if line != wanted + "\n":
            sys.exit(f"{self.name} expected {wanted!r}, heard {line[:80]!r}")


def resident(pid):
    """The memory of a process, in octets; None for a process that is not the server."""
    with open(f"/proc/{pid}/comm", encoding="utf-8") as file:
        if file.read().strip() != "chat_server":
            return None
    with open(f"/proc/{pid}/statm", encoding="utf-8") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def main():
    host, port = sys.argv[1], int(sys.argv[2])
    address = (host, port)
    script = os.path.join(os.path.dirname(__file__), "hello_client.py")
    seed = [subprocess.Popen([sys.executable, script, host, str(port)]) for _ in range(CLIENTS)]

    alice = Member(address, "Alice")
    bob = Member(address, "Bob")
    alice.hear("* Bob joined")
    alice.say("hello\nwho is there?")
    bob.hear("Alice: hello")
    bob.hear("Alice: who is there?")
    bob.say("/join Carol")  # is one already
    bob.hear("* There is: /join NAME, /leave, exit.")
    print("a chat beside the seed's clients", flush=True)

    # Carol does not read. What she does not hear holds nobody up and is nowhere kept.
    carol = Member(address, "Carol")
    for member in [alice, bob]:
        member.hear("* Carol joined")
    server = os.getppid()
    before = resident(server)
    for number in range(BATCHES):
        for nth in range(BATCH):
            alice.say(f"{number}.{nth} {WORDS}")
        for nth in range(BATCH):
            bob.hear(f"Alice: {number}.{nth} {WORDS}")
    after = resident(server)
    if before is None or after is None:
        sys.exit("the server is not this program's parent")
    if after - before > GROWTH:
        sys.exit(f"the server grew by {after - before} octets")
    # The kernel took some for her as its buffer grew: there is more than one gap.
    heard, missed = 0, 0
    while heard + missed < BATCHES * BATCH:
        line = carol.lines.readline()
        if line.startswith("* You missed "):
            missed += int(line.split()[3])
        elif line.startswith("Alice: "):
            heard += 1
        else:
            sys.exit(f"Carol heard {line[:80]!r}")
    if heard + missed > BATCHES * BATCH or missed < BATCHES * BATCH // 2:
        sys.exit(f"Carol heard {heard} and missed {missed}")
    bob.say("still there?")
    carol.hear("Bob: still there?")
    alice.hear("Bob: still there?")
    print("one who does not read misses it, and nobody else", flush=True)

    # A member that breaks off, one that leaves, and one that goes on as the seed's client does.
    bob.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    bob.lines.close()
    bob.sock.close()
    for member in [alice, carol]:
        member.hear("* Bob left")
    carol.say("exit")
    if rest := carol.lines.read():
        sys.exit(f"Carol expected the end, heard {rest[:80]!r}")
    alice.hear("* Carol left")
    alice.say("/leave")
    alice.sock.sendall(b"Alice")
    expect(alice.sock, "Hello, Alice!")
    print("each leaves in their own way", flush=True)

    if failures := [client for client in seed if client.wait() != 0]:
        sys.exit(f"{len(failures)} of the seed's {CLIENTS} clients failed")
    print(f"{CLIENTS} of the seed's clients greeted", flush=True)


if __name__ == "__main__":
    try:
        main()
    except OSError as error:
        sys.exit(f"the conversation broke off: {error}")
