"""What the chat guarantees, through sockets: nobody who is slow, too fast, half-dead or hostile hurts the others."""

import contextlib
import json
import resource
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sockctl.events.reasons import DisconnectReason
from sockctl.protocol.messages import make_message
from sockctl.services.chat.clients import RemoteClient
from sockctl.services.chat.history_entry import check_entry
from sockctl.services.chat.reasons import PING_TIMEOUT
from sockctl.services.chat.settings import ChatLimits
from sockctl.services.login import LoginConversation
from tests.support.accounts import accounts_at
from tests.support.chat_client import ChatClient, chat_of, client, members
from tests.support.chat_load import (
    CROWD_S,
    DEFAULT,
    TRACED,
    Heard,
    crowd,
    outbox_of,
    remotes,
    served,
    side_by_side,
    stalled,
)
from tests.support.chat_room import Played
from tests.support.frames import framed
from tests.support.running import TIMEOUT_S, Running, connect, process, receive_all, wait_until
from tests.support.scripted_peer import ScriptedPeer
from tests.support.two_hosts import TwoHosts, on_every_network, server_address

pytestmark = pytest.mark.usefixtures("network")


@on_every_network
@pytest.mark.parametrize("event_threads", [1, 4])
def test_ten_senders_of_a_hundred_are_heard_in_one_order_by_fifty(
    tmp_path: Path, event_threads: int, network: TwoHosts | None
) -> None:
    with served(tmp_path, threads=event_threads) as run, crowd(run, 50) as heard:

        def speak(number: int) -> None:
            for count in range(100):
                heard[number].say(f"say~{number}.{count}~")

        def come_and_go() -> None:
            for number in range(20 if network is None else 5):
                with client(run) as guest:
                    guest.enter(f"guest{number}").ready()
                    guest.line(f"/nick other{number}")
                    guest.until("renamed", before=f"guest{number}")

        threads = [threading.Thread(target=speak, args=(number,)) for number in range(10)]
        threads.append(threading.Thread(target=come_and_go))
        side_by_side(threads)
        for number, one in enumerate(heard):
            one.wait_for(b"say~", 900 if number < 10 and not one.in_frames else 1000)
        orders = [[one for one in hearer.messages if one["kind"] == "say"] for hearer in heard if hearer.in_frames]
        assert all(order == orders[0] for order in orders)
        ids = [one["id"] for one in orders[0]]
        assert ids == list(range(ids[0], ids[0] + 1000))
        for sender in range(10):
            texts = [one["text"] for one in orders[0] if one["sender"] == f"m{sender}"]
            assert texts == [f"say~{sender}.{count}~" for count in range(100)]
        shown = [f"<{one['sender']}> {one['text']}" for one in orders[0]]
        for number in range(0, 50, 2):
            said = [line for line in heard[number].data.decode().split("\r\n") if "say~" in line]
            assert said == [line for line in shown if not line.startswith(f"<m{number}> ")]


@on_every_network
@pytest.mark.parametrize("event_threads", [1, 4])
def test_who_comes_while_others_speak_sees_everything_once(
    tmp_path: Path, event_threads: int, network: TwoHosts | None
) -> None:
    with served(tmp_path, threads=event_threads) as run, members(run, "ann", "bob") as (ann, bob):
        done = threading.Event()
        counts = [0, 0]

        def speak(number: int, one: ChatClient) -> None:
            while not done.is_set():
                one.line(f"{number}")
                counts[number] += 1
                one.until("say", sender=("ann", "bob")[number])

        threads = [threading.Thread(target=speak, args=(number, one)) for number, one in enumerate((ann, bob))]
        for thread in threads:
            thread.start()
        try:
            for number in range(15 if network is None else 3):
                with client(run) as late:
                    late.enter(f"late{number}").ready()
                    ids: list[int] = []
                    while len(ids) < 60:
                        one = late.receive()
                        assert one is not None
                        if one["kind"] in {"history", "say"}:
                            ids.append(one["id"])
                    assert ids == list(range(ids[0], ids[0] + 60))
        finally:
            done.set()
            for thread in threads:
                thread.join(TIMEOUT_S)


class Patient(ScriptedPeer):
    """A peer whose event thread never comes to the end of its round."""

    def __init__(self, *steps: str) -> None:
        super().__init__(*steps)
        self.posted = bytearray()

    def post_encoded(self, data: bytes) -> None:
        self.posted += data

    def call_soon(self, call: Callable[[], None]) -> None:
        """Not yet."""


def test_only_little_waits_for_the_end_of_a_round(tmp_path: Path) -> None:
    with served(tmp_path) as run:
        chat, peer = chat_of(run), Patient("ann")
        chat.converse(peer)
        chat.watched(peer)
        peer.hello = make_message("hello")
        remote = peer.state
        assert isinstance(remote, RemoteClient)
        remote.framed = True  # so that it hears itself
        chat.received(peer, [make_message("line", "x")])
        assert not peer.posted
        chat.received(peer, [make_message("line", "y" * 2_000)] * 3)
        assert peer.posted.count(b'"kind":"say"') == 4
        chat.left(peer, DisconnectReason.CLIENT_CLOSED)
        chat.rooms.open("#lobby").process_pending()


@on_every_network
def test_who_is_silent_is_pinged_and_then_let_go(tmp_path: Path) -> None:
    limits = ChatLimits(tick_s=600)  # its own ticks would see what comes before those of the test do
    with (
        served(tmp_path, chat_limits=limits) as run,
        members(run, "ann", "bob", "eve") as (ann, bob, eve),
        run.client() as sock,
    ):
        chat = chat_of(run)
        sock.sendall(b"liner\n")
        ann.until("joined", name="liner")
        now = time.monotonic()
        chat.tick(now)
        chat.tick(now + 59)
        for number in range(3):
            ann.line(f"{number}")  # what eve hears is nothing that she says
            eve.until("say", text=f"{number}")
        wait_until(lambda: remotes(run, "ann")[0].peer.bytes_in > remotes(run, "ann")[0].bytes_heard)
        chat.tick(now + 61)
        chat.tick(now + 62)
        bob.until("ping")
        eve.until("ping")
        bob.send(kind="pong")
        wait_until(lambda: remotes(run, "bob")[0].peer.bytes_in > remotes(run, "bob")[0].bytes_heard)
        chat.tick(now + 89)
        assert len(remotes(run, "eve")) == 1
        chat.tick(now + 92)
        eve.expect("bye", reason="ping_timeout")
        assert ann.until("left")["name"] == "eve"
        ended = run.sink.wait_for("client_disconnected")
        assert [event.reason for event in ended] == [PING_TIMEOUT]
        chat.tick(now + 130)
        ann.until("ping")
        bob.until("left", name="eve", reason="connection lost")
        chat.tick(now + 1_000)
        assert remotes(run, "liner"), "lines can't answer a ping"


@on_every_network
def test_the_stop_brings_everything_that_is_queued_and_a_goodbye(tmp_path: Path) -> None:
    with served(tmp_path) as run, contextlib.ExitStack() as stack:
        (ann,) = stack.enter_context(members(run, "ann"))
        slow = [stack.enter_context(contextlib.closing(stalled(run, f"slow{number}"))) for number in range(5)]
        text = "x" * 4_000
        said = 0
        while not all(
            remotes(run, f"slow{number}") and outbox_of(remotes(run, f"slow{number}")[0]) for number in range(5)
        ):
            ann.line(text)
            ann.until("say")
            said += 1
        ended: list[bool] = []
        stopper = threading.Thread(target=lambda: ended.append(run.stop(CROWD_S)))
        stopper.start()
        heard = [Heard(sock, in_frames=True) for sock in slow]
        for one in heard:
            one.thread.join(CROWD_S)
            kinds = [told["kind"] for told in one.messages]
            assert kinds.count("say") == said
            assert one.messages[-1]["kind"] == "bye"
            assert one.messages[-1]["reason"] == "server_stopping"
        stopper.join(CROWD_S)
        assert ended == [True]
        ann.until("bye", reason="server_stopping")


@pytest.mark.slow
def test_a_killed_server_has_kept_what_was_said_and_decided(tmp_path: Path) -> None:
    accounts_at(tmp_path, "ann", "eve")
    command = (
        *("serve", "chat", "--host", server_address(), "--port", "0", "--data-dir", str(tmp_path)),
        *("--log-format", "json", "--auth", "--insecure"),
    )
    ids = []
    with process(*command, "--operator", "ann") as run:
        port = int(run.event("listening")["port"])
        with connect(port) as sock:
            ann = ChatClient(sock).log_in("ann").ready()
            ann.line("/topic what holds")
            ann.line("/ban eve")
            for number in range(10):
                ann.line(f"text {number}")
                ids.append(ann.until("say", text=f"text {number}")["id"])
            kept = tmp_path / "chat-history.jsonl"
            wait_until(lambda: kept.exists() and kept.read_bytes().count(b"\n") == 10)
            state = tmp_path / "chat.json"
            wait_until(lambda: state.exists() and b"eve" in state.read_bytes())
            run.process.send_signal(signal.SIGKILL)
            run.process.wait(TIMEOUT_S)
    with kept.open("ab") as file:
        file.write(b'{"kind":"say","text":"to')  # torn
    assert check_entry(kept.read_bytes().splitlines()[0]) == ("#lobby", ids[0])
    with process(*command) as run:
        port = int(run.event("listening")["port"])
        with connect(port) as sock:
            ann = ChatClient(sock).log_in("ann")
            ann.until("notice", code="topic")
            assert [ann.until("history")["id"] for _ in range(10)] == ids
            ann.line("more")
            assert ann.until("say")["id"] > ids[-1]
        with connect(port) as sock:
            eve = ChatClient(sock)
            eve.send(kind="answer", field="name", text="eve")
            eve.until("ask", field="password")
            eve.send(kind="answer", field="password", text="tall copper window frog")
            with contextlib.suppress(AssertionError):
                eve.until("welcome")
                raise RuntimeError
        assert run.end() == 0


def test_the_list_of_two_thousand_members(tmp_path: Path) -> None:
    with served(tmp_path) as run, members(run, "ann") as (ann,):
        chat = chat_of(run)
        room = chat.rooms.open("#lobby")
        others = [Played(f"member-with-a-long-name-{number:08}") for number in range(2_000)]
        for other in others:
            room.join(other, new=False, after=0)
        room.process_pending()
        names, page, pages = [], 1, 1
        while page <= pages:
            ann.line(f"/who {page}")
            one = ann.until("members", page=page)
            names += one["members"]
            page, pages = page + 1, one["pages"]
            assert len(json.dumps(one)) < 8_192
        assert len(set(names)) == 2_001
        for other in others:
            room.leave(other, reason=None)
        room.process_pending()


JUNK = (
    *(b"\0\0\0\0", b"\0\0\0\5{'a'}", b"\0\0\0\2[]", b"\0\0\0\x02{}", b"\0\1\0\1", b"\0\xff\xff\xff"),
    *(b"\xff\xfe\xfd\n", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00", b"\n" * 500, b"\xff\xfb\x01" * 100),
    *(framed(kind=5), framed(kind="line"), framed(kind="line", text=7), framed(text="x"), framed(kind="say", id="x")),
    *(framed(kind="line", text="/" * 5_000), framed(kind="answer", field=["name"], text="x"), framed(kind="bye")),
    *(framed(kind="block"), framed(kind="block", lines=[[[]]]), framed(kind="block", lines=["x"] * 5_000, n=10**50)),
    *(framed(kind="block", lines=["\x1b[2J\u202e", "\ud800"]), framed(kind="typing", text="x", room=7, sender=[])),
    *(framed(kind="hello", can={"blocks": 1}), framed(kind="hello", can=[["blocks"]]), framed(kind="line", n=[7])),
    *(framed(kind="resume", token="x", seen={"#lobby": 10**50}), framed(kind="resume", seen=[[[]]])),
    *(b"/nick\n/msg\n/msg x\n/join ..\n/leave\n/topic\n/history -1\n/ban\n/ignore\n", b"\x1b]0;x\x07\n/nick \x1b[2J\n"),
    *(b"x" * 70_000, b"x" * 70_000 + b"\n", framed(kind="line", text="x" * 65_000), b'\0\0\0\x10{"kind":"line","'),
)


@pytest.mark.parametrize(
    "before", [b"", b"junk\n", framed(kind="hello") + framed(kind="answer", field="name", text="j")]
)
def test_junk_hurts_nobody(tmp_path: Path, before: bytes) -> None:
    with served(tmp_path, limits=TRACED) as run, members(run, "ann") as (ann,):
        for junk in JUNK:
            with run.client() as sock, contextlib.suppress(ConnectionError):
                sock.sendall(before + junk)
                sock.shutdown(socket.SHUT_WR)
                heard = receive_all(sock)
                assert b"\x1b" not in heard
                assert b"Traceback" not in heard
        ann.line("still here")
        ann.until("say", sender="ann", text="still here")


@pytest.mark.parametrize(
    "command",
    [
        *("/whois {}", "/msg {} x", "/ignore {}", "/nick {}", "/join {}", "/who {}", "/leave {}", "/topic {}", "/{}"),
        *("/help {}", "/history {}", "/me {}", "/reply {}", "/kick zoe {}", "/announce {}", "/unban {}", "/mute {}"),
    ],
)
@pytest.mark.parametrize("letter", ["x", "\\", "\U0001f600"])
def test_long_commands_are_refused_and_nothing_fails(tmp_path: Path, command: str, letter: str) -> None:
    with served(tmp_path) as run, members(run, "ann", "bob") as (ann, bob):
        remotes(run, "bob")[0].member.operator = True
        count = (65_000 - len(command) * 2) // len(json.dumps(letter, ensure_ascii=False)[1:-1].encode())
        for size in (count, 4_000 // len(letter.encode())):
            text = command.format(letter * size)
            data = json.dumps({"kind": "line", "text": text}, ensure_ascii=False).encode()
            bob.sock.sendall(len(data).to_bytes(4, "big") + data)
            bob.line("/who")
            bob.until("members")
            ann.line("/who")
            ann.until("members")


def test_ignoring_many_long_names(tmp_path: Path) -> None:
    with served(tmp_path) as run, members(run, "ann") as (ann,):
        for number in range(110):
            ann.line(f"/ignore {number:032}")
        ann.line("/ignore " + "x" * 33)
        ann.line("/ignore")
        assert len(ann.until("notice", code="ignore")["ignored"]) == 1
        ann.until("error", text="You ignore 100 members already.")
        ann.until("error", text="No name has more than 32 characters.")
        assert len(ann.until("notice", code="ignore")["ignored"]) == 100


def test_nobody_takes_all_rooms(tmp_path: Path) -> None:
    with served(tmp_path, chat_limits=ChatLimits(max_joined=5)) as run, members(run, "ann") as (ann,):
        for number in range(100):
            ann.line(f"/join room{number}")
        ann.line("/whois ann")
        assert len(ann.until("notice", code="whois")["rooms"]) == 5
        ann.line("/leave room2")
        ann.line("/join another")
        ann.until("joined", room="#another")
        ann.line("/join room1")
        ann.until("notice", code="room", room="#room1")
        rooms = {f"#room{number}": 0 for number in range(3_000)}
        with client(run) as back:
            back.send(kind="resume", token=ann.token, seen=rooms)
            back.until("welcome")
            back.until("members")
        assert len(chat_of(run).rooms.list_all()) == 6


def test_twenty_rename_themselves_at_once(tmp_path: Path) -> None:
    names = [f"m{number}" for number in range(20)]
    with served(tmp_path) as run, members(run, *names) as all_here:
        for one in all_here:
            one.sock.sendall(
                b"".join(framed(kind="line", text=f"/nick {name}") for name in ("a", "A", "b", "a", "c", "C", "d") * 20)
            )

        def read_on(one: ChatClient) -> None:
            one.line("/quiet")
            one.until("notice", code="quiet")

        side_by_side([threading.Thread(target=read_on, args=(one,)) for one in all_here])
        now = [member.name for member in chat_of(run).members.list_all()]
        assert len({name.lower() for name in now}) == 20
        assert sorted(chat_of(run).rooms.open("#lobby").names) == sorted(now)
        for one in all_here:
            one.send(kind="bye")
        wait_until(lambda: not chat_of(run).members.list_all())


@pytest.mark.parametrize("event_threads", [1, 4])
def test_a_token_in_the_hands_of_several(tmp_path: Path, event_threads: int) -> None:
    with served(tmp_path, threads=event_threads) as run, members(run, "ann", "bob") as (ann, bob):
        for _ in range(10):

            def come_back() -> None:
                with client(run) as back, contextlib.suppress(ConnectionError, AssertionError):
                    back.resume(ann.token)
                    back.until("welcome", name="ann")

            threads = [threading.Thread(target=come_back) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(TIMEOUT_S)
        wait_until(lambda: chat_of(run).members.find("ann") is None)
        bob.line("/who")
        wait_until(lambda: chat_of(run).rooms.open("#lobby").names == ["bob"])
        with client(run) as back:
            back.resume(ann.token)
            back.until("welcome", name="ann")
            back.ready()
            assert chat_of(run).rooms.open("#lobby").names == ["bob", "ann"]


def test_a_member_who_comes_from_elsewhere_while_its_last_place_ends(tmp_path: Path) -> None:
    accounts_at(tmp_path, "ann")
    with served(tmp_path, login=LoginConversation(tmp_path, floor_s=0.001)) as run:
        chat = chat_of(run)
        with client(run) as first:
            first.log_in("ann").ready()
            member, _ = chat.members.add_user("ann", lambda: pytest.fail("it is here"))  # as a login has it
        wait_until(lambda: not member.clients)  # the end of a connection is told before the service hears of it
        assert chat.members.find("ann") is member, "somebody is about to sit"
        remote = RemoteClient(ScriptedPeer(), member, seen={}, now=0)
        chat.members.attach(remote)
        assert chat.members.detach(remote)[0]
        assert chat.members.find("ann") is None


def test_a_room_joined_from_one_place_while_another_still_comes(tmp_path: Path) -> None:
    accounts_at(tmp_path, "ann")
    with served(tmp_path, login=LoginConversation(tmp_path, floor_s=0.001)) as run, client(run) as first:
        first.log_in("ann").ready()
        peer = ScriptedPeer()
        member, _ = chat_of(run).members.add_user("ann", lambda: pytest.fail("it is here"))
        coming = RemoteClient(peer, member, seen={}, now=0)
        peer.state = coming
        chat_of(run).members.attach(coming)
        first.line("/join dev")
        first.until("members", room="#dev")
        first.line("/leave lobby")
        first.until("left", room="#lobby")
        wait_until(lambda: peer.told != [])  # its own thread may wait for the client: it is posted what can't block
        assert peer.kinds == ["left"]
        chat_of(run).watched(peer)
        assert coming.room == "#dev"
        assert chat_of(run).rooms.open("#dev").names == ["ann"]
        chat_of(run).left(peer, DisconnectReason.CLIENT_CLOSED)
        assert chat_of(run).rooms.open("#dev").names == ["ann"]
        first.line("/leave dev")
        first.until("left", room="#dev")
        wait_until(lambda: chat_of(run).rooms.open("#dev").names == [])


def test_who_gives_no_name_is_not_waited_for_without_end(tmp_path: Path) -> None:
    assert DEFAULT.login_s == 120
    with (
        served(tmp_path, chat_limits=ChatLimits(login_s=3.0)) as run,
        members(run, "ann") as (ann,),
        contextlib.ExitStack() as stack,
    ):
        stack.enter_context(client(run)).until("bye", reason="login_timeout")
        time.sleep(0.3)
        ann.line("here all the same")
        ann.until("say")


def test_the_guests_who_have_left_are_bounded(tmp_path: Path) -> None:
    tokens = []
    with served(tmp_path, chat_limits=ChatLimits(max_departed=3)) as run:
        for number in range(5):
            with client(run) as guest:
                tokens.append(guest.enter(f"guest{number}").token)
            wait_until(lambda: not chat_of(run).members.list_all())
        registry = chat_of(run).members
        assert [registry.find_departed(f"guest{number}") is None for number in range(5)] == [True, True, *[False] * 3]
        with client(run) as guest:
            guest.send(kind="resume", token=tokens[1])
            guest.expect("ask")
            guest.expect("error", code="bad_token")


def test_operators_commands_are_unknown_to_everybody_else(tmp_path: Path) -> None:
    with served(tmp_path) as run, members(run, "ann", "bob") as (ann, bob):
        for command in ("/kick bob", "/ban 127.0.0.1", "/unban x", "/mute bob", "/unmute bob", "/announce hello"):
            ann.line(command)
            ann.until("error", code="unknown_command")
        bob.line("here")
        bob.expect("say", text="here")


def test_a_quiet_crowd_holds_no_thread_each(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert soft == hard or hard >= 1_024
    with served(tmp_path) as run, crowd_of(run, 200) as socks:
        wait_until(lambda: len(chat_of(run).rooms.open("#lobby").names) == 200)
        wait_until(lambda: threading.active_count() < 12)
        assert len(socks) == 200
        assert not run.sink.named("slow_reader_dropped")


@contextlib.contextmanager
def crowd_of(run: Running, count: int) -> Iterator[list[socket.socket]]:
    with contextlib.ExitStack() as stack:
        socks = [stack.enter_context(run.client()) for _ in range(count)]
        for number, sock in enumerate(socks):
            sock.sendall(framed(kind="hello") + framed(kind="answer", field="name", text=f"m{number}"))
        yield socks
