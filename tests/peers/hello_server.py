"""The seed's TCP server: hello_server.py HOST PORT

A thread for each connection: a welcome, then "Hello, X!" for each X, until "exit" or the end of the stream.
The seed waits a second before each answer; this one does not, so that tests take no longer than the network.
"""

import socket
import sys
import threading


def tcplink(sock, addr):
    print("Accept new connection from %s:%s..." % addr[:2], flush=True)
    sock.sendall(b"Welcome!")
    while True:
        data = sock.recv(1024)
        if not data or data == b"exit":
            break
        sock.sendall(b"Hello, %s!" % data)
    sock.close()
    print("Connection from %s:%s closed." % addr[:2], flush=True)


def main():
    host, port = sys.argv[1], int(sys.argv[2])
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    s = socket.socket(family, socket.SOCK_STREAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((host, port))
    s.listen(5)
    print("Waiting for connection...", flush=True)
    while True:
        sock, addr = s.accept()
        threading.Thread(target=tcplink, args=(sock, addr), daemon=True).start()


if __name__ == "__main__":
    main()
