"""Pings with every size that fits into an Ethernet frame, one after the other: every_size.py HOST

Each answer must be there, and be the question's octets.
"""

import os
import socket
import struct
import sys

from checksum import checksum

SIZES = range(0, 1473)  # 1,500 octets without the headers of IPv4 and ICMP
PATIENCE = 10


def echo(kind, number, payload):
    header = struct.pack("!BBHHH", kind, 0, 0, 9999, number)
    return struct.pack("!BBHHH", kind, 0, checksum(header + payload), 9999, number) + payload


def main():
    host = sys.argv[1]
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as s:
        s.settimeout(PATIENCE)
        for size in SIZES:
            payload = os.urandom(size)
            s.sendto(echo(8, size, payload), (host, 0))
            answer = echo(0, size, payload)
            while True:  # a raw socket hears of everything
                packet, (sender, _) = s.recvfrom(65535)
                if sender == host and packet[20:28] == answer[:8]:
                    break
            if packet[20:] != answer:
                sys.exit(f"the answer to {size} octets is another one")
    print(f"{len(SIZES)} sizes", flush=True)


if __name__ == "__main__":
    try:
        main()
    except OSError as error:
        sys.exit(f"no answer: {error}")
