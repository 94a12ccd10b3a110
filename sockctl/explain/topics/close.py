"""``close``: how a connection ends: half-close, TIME_WAIT, and the reset."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass

from sockctl.explain.network import TIMEOUT_S, Network, find_port, listen
from sockctl.explain.steps import Step, StepRecorder, draw_steps
from sockctl.explain.topic import Block, Topic

_LATE = b"late answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Close:
    """What was measured.

    Attributes:
        sees_packets: Whether packets could be seen.
        orderly_port: The server's port in the orderly end.
        orderly: The calls of the orderly end.
        received_after_shutdown: What the client received after it had called shutdown(), in bytes.
        reset_port: The server's port in the other end.
        reset: The calls of a connection that the server closed with data unread.
    """

    sees_packets: bool
    orderly_port: int
    orderly: tuple[Step, ...]
    received_after_shutdown: int
    reset_port: int
    reset: tuple[Step, ...]

    def find(self, call: str, *, reset: bool = False) -> Step:
        """Return the step of that name."""
        return next(step for step in (self.reset if reset else self.orderly) if step.call == call)


def measure(network: Network) -> Close:
    """End a connection in order, then another one by a reset."""
    orderly, late = _end_in_order(network)
    reset = _end_by_reset(network)
    return Close(
        sees_packets=network.sees_packets,
        orderly_port=orderly[0],
        orderly=orderly[1],
        received_after_shutdown=late,
        reset_port=reset[0],
        reset=reset[1],
    )


def _end_in_order(network: Network) -> tuple[tuple[int, tuple[Step, ...]], int]:
    with listen(network) as listener, socket.socket() as client:
        port = find_port(listener)
        recorder = StepRecorder(network, port)
        client.settimeout(TIMEOUT_S)
        recorder.do("connect()", lambda: client.connect((network.target, port)))
        accepted = recorder.do("accept()", listener.accept, by_server=True)
        server = accepted[0] if accepted else socket.socket()
        with server:
            server.settimeout(TIMEOUT_S)
            recorder.do("send(5)", lambda: client.send(b"hello"))
            recorder.do("recv() = 5", lambda: server.recv(99), by_server=True)
            recorder.do("shutdown(WR)", lambda: client.shutdown(socket.SHUT_WR))
            recorder.do('recv() = b""', lambda: server.recv(99), by_server=True)
            recorder.do(f"send({len(_LATE)})", lambda: server.send(_LATE), by_server=True)
            late = recorder.do(f"recv() = {len(_LATE)}", lambda: client.recv(99))
            recorder.do("close()", server.close, by_server=True)
        recorder.do("close()", client.close)
    return (port, tuple(recorder.steps)), len(late or b"")


def _end_by_reset(network: Network) -> tuple[int, tuple[Step, ...]]:
    with (
        listen(network) as listener,
        socket.create_connection((network.target, find_port(listener)), TIMEOUT_S) as client,
    ):
        port = find_port(listener)
        recorder = StepRecorder(network, port)
        server, _ = listener.accept()
        recorder.do("send(5)", lambda: client.send(b"hello"))
        recorder.do("close()", server.close, by_server=True)
        recorder.do("recv()", lambda: client.recv(99))
        recorder.do("send(1)", lambda: client.send(b"x"))
    return port, tuple(recorder.steps)


def draw(measured: Close) -> Iterator[Block]:
    """Yield both ends, call by call."""
    seen = measured.sees_packets
    yield draw_steps(measured.orderly, measured.orderly_port, packets=seen, caption="An end in order:")
    caption = "The server closes while data is unread:"
    yield draw_steps(measured.reset, measured.reset_port, packets=seen, caption=caption)


def conclude(measured: Close) -> Iterator[str]:
    """Yield the two sentences."""
    half, close = measured.find("shutdown(WR)"), measured.find("close()")
    fin = any(packet.has("FIN") for packet in half.packets)
    if measured.received_after_shutdown == len(_LATE) and (fin or not measured.sees_packets):
        said = "sent FIN" if fin else "ended the client's direction alone"
        waits = (
            ""
            if close.client != "TIME_WAIT"
            else (" The client said FIN first, so its end waits in TIME_WAIT for packets that come late.")
        )
        yield (
            f"shutdown() {said}, and the client still received {measured.received_after_shutdown} bytes: each "
            f"direction ends by itself.{waits}"
        )
    else:
        yield (
            f"After shutdown() the client received {measured.received_after_shutdown} bytes of {len(_LATE)}: a "
            f"half-close did not show on this system."
        )
    cut, after = measured.find("close()", reset=True), measured.find("recv()", reset=True)
    rst = any(packet.has("RST") for packet in cut.packets)
    if after.error == "ConnectionResetError" and (rst or not measured.sees_packets):
        said = "sent RST instead of FIN" if rst else "reset the connection"
        yield f"close() with 5 bytes unread {said}, and the client's recv() raised {after.error}: data was lost."
    else:
        yield f"close() with data unread did not reset the connection here: recv() raised {after.error or 'nothing'}."


TOPIC = Topic(
    question="How does a connection end, and what does each side see of it?",
    guess="The client says that it will send no more: can it still receive (yes or no)?",
    measure=measure,
    draw=draw,
    conclude=conclude,
    attempt="sockctl serve echo --port 9090 tells the end of: printf hello | sockctl connect localhost 9090",
    unseen="the packets of the end (FIN, RST)",
)
