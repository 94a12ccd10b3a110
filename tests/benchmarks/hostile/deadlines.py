"""Clients that don't read: how long they stay after they were put out, and how long they keep a place."""

import contextlib
import datetime
import json
import math
import socket
import time
from collections.abc import Iterator

from sockctl.accounts.accounts import Accounts
from tests.benchmarks.hostile.served import Served, served
from tests.benchmarks.hostile.table import Row
from tests.support.accounts import PASSWORD
from tests.support.frames import FrameClient, frame_client, framed
from tests.support.running import wait_until

__all__ = ["never_readers", "put_out", "revoke_auth"]

OUT_S, PLACE_S, NAME_S = 2.0, 45.0, 125.0
MALLORY, LATER = "mallory", "127.0.0.77"
RECEIVED_BYTES = 2_304
"""The smallest receive buffer that Linux gives."""
AHEAD = 4_000
"""Commands that are sent ahead."""
OUT_PATIENCE_S, PLACE_PATIENCE_S = 45.0, 330.0
LOOK_S = 0.1
TRICKLE_BYTES = 2_000


def put_out(how: str, seconds: float, *, trickle: bool) -> Iterator[Row]:
    """Disable a user who doesn't read, or revoke the session, while commands of the user wait.

    Args:
        how: ``disable`` or ``revoke``.
        seconds: For how long the user sends before.
        trickle: Whether the user begins to read then, little by little.
    """
    name = how + ("-trickle" if trickle else "")
    with (
        served("chat", "--auth", "--no-flood-limit", "--log-format", "json", users=("witness", MALLORY)) as server,
        frame_client(server.port) as witness,
        _unread() as sock,
    ):
        _log_in(witness, "witness")
        sock.connect(("127.0.0.1", server.port))
        own = f"127.0.0.1:{sock.getsockname()[1]}"
        sock.sendall(_opening(MALLORY))
        wait_until(lambda: _has_come(server, own, "login_succeeded"))
        _send_ahead(sock, "".join(f"said {number}\n/help\n/history 100\n" for number in range(AHEAD)), seconds)
        accounts = Accounts(server.folder)
        began = time.time()
        if how == "disable":
            accounts.disable(MALLORY)
        else:
            accounts.sessions.end_all(MALLORY)
        out, late = _watched(server, witness, sock if trickle else None, own, began)
    yield Row(attack=name, what=f"{how}d: out after", figure=out, unit="s", goal=OUT_S)
    yield Row(attack=name, what=f"commands carried out {OUT_S:g} s after that", figure=late, unit="", goal=0)


def revoke_auth(seconds: float) -> Iterator[Row]:
    """Revoke the session of a user who doesn't read, in ``serve auth``, while commands of the user wait.

    Each command lists the user's sessions. A session that begins after the goal's time names what came too late.
    """
    with served("auth", "--log-format", "json", users=(MALLORY,)) as server, _unread() as sock:
        sock.connect(("127.0.0.1", server.port))
        own = f"127.0.0.1:{sock.getsockname()[1]}"
        sock.sendall(_opening(MALLORY))
        wait_until(lambda: _has_come(server, own, "login_succeeded"))
        _send_ahead(sock, "sessions\n" * AHEAD, seconds)
        Accounts(server.folder).sessions.end_all(MALLORY)
        began, out, late, data = time.time(), math.inf, 0, b""
        other: FrameClient | None = None
        with contextlib.ExitStack() as stack:
            while time.time() < min(began + OUT_PATIENCE_S, began + out + OUT_S):
                time.sleep(LOOK_S)
                with contextlib.suppress(OSError):
                    data = data[-len(LATER) + 1 :] + sock.recv(TRICKLE_BYTES)
                    late += data.count(LATER.encode())
                if time.time() > began + OUT_S and other is None:
                    other = stack.enter_context(frame_client(server.port, source=LATER))
                    other.sock.sendall(_opening(MALLORY))
                out = min(out, _out_at(server, own) - began)
    yield Row(attack="revoke-auth", what="revoked: out after", figure=out, unit="s", goal=OUT_S)
    what = f"commands carried out {OUT_S:g} s after that"
    yield Row(attack="revoke-auth", what=what, figure=late, unit="", goal=0)


def never_readers(service: str, _: float) -> Iterator[Row]:
    """Take a place, and never read."""
    options, users, ahead = {
        "identify": ((), (), b""),
        "talk": (("--reply-with", "cat"), (), b"a line for a program\n" * 200_000),
        "auth": ((), (MALLORY,), _opening(MALLORY) + framed(kind="line", text="help") * 50_000),
    }[service]
    with served(service, *options, "--log-format", "json", users=users) as server, _unread() as sock:
        sock.connect(("127.0.0.1", server.port))
        own = f"127.0.0.1:{sock.getsockname()[1]}"
        began = time.time()
        sock.setblocking(False)
        held = math.inf
        while time.time() < began + PLACE_PATIENCE_S:
            try:
                ahead = ahead[sock.send(ahead) :] if ahead else ahead
            except BlockingIOError:
                pass
            except OSError:
                ahead = b""
            if not math.isinf(out_at := _out_at(server, own)):
                held = out_at - began
                break
            time.sleep(LOOK_S)
    goal = NAME_S if service == "identify" else PLACE_S  # it says too little to wait for a client that doesn't read
    yield Row(attack=f"unread-{service}", what="a place is held for", figure=held, unit="s", goal=goal)


def _unread() -> socket.socket:
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVED_BYTES)
    return sock


def _opening(user: str) -> bytes:
    return (
        framed(kind="hello", session=False)
        + framed(kind="answer", field="name", text=user)
        + framed(kind="answer", field="password", text=PASSWORD)
    )


def _log_in(client: FrameClient, user: str) -> None:
    client.send(kind="answer", field="name", text=user)
    client.send(kind="answer", field="password", text=PASSWORD)
    while (one := client.receive()) is None or one["kind"] != "members":
        assert one is not None, "a polite client isn't let in"


def _send_ahead(sock: socket.socket, lines: str, seconds: float) -> None:
    """Send as much as the server takes in time, and as the system keeps."""
    data = b"".join(framed(kind="line", text=text) for text in lines.splitlines())
    sock.setblocking(False)
    until = time.monotonic() + seconds
    while data and time.monotonic() < until:
        try:
            data = data[sock.send(data) :]
        except BlockingIOError:
            time.sleep(LOOK_S)


def _watched(
    server: Served, witness: FrameClient, slow: socket.socket | None, own: str, began: float
) -> tuple[float, int]:
    """Return after how long the client is out, and how many of its lines were said too late."""
    out, late, data = math.inf, 0, b""
    witness.sock.settimeout(LOOK_S)
    while time.time() < began + OUT_PATIENCE_S:
        try:
            new = witness.sock.recv(1 << 18)
            assert new, "the server has dropped the witness"
        except TimeoutError:
            new = b""
        mark = b'"text":"said '
        data = data[-len(mark) + 1 :] + new
        if time.time() > began + OUT_S:
            late += data.count(mark)
        if slow is not None:
            try:
                slow.recv(TRICKLE_BYTES)
            except BlockingIOError:
                pass
            except OSError:
                slow = None
        out = min(out, _out_at(server, own) - began)
        if time.time() > out + began + OUT_S:
            break
    return out, late


def _has_come(server: Served, own: str, name: str) -> bool:
    return any(own in text and f'"event": "{name}"' in text for text in _log(server))


def _out_at(server: Served, own: str) -> float:
    """Return when the server closed the connection of `own`, in seconds since the epoch; infinite if it hasn't."""
    for text in _log(server):
        if own in text and (event := json.loads(text))["event"] == "client_disconnected":
            return datetime.datetime.fromisoformat(event["time"]).timestamp()
    return math.inf


def _log(server: Served) -> list[str]:
    """Return the whole lines of the server's log."""
    return (server.folder / "log").read_text().rpartition("\n")[0].splitlines()
