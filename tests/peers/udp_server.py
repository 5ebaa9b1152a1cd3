"""The seed's UDP server: udp_server.py HOST PORT"""

import socket
import sys


def main():
    host, port = sys.argv[1], int(sys.argv[2])
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.bind((host, port))
    print("Bind UDP on %s..." % port, flush=True)
    while True:
        data, addr = s.recvfrom(1024)
        print("Received from %s:%s." % addr[:2], flush=True)
        s.sendto(b"Hello, %s!" % data, addr)


if __name__ == "__main__":
    main()
