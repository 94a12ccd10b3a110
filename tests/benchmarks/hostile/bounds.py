"""What grows without a bound: a terminal that nobody reads, and clients that come and go."""

import contextlib
import json
import time
from collections.abc import Iterator

from tests.benchmarks.hostile.part import part
from tests.benchmarks.hostile.served import Served, served, served_unread
from tests.benchmarks.hostile.table import Row
from tests.support.frames import FrameClient, frame_client

__all__ = ["churn", "hoard", "operator"]

UNREAD_MIB, GROWTH_MIB = 64.0, 8.0
HISTORY_MIB = 128.0
"""What is remembered of all rooms, and as much again for what is under way."""
ENOUGH_MIB = 1_024.0
"""Where the server has so much, the attack ends: the machine needs the rest."""
LOOK_S = 0.1
CHURN_TIMES = 6
ADDRESSES = [f"127.0.2.{number}" for number in range(1, 17)]
GHOST_S = 1.0


def operator(seconds: float) -> Iterator[Row]:
    """Shout at an operator whose terminal nobody reads."""
    with served_unread("talk") as server:
        before = most = server.resident_mib
        with part("attacker", hostile=True, port=server.port, kinds={"shout": 32}, addresses=["127.0.0.2"]) as attack:
            attack.go()
            until = time.monotonic() + seconds
            while time.monotonic() < until and most < ENOUGH_MIB:
                time.sleep(LOOK_S)
                most = max(most, server.resident_mib)
        note = f"{before:.0f} MiB before"
        what = "memory added by an unread terminal"
        yield Row(attack="operator", what=what, figure=most - before, unit="MiB", goal=UNREAD_MIB, note=note)


def hoard(seconds: float) -> Iterator[Row]:
    """Fill the histories of many rooms."""
    with served("chat", "--no-flood-limit") as server:
        before = most = server.resident_mib
        with part("attacker", hostile=True, port=server.port, kinds={"hoard": 32}, addresses=["127.0.0.2"]) as attack:
            attack.go()
            until = time.monotonic() + seconds * CHURN_TIMES
            while time.monotonic() < until and most < ENOUGH_MIB:
                time.sleep(LOOK_S)
                most = max(most, server.resident_mib)
        note = f"{before:.0f} MiB before"
        what = "memory added by the histories of rooms"
        yield Row(attack="hoard", what=what, figure=most - before, unit="MiB", goal=HISTORY_MIB, note=note)


def churn(kind: str, seconds: float) -> Iterator[Row]:
    """Come and go without a pause, six times as long as other attacks."""
    # Without a flood limit nobody waits for its turn to come in.
    with served("chat", "--log-format", "json", "--no-flood-limit") as server, frame_client(server.port) as witness:
        witness.send(kind="answer", field="name", text="witness")
        server.settle()
        sockets = server.sockets
        with part("attacker", hostile=True, port=server.port, kinds={kind: 32}, addresses=ADDRESSES) as attack:
            attack.go()
            seen = []
            for _ in range(CHURN_TIMES):
                until = time.monotonic() + seconds
                while time.monotonic() < until:
                    _read(witness)
                seen.append(server.resident_mib)
            found = attack.ask()
        server.settle()  # thousands wait in the backlog, left by their clients: each is still accepted and greeted
        _read(witness, GHOST_S)
        grown = seen[-1] - seen[1]
        note = (
            f"{found['opened']:,} came, {found['welcomes']:,} were in; MiB: {', '.join(f'{one:.0f}' for one in seen)}"
        )
        yield Row(attack=kind, what="memory added after a third", figure=grown, unit="MiB", goal=GROWTH_MIB, note=note)
        what = f"sockets left after {GHOST_S:g} s"
        yield Row(attack=kind, what=what, figure=server.sockets - sockets, unit="", goal=0)
        yield Row(attack=kind, what=f"members left after {GHOST_S:g} s", figure=_members(witness) - 1, unit="", goal=0)
        yield Row(attack=kind, what="clients counted", figure=_counted(server) - 2, unit="", goal=0)


def _read(client: FrameClient, seconds: float = LOOK_S) -> None:
    """Read what a client is told, for so long."""
    until = time.monotonic() + seconds
    client.sock.settimeout(LOOK_S)
    while time.monotonic() < until:
        with contextlib.suppress(TimeoutError):
            assert client.sock.recv(1 << 18), "the server has dropped the witness"


def _members(client: FrameClient) -> int:
    """Return how many are in the witness's room; no message may be half read."""
    client.line("/who")
    data = b""
    until = time.monotonic() + LOOK_S * 10
    while time.monotonic() < until:
        with contextlib.suppress(TimeoutError):
            data += client.sock.recv(1 << 18)
    found = data[data.index(b'{"kind":"members"') :]
    one, _ = json.JSONDecoder().raw_decode(found.decode(errors="replace"))
    return int(one.get("count") or len(one["members"]))


def _counted(server: Served) -> int:
    """Let one more come, and return how many clients the server tells then."""
    with frame_client(server.port, source="127.0.0.9") as client:
        own = f"127.0.0.9:{client.sock.getsockname()[1]}"
        until = time.monotonic() + 10
        while time.monotonic() < until:
            for text in reversed((server.folder / "log").read_text().splitlines()):
                if own in text and '"client_connected"' in text:
                    return int(json.loads(text)["clients"])
            time.sleep(LOOK_S)
    return -1
