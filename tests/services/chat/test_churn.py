"""The chat while many come and go: what is told of it, and what is left of it."""

import contextlib
import gc
import socket
import struct
import threading
from collections import Counter
from pathlib import Path

from sockctl.services.chat.clients import RemoteClient
from sockctl.services.chat.service import Chat
from sockctl.services.chat.settings import ChatRules
from sockctl.services.login import LoginConversation
from tests.support.accounts import accounts_at
from tests.support.chat_client import chat_of, client
from tests.support.frames import framed
from tests.support.running import TIMEOUT_S, Running, running, wait_until

RESET = struct.pack("ii", 1, 0)
"""As SO_LINGER: closing sends a reset."""


def come_and_go(run: Running, name: str, count: int) -> None:
    """Come so many times, and break off at once."""
    for _ in range(count):
        with contextlib.suppress(OSError), run.client() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            sock.sendall(framed(kind="hello") + framed(kind="answer", field="name", text=name))


def take_over(run: Running, token: str, count: int) -> None:
    """Take the place of the member of a token so many times."""
    for _ in range(count):
        with contextlib.suppress(OSError, AssertionError), client(run) as sock:
            sock.resume(token)
            sock.until("welcome")


def log_in(run: Running, count: int) -> None:
    """Log in so many times."""
    for _ in range(count):
        with contextlib.suppress(OSError, AssertionError), client(run) as sock:
            sock.log_in("ann")


def all_at_once(*threads: threading.Thread) -> None:
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(3 * TIMEOUT_S)
        assert not thread.is_alive()


def see_that_each_has_gone_once(run: Running) -> None:
    chat = chat_of(run)
    wait_until(lambda: not chat.members.list_all())
    wait_until(lambda: not chat.rooms.open("#lobby").names)  # no ghost is left
    wait_until(lambda: gc.collect() >= 0 and not any(isinstance(one, RemoteClient) for one in gc.get_objects()))
    run.stop(TIMEOUT_S)  # of those who broke off, the last may only come now
    came = [event.connection for event in run.sink.named("member_came")]
    left = [event.connection for event in run.sink.wait_for("member_left", len(came))]
    assert came, "somebody was here"
    assert set(Counter(came).values()) == {1}
    assert Counter(left) == Counter(came)


def test_each_guest_that_came_has_gone_once(tmp_path: Path) -> None:
    with running(Chat(tmp_path, ChatRules(flood=None))) as run:
        with client(run) as ann:
            token = ann.enter("ann").token
            all_at_once(
                *(threading.Thread(target=come_and_go, args=(run, f"guest{number}", 60)) for number in range(4)),
                *(threading.Thread(target=take_over, args=(run, token, 15)) for _ in range(4)),
            )
        see_that_each_has_gone_once(run)


def test_each_login_that_came_has_gone_once(tmp_path: Path) -> None:
    accounts_at(tmp_path, "ann", "bob")
    rules = ChatRules(flood=None, operators=frozenset({"bob"}))
    with running(Chat(tmp_path, rules, login=LoginConversation(tmp_path, floor_s=0.001))) as run:
        with client(run) as bob:
            bob.log_in("bob").ready()
            done = threading.Event()

            def kick() -> None:
                while not done.wait(0.01):
                    bob.line("/kick ann")

            kicker = threading.Thread(target=kick)
            kicker.start()
            try:
                all_at_once(*(threading.Thread(target=log_in, args=(run, 10)) for _ in range(6)))
            finally:
                done.set()
                kicker.join(TIMEOUT_S)
        see_that_each_has_gone_once(run)
