"""What the calls of a raw socket return where the kernel's are at the other end: a line for each.

    python3 raw_calls.py
"""

import errno
import socket
import struct

PROTOCOL, OTHER = 253, 254


def told(call):
    try:
        result = call()
    except OSError as error:
        return errno.errorcode[error.errno]
    return "ok" if result is None else result


def received(call):
    try:
        packet, _ = call()
    except OSError as error:
        return errno.errorcode[error.errno]
    return packet


def name(address):
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def header(is_v4, first=None, source=None, payload=b"", length=0):
    if is_v4:
        first = 0x45 if first is None else first
        source = socket.inet_aton(source or "0.0.0.0")
        fixed = struct.pack("!BBHHHBBH", first, 0, length, 0x1234, 0, 9, PROTOCOL, 0)
        return fixed + source + socket.inet_aton("127.0.0.1") + payload
    source = socket.inet_pton(socket.AF_INET6, source or "::1")
    here = socket.inet_pton(socket.AF_INET6, "::1")
    return struct.pack("!IHBB", 6 << 28, len(payload) & 0xFFFF, PROTOCOL, 9) + source + here + payload


for is_v4 in (True, False):
    family = socket.AF_INET if is_v4 else socket.AF_INET6
    here, foreign = ("127.0.0.1", "192.0.2.1") if is_v4 else ("::1", "2001:db8::1")

    def raw(protocol):
        made = socket.socket(family, socket.SOCK_RAW, protocol)
        made.setblocking(False)
        return made

    s = raw(PROTOCOL)
    print("name", name(s.getsockname()))
    print("peer", told(s.getpeername))
    print("send without a peer", told(lambda: s.send(b"x")))
    print("bind elsewhere", told(lambda: s.bind((foreign, 0))))
    print("bind", told(lambda: s.bind((here, 0))))
    print("name", name(s.getsockname()))
    print("connect", told(lambda: s.connect((here, 0))))
    print("name", name(s.getsockname()))
    print("bind when connected", told(lambda: s.bind((here, 0))))
    print("send nothing", told(lambda: s.send(b"")))
    longest = 65515 if is_v4 else 65535
    print("send too much", told(lambda: s.send(bytes(longest + 1))))
    print("send a protocol's", told(lambda: s.sendto(b"x", (here, PROTOCOL))))
    print("send another's", told(lambda: s.sendto(b"x", (here, OTHER))))
    if not is_v4:
        mapped = "::ffff:127.0.0.1"
        print("bind to a mapped one", told(lambda: raw(PROTOCOL).bind((mapped, 0))))
        print("send to a mapped one", told(lambda: raw(PROTOCOL).sendto(b"x", (mapped, 0))))
        icmp = raw(socket.IPPROTO_ICMPV6)
        for length in (2, 3, 4):
            message = bytes([200] * length)
            print("send ICMPv6 of", length, told(lambda: icmp.sendto(message, (here, 0))))
        summed, seen = raw(PROTOCOL), raw(PROTOCOL)
        for offset in (3, 2):
            call = lambda: summed.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_CHECKSUM, offset)
            print("checksum at", offset, told(call))
        for data in (b"abc", b"abcd", b"Michael"):
            print("send", data.decode(), told(lambda: summed.sendto(data, (here, 0))))
            heard = received(lambda: seen.recvfrom(100))
            print("receive", heard if isinstance(heard, str) else heard.hex())

    h, r = raw(socket.IPPROTO_RAW), raw(PROTOCOL)
    packets = {
        "whole": header(is_v4, payload=b"Michael"),
        "short": header(is_v4)[:-1],
        "long": header(is_v4, payload=bytes(70_000)),
    }
    if is_v4:
        packets |= {
            "header longer than the packet": header(is_v4, first=0x4F),
            "header too short": header(is_v4, first=0x44),
            "wrong length": header(is_v4, length=9, payload=b"Tracy"),
            "another's source": header(is_v4, source="127.0.0.9", payload=b"Sarah"),
        }
    for what, packet in packets.items():
        print("send", what, told(lambda: h.sendto(packet, (here, 0))))
        heard = received(lambda: r.recvfrom(100))
        print("receive", heard if isinstance(heard, str) else heard.hex())
    print("receive on IPPROTO_RAW", received(lambda: h.recvfrom(100)))

    others = raw(PROTOCOL), raw(OTHER)
    print("send to two", told(lambda: r.sendto(b"Tracy", (here, 0))))
    for other in (r, *others):
        heard = received(lambda: other.recvfrom(100))
        # An identification that is made up.
        print("receive", heard if isinstance(heard, str) else heard[20 if is_v4 else 0 :].hex())
