"""A flood of frames that make no sense: flood.py INTERFACE HOST STATION NUMBER SEED

Frames to the Ethernet address STATION, or to everybody: valid ones with octets changed, cut off, or made of chance
altogether. After each few of them HOST is pinged: it must answer, and a controller's memory is not asked to hold more.
Prints how many were sent, how many of those were longer than an Ethernet frame may be, and the number of pings.
"""

import random
import socket
import struct
import sys

from checksum import checksum

PATIENCE = 10
BURST = 6000  # octets
LONGEST = 1514


def ipv4(protocol, source, target, payload):
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 1, 0, 64, protocol, 0, source, target)
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + payload


def ipv6(protocol, source, target, payload):
    return struct.pack("!IHBB16s16s", 6 << 28, len(payload), protocol, 255, source, target) + payload


def valid(chance, us, them):
    """An EtherType and what it carries, such as the host looks at: its checksums are right only by chance."""
    octets = chance.randbytes(chance.choice([0, 1, 8, 20, 40, 100, 600, 1400]))
    us6, them6 = socket.inet_pton(socket.AF_INET6, "fe80::1"), socket.inet_pton(socket.AF_INET6, "ff02::1")
    tcp = struct.pack("!HHIIBBHHH", chance.randrange(65536), 9999, chance.getrandbits(32), chance.getrandbits(32),
                      chance.choice([0x50, 0x60, 0xF0]), chance.getrandbits(8), 1000, chance.getrandbits(16), 0) + octets
    udp = struct.pack("!HHHH", chance.choice([53, 67, 9999]), chance.choice([68, 9999]), 8 + len(octets), 0) + octets
    icmp = struct.pack("!BBHI", chance.choice([0, 3, 5, 8, 11]), chance.randrange(6), 0, 0) + octets
    icmp = icmp[:2] + struct.pack("!H", checksum(icmp)) + icmp[4:]
    nd = struct.pack("!BBHI", chance.choice([1, 2, 3, 128, 130, 134, 135, 136, 137]), 0, 0, 0) + octets
    return chance.choice([
        (0x0806, struct.pack("!HHBBH6s4s6s4s", 1, 0x0800, 6, 4, chance.randrange(4), b"\2" * 6, us, b"\0" * 6, them)),
        (0x0800, ipv4(6, us, them, tcp)),
        (0x0800, ipv4(17, us, them, udp)),
        (0x0800, ipv4(1, us, them, icmp)),
        (0x0800, ipv4(2, us, them, octets)),
        (0x0800, ipv4(chance.getrandbits(8), us, them, octets)),
        (0x86DD, ipv6(58, us6, them6, nd)),
        (0x86DD, ipv6(chance.choice([0, 6, 17, 43, 44, 58, 59, 60]), us6, them6, octets)),
        (0x8100, octets),
        (chance.getrandbits(16), octets),
    ])


def frame(chance, station, us, them):
    ethertype, packet = valid(chance, us, them)
    header = chance.choice([station, b"\xff" * 6, b"\x33\x33\0\0\0\1"]) + b"\2\0\0\0\0\x64" + struct.pack("!H", ethertype)
    octets = bytearray(header + packet)
    kind = chance.randrange(8)
    if kind < 5 and packet:  # what is for another station does not arrive at all
        for _ in range(chance.randrange(1, 8)):
            octets[chance.randrange(14, min(len(octets), 80))] ^= 1 << chance.randrange(8)
    elif kind == 5:
        del octets[chance.randrange(14, len(octets) + 1):]
    elif kind == 6:
        octets[14:] = chance.randbytes(chance.randrange(0, 1501))
    else:
        octets += chance.randbytes(chance.randrange(0, 4))
    if chance.randrange(50) == 0:
        # As with a VLAN's tag. A frame that is longer still does not leave this link.
        octets = octets.ljust(LONGEST, b"\0") + chance.randbytes(4)
        octets[12:14] = b"\x81\0"
        return octets[: LONGEST + 4]
    return octets[:LONGEST]


def ping(icmp, host, number):
    """Asks whether the host is there, and waits for its answer: all that was sent before was seen."""
    question = struct.pack("!BBHHH", 8, 0, 0, 9998, number & 0xFFFF)
    question = question[:2] + struct.pack("!H", checksum(question)) + question[4:]
    icmp.sendto(question, (host, 0))
    while True:
        packet, (sender, _) = icmp.recvfrom(65535)
        if sender == host and packet[20:22] == b"\0\0" and packet[24:28] == question[4:]:
            return


def main():
    interface, host, station, number, seed = sys.argv[1:]
    chance = random.Random(int(seed))
    station = bytes.fromhex(station.replace(":", ""))
    them = socket.inet_aton(host)
    us = them[:3] + b"\x4d"  # nobody: what is said of its Ethernet address hurts no one
    with (
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as link,
        socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as icmp,
    ):
        link.bind((interface, 0))
        icmp.settimeout(PATIENCE)
        sent = too_long = octets = 0
        pings = 1
        for _ in range(int(number)):
            one = frame(chance, station, us, them)
            size = max(len(one), 60) + 8  # with what the controller and its memory add
            if octets + size > BURST:
                ping(icmp, host, sent)
                pings += 1
                octets = 0
            link.send(one)
            octets += size
            sent += 1
            too_long += len(one) > LONGEST
        ping(icmp, host, sent)
    print(f"sent {sent}, too long {too_long}, pings {pings}", flush=True)


if __name__ == "__main__":
    try:
        main()
    except OSError as error:
        sys.exit(f"the flood ends: {error}")
