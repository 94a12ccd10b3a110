"""Who says more than may be said is held back, and let go in the end."""

import socket
import time
from pathlib import Path

import pytest

from sockctl.events.reasons import DisconnectReason
from sockctl.net.sending_side import OUTBOX_BYTES
from sockctl.services.chat.settings import ChatLimits, ChatRules
from sockctl.services.login import LoginConversation
from tests.support.accounts import accounts_at
from tests.support.chat_client import ChatClient, chat_of, client, members
from tests.support.chat_load import outbox_of, remotes, say_much, served, stalled
from tests.support.frames import framed
from tests.support.running import receive_all, wait_until
from tests.support.two_hosts import on_every_network

pytestmark = pytest.mark.usefixtures("network")


def test_what_is_held_back_is_not_answered_while_the_client_does_not_read(tmp_path: Path) -> None:
    rules, limits = ChatRules(flood=(5, 1000), history=1000), ChatLimits(tick_s=0.05)
    with served(tmp_path, rules, chat_limits=limits) as run, members(run, "ann") as (ann,):
        chat_of(run).members.get("ann").flood = None
        for _ in range(10):
            say_much(ann, 50)
        with stalled(run, ahead=framed(kind="line", text="/history 50") * 100):
            wait_until(lambda: outbox_of(remotes(run, "stalled")[0]) > OUTBOX_BYTES)
            held = len(remotes(run, "stalled")[0].held_back)
            time.sleep(0.12)  # two ticks
            assert len(remotes(run, "stalled")[0].held_back) == held > 10
            for _ in range(10):  # what others say counts
                say_much(ann, 50)
            run.sink.wait_for("slow_reader_dropped")


def test_who_is_too_fast_is_held_back_once_told_and_in_order(tmp_path: Path) -> None:
    with served(tmp_path, ChatRules(flood=(20, 200))) as run, members(run, "ann", "bob") as (ann, bob):
        began = time.monotonic()
        ann.sock.sendall(b"".join(framed(kind="line", text=str(number)) for number in range(100)))
        notices = 0
        texts: list[str] = []
        while len(texts) < 100:
            one = ann.receive()
            assert one is not None
            if one["kind"] == "say":
                texts.append(one["text"])
            else:
                assert one.get("code") == "held_back"
                assert 20 <= len(texts) <= 20 + (time.monotonic() - began) * 200
                notices += 1
        assert time.monotonic() - began >= 80 / 200 * 0.9
        assert notices == 1
        assert texts == [bob.until("say")["text"] for _ in range(100)]


@on_every_network
@pytest.mark.parametrize("in_frames", [True, False])
def test_who_floods_is_dropped_and_nobody_notices_more_than_that(tmp_path: Path, in_frames: bool) -> None:
    with served(tmp_path, ChatRules(flood=(20, 0.01))) as run, members(run, "bob") as (bob,), run.client() as sock:
        if in_frames:
            ChatClient(sock).enter("ann").ready()
            sock.sendall(framed(kind="line", text="flood") * 3_000)
        else:
            sock.sendall(b"ann\n")
            bob.until("joined", name="ann")
            sock.sendall(b"flood\n" * 3_000)
        heard = receive_all(sock)
        sock.close()  # the server waits for that
        assert heard.count(b"held back") == 1
        assert heard.count(b"too many") == 1
        said = 0
        while (one := bob.receive()) is not None and one["kind"] != "left":
            said += one["kind"] == "say"
        assert one is not None
        assert one["reason"] == "flooding"
        assert said <= 20
        ended = run.sink.wait_for("client_disconnected")
        assert [event.reason for event in ended] == [DisconnectReason.FLOODING]


def test_who_ends_its_input_is_told_what_is_not_said(tmp_path: Path) -> None:
    with served(tmp_path, ChatRules(flood=(20, 0.01))) as run, run.client() as sock:
        sock.sendall(b"ann\n" + b"line\n" * 50)
        sock.shutdown(socket.SHUT_WR)
        assert b"\r\nYour input has ended: 30 messages held back will not be said.\r\n" in receive_all(sock)


def test_no_flood_limit(tmp_path: Path) -> None:
    with served(tmp_path) as run, members(run, "ann") as (ann,):
        ann.sock.sendall(framed(kind="line", text="fast") * 1_000)
        for _ in range(1_000):
            ann.expect("say")


def test_nothing_counts_that_comes_behind_the_end(tmp_path: Path) -> None:
    accounts_at(tmp_path, "ann", "bob")
    rules = ChatRules(flood=(2, 200), operators=frozenset({"bob"}))
    with served(tmp_path, rules, login=LoginConversation(tmp_path, floor_s=0.001)) as run:
        with client(run) as ann, client(run) as bob:
            bob.log_in("bob").ready()
            ann.log_in("ann").ready()
            ann.sock.sendall(framed(kind="line", text="one") * 90)
            bob.until("say", text="one")
            bob.line("/kick ann")
            bob.until("notice", code="announcement")
            said = 0
            while (one := bob.receive()) is not None and one["kind"] != "left":
                said += 1
            assert said <= 10, "what was held back is not said any more"
        with client(run) as carl, client(run) as bob:
            bob.log_in("bob").ready()
            carl.log_in("ann").ready()
            carl.sock.sendall(framed(kind="line", text="/quit") + framed(kind="line", text="not for the chat"))
            bob.until("left", name="ann")
            bob.line("/history")
            while (one := bob.receive()) is not None and one.get("more"):
                assert one["text"] != "not for the chat"
