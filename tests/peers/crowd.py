"""A crowd of TCP clients of the seed's server, all at once: crowd.py HOST PORT NUMBER

Every one must be welcomed, greeted and let go. A reset, a refusal or a wrong word is a failure.
Also asks a port that nobody listens on, which must refuse; the time it took is printed.
"""

import asyncio
import sys
import time

STAY = 0.5  # seconds that each stays once it is greeted: so the first comers fill the server, and the others must wait
PATIENCE = 120  # seconds for everybody: a dropped SYN is sent again after 1, 3, 7, 15, 31 s


async def visit(host, port, number):
    reader, writer = await asyncio.open_connection(host, port)
    if await reader.readexactly(8) != b"Welcome!":
        raise ValueError("no welcome")
    name = b"visitor %d" % number
    writer.write(name)
    await writer.drain()
    greeting = b"Hello, %s!" % name
    answer = await reader.readexactly(len(greeting))
    if answer != greeting:
        raise ValueError(f"expected {greeting!r}, got {answer!r}")
    await asyncio.sleep(STAY)
    writer.write(b"exit")
    await writer.drain()
    if rest := await reader.read():
        raise ValueError(f"expected the end of the stream, got {rest!r}")
    writer.close()
    await writer.wait_closed()


async def refused(host, port):
    """How long a port that nobody listens on took to say so; None if it did not."""
    start = time.monotonic()
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(host, port), 30)
    except ConnectionRefusedError:
        return time.monotonic() - start
    except (OSError, TimeoutError):
        return None
    writer.close()
    return None


async def main():
    host, port, number = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    start = time.monotonic()
    visits = (asyncio.wait_for(visit(host, port, n), PATIENCE) for n in range(number))
    ends = await asyncio.gather(*visits, return_exceptions=True)
    failures = [end for end in ends if end is not None]
    seconds = time.monotonic() - start
    print(f"{number - len(failures)} of {number} served in {seconds:.1f} s", flush=True)
    for failure in failures[:10]:
        print(f"failed: {failure!r}", file=sys.stderr)

    took = await refused(host, port + 1)
    if took is None:
        sys.exit(f"port {port + 1}, where nobody listens, did not refuse")
    print(f"port {port + 1}, where nobody listens, refused after {took * 1000:.0f} ms", flush=True)
    sys.exit(1 if failures else 0)


asyncio.run(main())
