"""The seed's TCP client, an HTTP GET: http_client.py HOST PORT PATH

Prints the header, saves the body under the last part of PATH (or "index.html").
"""

import socket
import sys


def main():
    host, port, path = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    literal = f"[{host}]" if ":" in host else host
    s = socket.create_connection((host, port), timeout=10)
    s.sendall(f"GET {path} HTTP/1.1\r\nHost: {literal}:{port}\r\nConnection: close\r\n\r\n".encode())
    buffer = []
    while True:
        d = s.recv(1024)
        if d:
            buffer.append(d)
        else:
            break
    s.close()
    header, separator, body = b"".join(buffer).partition(b"\r\n\r\n")
    if not separator:
        sys.exit(f"no end of the header in {header[:200]!r}")
    print(header.decode("iso-8859-1"))
    with open(path.rpartition("/")[2] or "index.html", "wb") as f:
        f.write(body)


if __name__ == "__main__":
    try:
        main()
    except OSError as error:
        sys.exit(f"the request failed: {error}")
