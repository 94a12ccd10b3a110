"""How fast messages are decoded: ``python -m tests.benchmarks.decoder``. One thread, messages of 100 bytes."""

import json
import time

from sockctl.protocol.frames import FrameDecoder, encode_frame
from sockctl.protocol.server_wire import ServerWire

BUFFERED = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
SECONDS = 1.0
MESSAGE_BYTES = 100


def rate(decoder: FrameDecoder | ServerWire, data: bytes, count: int) -> float:
    """Return messages per second, `data` with `count` messages fed and taken again and again for a second."""
    taken = 0
    started = time.perf_counter()
    while time.perf_counter() - started < SECONDS:
        decoder.feed(data)
        while some := len(decoder.decode()):
            taken += some
    assert taken % count == 0
    return taken / (time.perf_counter() - started)


def main() -> None:
    """Print a table."""
    head = json.dumps({"kind": "line", "text": ""})
    text = json.dumps({"kind": "line", "text": "x" * (MESSAGE_BYTES - len(head))})
    frame = encode_frame(text)
    print(f"{'buffered':>12} {'frames/s':>12} {'messages/s':>12} {'µs a message':>14}")
    for buffered in BUFFERED:
        count = max(1, buffered // len(frame))
        data = frame * count
        wire = ServerWire("benchmark")
        wire.choose(data)
        frames, messages = rate(FrameDecoder(), data, count), rate(wire, data, count)
        print(f"{len(data):>12,} {frames:>12,.0f} {messages:>12,.0f} {1e6 / messages:>14.2f}")


if __name__ == "__main__":
    main()
