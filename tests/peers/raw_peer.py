"""A raw socket of the kernel: answers each packet of a protocol that is sent to an address.

An SCTP INIT (RFC 9260, section 3.3.2) is answered with an INIT ACK, anything else with itself, backwards.

    python3 raw_peer.py ADDRESS PROTOCOL
"""

import socket
import struct
import sys

SCTP = 132
INIT, INIT_ACK, STATE_COOKIE = 1, 2, 7


def crc32c(octets):
    crc = 0xFFFFFFFF
    for octet in octets:
        crc ^= octet
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def sctp(packet):
    """The answer to an INIT; None where it is none."""
    source, destination, tag, checksum = struct.unpack("!HHI4s", packet[:12])
    if checksum != struct.pack("<I", crc32c(packet[:8] + bytes(4) + packet[12:])):
        return None
    kind, _, length, initiate_tag, _, _, _, tsn = struct.unpack("!BBHIIHHI", packet[12:32])
    if (kind, tag) != (INIT, 0) or length != len(packet) - 12:
        return None
    cookie = b"a cookie"
    parameter = struct.pack("!HH", STATE_COOKIE, 4 + len(cookie)) + cookie
    chunk = struct.pack("!BBHIIHHI", INIT_ACK, 0, 20 + len(parameter), 0xCAFE, 65536, 1, 1, tsn)
    answer = struct.pack("!HHI4s", destination, source, initiate_tag, bytes(4)) + chunk + parameter
    return answer[:8] + struct.pack("<I", crc32c(answer)) + answer[12:]


address, protocol = sys.argv[1], int(sys.argv[2])
is_v4 = ":" not in address
peer = socket.socket(socket.AF_INET if is_v4 else socket.AF_INET6, socket.SOCK_RAW, protocol)
peer.bind((address, 0))
print("ready", flush=True)
while True:
    packet, source = peer.recvfrom(65535)
    if is_v4:
        packet = packet[(packet[0] & 0xF) * 4 :]
    answer = sctp(packet) if protocol == SCTP else packet[::-1]
    if answer is not None:
        peer.sendto(answer, (source[0], 0))
