"""What a client that reads slowly, or not at all, costs: itself, and nobody else."""

import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sockctl.events.reasons import DisconnectReason
from sockctl.net.limits import Timeouts
from sockctl.net.sending_side import OUTBOX_BYTES
from sockctl.protocol.messages import Message, make_message
from sockctl.services.chat.clients import REPLAY_PIECE, RemoteClient
from sockctl.services.chat.member import Member
from sockctl.services.chat.settings import ChatRules
from sockctl.services.login import LoginConversation
from sockctl.stores.timestamps import read_utc_clock
from tests.support.accounts import accounts_at
from tests.support.chat_client import ChatClient, client, members
from tests.support.chat_history import frame
from tests.support.chat_load import (
    crowd,
    outbox_of,
    remotes,
    say_much,
    served,
    stalled,
)
from tests.support.frames import framed
from tests.support.running import TIMEOUT_S, wait_until
from tests.support.scripted_peer import ScriptedPeer
from tests.support.tls import securing, self_signed, tls_client
from tests.support.two_hosts import TwoHosts, on_every_network

pytestmark = pytest.mark.usefixtures("network")


@pytest.mark.slow
def test_one_of_fifty_that_stops_reading_is_dropped_and_hurts_nobody(tmp_path: Path, network: TwoHosts | None) -> None:
    count = 2_500 if network is None else 400
    with served(tmp_path, timeouts=Timeouts(flush_s=0.5)) as run, stalled(run), crowd(run, 49) as heard:
        text = "x" * 4000
        for number in range(count):  # 10 MB for each on loopback, whose buffers take 3 MB
            one = heard[1 + 2 * (number % 3)]
            one.sock.sendall(framed(kind="line", text=f"~{number}~{text}"))
            if number % 50 == 49:
                for each in heard:  # on a busy machine, any of them may lag
                    each.wait_for_bytes(len(text) * (number + 1))
        (dropped,) = run.sink.wait_for("slow_reader_dropped")
        assert dropped.queued_bytes <= OUTBOX_BYTES
        for one in heard:
            one.wait_for_bytes(len(text) * count)
            one.wait_for(b"~xxxx", count)
            one.wait_for(b"stalled left #lobby (too slow to read along).", 1)
        (gone,) = run.sink.wait_for("client_disconnected")
        assert gone.reason is DisconnectReason.SLOW_READER
        assert gone.bytes_out < 0.4 * len(text) * count


@pytest.mark.parametrize("secure", [False, True])
def test_a_large_history_is_no_slowness_and_fills_no_memory(tmp_path: Path, secure: bool) -> None:
    count, text = 4_000, "x" * 4_000
    history = tmp_path / "data" / "chat-history.jsonl"
    history.parent.mkdir()
    history.touch(0o600)
    history.write_bytes(b"".join(frame(number, text=text) + b"\n" for number in range(1, count + 1)))
    securely = securing(self_signed(tmp_path)) if secure else None
    with contextlib.ExitStack() as stack:
        run = stack.enter_context(served(tmp_path / "data", ChatRules(flood=None, history=count), secure=securely))

        def connected(name: str) -> ChatClient:
            sock = stack.enter_context(tls_client(run.port) if secure else run.client())
            return ChatClient(sock).enter(name).ready()

        ann, reader = connected("ann"), connected("reader")
        ann.until("joined", name="reader")
        reader.line(f"/history {count}")
        reader.line("/who")
        wait_until(lambda: outbox_of(remotes(run, "reader")[0]) > OUTBOX_BYTES)
        ann.sock.settimeout(TIMEOUT_S / 2)
        for number in range(40):  # 160 KB, which may wait behind the history
            ann.line(f"{number}{text[:3990]}")
            ann.until("say")
        assert outbox_of(remotes(run, "reader")[0]) < 1_500_000, "the history waits, not in the memory"
        kinds: list[str] = []
        while kinds.count("history") < count or kinds.count("say") < 40 or "members" not in kinds:
            one = reader.receive()
            assert one is not None
            kinds.append(one["kind"])
        assert kinds.count("history") == count
        assert not run.sink.named("slow_reader_dropped")
        reader.line("/history")
        reader.until("history", again=True)


@pytest.mark.parametrize("count", [REPLAY_PIECE - 1, REPLAY_PIECE, REPLAY_PIECE + 1])
def test_whoever_has_the_whole_answer_may_ask_again(tmp_path: Path, count: int) -> None:
    with served(tmp_path, ChatRules(flood=None, history=count)) as run, members(run, "ann") as (ann,):
        ann.sock.sendall(framed(kind="line", text="hello") * count)
        last = [ann.until("say") for _ in range(count)][-1]
        for _ in range(20):
            ann.line(f"/history {count}")
            told = [ann.expect("history") for _ in range(count)]
            assert [one.get("more", False) for one in told] == [True] * (count - 1) + [False]
        ann.sock.sendall(framed(kind="line", text=f"/history {min(count, REPLAY_PIECE)}") * 2)  # come at once
        ann.until("history", id=last["id"])
        ann.until("history", id=last["id"])


@on_every_network
@pytest.mark.parametrize("leaves", ["end", "/quit", "bye"])
def test_whoever_leaves_has_the_whole_answer_first(tmp_path: Path, leaves: str) -> None:
    count = 3 * REPLAY_PIECE
    with served(tmp_path, ChatRules(flood=None, history=count)) as run, members(run, "ann", "bob") as (ann, bob):
        ann.sock.sendall(framed(kind="line", text="hello") * count)
        last = [bob.until("say") for _ in range(count)][-1]
        farewell = {"end": b"", "/quit": framed(kind="line", text="/quit"), "bye": framed(kind="bye")}[leaves]
        bob.sock.sendall(framed(kind="line", text=f"/history {count}") + framed(kind="line", text="me") + farewell)
        if leaves == "end":
            bob.sock.shutdown(socket.SHUT_WR)
        rest = bob.rest()
        told = [one for one in rest if one["kind"] == "history"]
        assert len(told) == count
        assert told[-1]["id"] == last["id"]
        assert [one["text"] for one in rest if one["kind"] == "say"] == ["me"], "it hears itself, too"


class Clogging(ScriptedPeer):
    """Takes a hundred messages."""

    @property
    def is_backlogged(self) -> bool:  # type: ignore[override]
        return len(self.told) >= 100

    def call_soon(self, call: Callable[[], None]) -> None:
        """Call it later: nothing is that soon."""


class Gone(ScriptedPeer):
    """Broke off: nothing reaches it any more."""

    is_gone = True


def test_an_answer_that_nobody_will_read_is_not_made() -> None:
    def answer() -> Iterator[Message]:
        pytest.fail("somebody made it")
        yield make_message("history", "one")

    remote = RemoteClient(Gone(), Member("ann", since=read_utc_clock()), seen={}, now=0.0)
    for _ in range(2):
        remote.replay(answer())
        assert remote.replaying is None


@pytest.mark.parametrize(("count", "left_out"), [(100, False), (150, True)])
def test_the_end_of_an_answer_that_can_not_wait_is_left_out_aloud(count: int, left_out: bool) -> None:
    peer = Clogging()
    remote = RemoteClient(peer, Member("ann", since=read_utc_clock()), seen={}, now=0)
    remote.replay(make_message("history", str(number), more=number + 1 < count or None) for number in range(count))
    assert len(peer.told) == REPLAY_PIECE
    remote.finish_replay()
    assert peer.texts[:100] == [str(number) for number in range(100)]
    assert [one.get("code") for one in peer.told[100:]] == (["left_out"] if left_out else [])
    assert remote.replaying is None


def test_answers_to_whoever_does_not_read_fill_no_memory(tmp_path: Path) -> None:
    with served(tmp_path, ChatRules(flood=None, history=1000)) as run, members(run, "ann") as (ann,):
        for _ in range(20):
            say_much(ann, 50)
        with stalled(run) as sock:
            sock.setblocking(False)
            request = framed(kind="line", text="/history 50") + framed(kind="line", text="/who")
            sent = 0
            with contextlib.suppress(BlockingIOError):
                while sent < 5_000_000:
                    sent += sock.send(request * 500)
            wait_until(lambda: outbox_of(remotes(run, "stalled")[0]) > 0)
            time.sleep(0.6)  # two ticks: nothing is added meanwhile
            assert outbox_of(remotes(run, "stalled")[0]) < 1_500_000
            ann.line("/who")
            ann.until("members")


def test_a_place_that_does_not_read_is_told_nothing_unasked_without_end(tmp_path: Path) -> None:
    accounts_at(tmp_path, "ann", "bob")
    rules = ChatRules(flood=None, history=1000)
    login = LoginConversation(tmp_path, floor_s=0.001)
    with served(tmp_path, rules, login=login) as run, client(run) as ann, contextlib.ExitStack() as stack:
        ann.log_in("ann").ready()
        token = ann.token
        ann.line("/join dev")
        ann.until("members", room="#dev")
        say_much(ann, 20)
        sock = socket.socket()
        stack.callback(sock.close)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.connect((run.host, run.port))
        sock.sendall(framed(kind="hello") + framed(kind="resume", token=token))
        wait_until(lambda: len(remotes(run, "ann")) == 2 and all(remote.room for remote in remotes(run, "ann")))
        most = 0
        for _ in range(200):
            ann.line("/leave dev")
            ann.until("left", room="#dev")
            ann.line("/join dev")
            ann.until("members", room="#dev")
            most = max([most, *map(outbox_of, remotes(run, "ann"))])
        assert 0 < most < 1_000_000
        run.sink.wait_for("slow_reader_dropped")


def test_private_messages_to_one_that_does_not_read(tmp_path: Path) -> None:
    with served(tmp_path) as run, members(run, "ann") as (ann,), stalled(run, "victim"):
        for _ in range(100):
            ann.sock.sendall(framed(kind="line", text="/msg victim " + "x" * 4_000) * 20)
            ann.line("/who")
            ann.until("members")
            if run.sink.named("slow_reader_dropped"):
                break
        (dropped,) = run.sink.wait_for("slow_reader_dropped")
        assert dropped.queued_bytes <= OUTBOX_BYTES
