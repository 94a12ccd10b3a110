"""Whole sessions without a socket: what comes in, what is given back, and how each ends."""

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sockctl.cli.exit_codes import ExitCode, find_exit_code
from sockctl.client.script_steps import Expect, Send, Step, Wait, WaitForEnd
from sockctl.client.session_events import (
    BytesToShow,
    EndReason,
    EventToEmit,
    MessageToShow,
    QuestionAsked,
    SessionEvent,
    Signal,
    TextReturned,
)
from sockctl.client.settings import QUIT_AFTER_S
from sockctl.client.token_store import Login, TokenStore
from sockctl.errors import (
    ConnectionBrokenError,
    ConnectTimeoutError,
    ExpectationError,
    InsecureError,
    SockctlError,
    StreamError,
    TlsError,
    UnreachableError,
    UnsendableError,
    UntrustedError,
)
from sockctl.net.address import Endpoint
from tests.support.frames import framed
from tests.support.server_words import ASK, LATER, SECRET, TOKEN
from tests.support.session import GREETING, SERVER, Played, frames_in

WELCOME = framed(kind="welcome", text="Welcome, ann!", name="ann", user="ann")
JOINED = framed(kind="joined", text="You are in #lobby.", room="lobby", name="ann")


def say(text: str, number: int = 0, **fields: Any) -> bytes:
    at = {"room": "lobby", "sender": "bob", "at": LATER, **({"id": number} if number else {})}
    return framed(kind="say", text=text, **{**at, **fields})


def person(tmp_path: Path, **options: Any) -> Played:
    """Return the session of a person at a terminal, connected."""
    played = Played(tmp_path, **{"terminal": True, "messages": None, **options})
    played.connect()
    return played


def chatting(tmp_path: Path) -> Played:
    """Return the session of a person that was let into a chat."""
    played = person(tmp_path)
    played.receive(GREETING, ASK)
    played.type(b"ann\n")
    played.receive(TOKEN + WELCOME + JOINED)
    return played


def said(played: Played) -> list[Any]:
    return [json.loads(body) for body in frames_in(played.sent)]


# Raw bytes.


def test_a_pipe_passes_bytes_on(tmp_path: Path) -> None:
    played = Played(tmp_path)
    played.connect()
    assert played.session.wants_input
    played.type(b"abc\xff")
    played.receive(b"abc", b"\xff")
    played.type(b"")
    assert Signal.SENDING_ENDED in played.events
    assert not played.session.wants_input
    assert played.ended is None, "what the server still sends is waited for"
    played.end()
    assert (played.sent, played.raw) == (b"abc\xff", b"abc\xff")
    assert played.ended is not None
    assert (played.ended.reason, played.ended.error) == (EndReason.SERVER_CLOSED, None)
    assert played.emitted == ["data_sent", "data_received", "data_received", "input_ended"]
    played.now += 2
    played.step(lambda now: played.session.close(EndReason.SERVER_CLOSED, now))
    last = played.events[-1]
    assert isinstance(last, EventToEmit)
    assert last.event.fields == {"reason": "server_closed", "bytes_in": 4, "bytes_out": 4, "seconds": 2.0}


def test_a_person_at_a_raw_server(tmp_path: Path) -> None:
    played = person(tmp_path)
    assert played.session.is_listening
    assert not played.session.wants_input, "the first line waits for a greeting"
    played.receive(b"sock")
    assert played.raw == b""
    played.wait(0.3)
    assert played.session.wants_input
    played.type(b"hello\n//exit\n")
    assert not played.session.is_listening
    assert (played.raw, played.sent) == (b"sock", b"hello\nexit\n")
    played.receive(GREETING)
    assert played.raw == b"sock" + GREETING, "it is too late for messages"
    played.type(b"exit\n")
    played.wait(1.9)
    assert played.ended is None
    played.wait(0.2)
    assert played.ended is not None
    assert played.ended.reason is EndReason.CLIENT_EXIT


def test_busy_traffic_is_summed_up(tmp_path: Path) -> None:
    played = Played(tmp_path)
    played.connect()
    for _ in range(100):
        played.receive(b"x" * 1000)
    assert played.emitted.count("data_received") == 10
    played.wait(1.0)
    assert played.emitted.count("data_received") == 11
    assert played.session.wake_at is None


def test_no_more_is_read_while_much_waits_to_be_sent(tmp_path: Path) -> None:
    played = Played(tmp_path, sends=False)
    played.connect()
    played.type(b"x" * 65_535)
    assert played.session.wants_input
    played.type(b"x")
    assert not played.session.wants_input
    played.step(lambda now: played.session.sent(1, now))
    assert played.session.wants_input
    played.end()
    assert played.ended is not None
    assert "65535 bytes were not sent" in str(played.ended.error)


# Logging in.


def test_a_person_logs_in(tmp_path: Path) -> None:
    played = person(tmp_path)
    played.receive(GREETING)
    assert said(played) == [{"kind": "hello", "text": "", "client": "sockctl"}]
    played.receive(ASK)
    played.type(b"ann\n")
    played.receive(SECRET)
    asked = [event.question and event.question.text for event in played.events if isinstance(event, QuestionAsked)]
    assert asked == ["Your name?", "Your password?"]
    assert sum(event is Signal.QUESTION_ANSWERED for event in played.events) == 1
    shown = [isinstance(event, (QuestionAsked, MessageToShow)) for event in played.events[-2:]]
    assert shown == [True, True]
    assert isinstance(played.events[-1], MessageToShow), "the terminal is ready for the answer before it is asked"
    played.type(b"secret\n")
    played.receive(TOKEN + WELCOME)
    assert said(played)[1:] == [
        {"kind": "answer", "text": "ann", "field": "name"},
        {"kind": "answer", "text": "secret", "field": "password"},
    ]
    assert played.shown == ["Your name?", "Your password?", "Welcome, ann!"]
    assert [one.token for one in TokenStore(tmp_path).list_servers([Endpoint(SERVER.host, SERVER.port)])] == ["tok"]
    played.type(b"exit\n")
    assert said(played)[-1] == {"kind": "bye", "text": ""}
    played.receive(framed(kind="bye", text="Bye.", reason="client_exit"))
    played.end()
    assert played.ended is not None
    assert (played.ended.reason, played.ended.error) == (EndReason.CLIENT_EXIT, None)
    assert "secret" not in repr(played.session)


def test_a_token_logs_in_and_the_decision_is_waited_for(tmp_path: Path) -> None:
    TokenStore(tmp_path).keep(Login.at(SERVER.host, SERVER.port, "chat"), token="old", expires=LATER, user="ann")
    played = person(tmp_path)
    played.receive(GREETING, ASK)
    assert said(played)[1] == {"kind": "resume", "text": "", "token": "old"}
    played.type(b"hello\n")
    assert (played.shown, len(said(played))) == ([], 2), "nothing is asked, and nothing said"
    played.receive(TOKEN + WELCOME)
    assert said(played)[2:] == [{"kind": "line", "text": "hello"}]
    other = person(tmp_path)
    other.receive(GREETING, ASK)
    other.wait(9.9)
    assert other.shown == []
    other.wait(0.2)
    assert other.shown == ["Your name?"], "the server knows nothing of tokens"


def test_a_line_that_cannot_be_sent_is_told(tmp_path: Path) -> None:
    played = chatting(tmp_path)
    played.type(b"caf\xe9\n" + b"x" * 70_000 + b"\nlast\n")
    assert len(played.remarks) == 2
    assert said(played)[-1] == {"kind": "line", "text": "last"}


# A chat.


def test_how_messages_look_depends_on_when_they_came(tmp_path: Path) -> None:
    played = chatting(tmp_path)
    games = framed(kind="joined", text="You are in #games.", room="games", name="ann")
    played.receive(say("one", 1) + games + say("two", 2))
    contexts = [event.context for event in played.events if isinstance(event, MessageToShow)]
    assert [one is not None and one.in_several_rooms for one in contexts[-3:]] == [False, True, True]
    assert all(one is not None and one.me == "ann" for one in contexts[-3:])


def test_pings_are_answered_and_not_shown(tmp_path: Path) -> None:
    played = chatting(tmp_path)
    played.receive(framed(kind="ping", text=""))
    assert said(played)[-1]["kind"] == "pong"
    assert played.shown[-1] == "You are in #lobby."


def test_answers_that_the_server_does_not_take(tmp_path: Path) -> None:
    played = person(tmp_path, sends=False, max_answers_bytes=10_000)
    played.receive(GREETING, *[framed(kind="ping", text="")] * 1_000)
    assert played.ended is not None
    assert "asks for answers and takes none" in str(played.ended.error)
    taking = person(tmp_path, max_answers_bytes=10_000)
    taking.receive(GREETING, *[framed(kind="ping", text="")] * 1_000)
    assert taking.ended is None


# Loss and return.


def test_a_lost_connection_comes_back(tmp_path: Path) -> None:
    played = chatting(tmp_path)
    played.receive(say("one", 7))
    played.type(b"on its way\n")
    played.end()
    assert played.ended is None
    assert "connection_lost" in played.emitted
    assert played.events[-2:] == [QuestionAsked(None), TextReturned("on its way", "This may not have arrived")]
    assert Signal.CONNECTION_DROPPED in played.events
    played.type(b"meanwhile\n")
    assert played.remarks[-1] == "Not sent, there is no connection: meanwhile"
    played.wait(0.4)
    assert Signal.CONNECTION_WANTED not in played.events
    played.wait(0.2)
    assert played.events[-1] == Signal.CONNECTION_WANTED
    played.step(lambda now: played.session.connect_failed(UnreachableError("Gone."), now))
    played.wait(1.1)
    assert played.events.count(Signal.CONNECTION_WANTED) == 2
    played.sent = b""
    played.connect()
    played.type(b"too early\n")
    assert played.remarks[-1].endswith("too early")
    played.receive(GREETING)
    assert said(played)[1] == {"kind": "resume", "text": "", "token": "tok", "seen": {"lobby": 7}, "name": "ann"}
    played.receive(framed(kind="token", text="", token="tok2", expires=LATER) + WELCOME + JOINED, say("one", 7))
    played.receive(say("two", 8))
    assert played.shown[-2:] == ["Welcome, ann!", "two"], "nothing is shown twice"
    assert played.emitted.count("greeted") == 1
    played.type(b"here\n")
    assert said(played)[-1] == {"kind": "line", "text": "here"}


def test_exit_ends_the_return(tmp_path: Path) -> None:
    played = chatting(tmp_path)
    played.end()
    played.type(b"exit\n")
    assert played.ended is not None
    assert (played.ended.reason, played.ended.error) == (EndReason.STOPPED, None)
    before = len(played.events)
    played.step(lambda now: played.session.close(EndReason.STOPPED, now))
    assert len(played.events) == before, "its end was told when it was lost"


def test_a_server_that_is_not_to_be_trusted_ends_the_return(tmp_path: Path) -> None:
    played = chatting(tmp_path)
    played.end()
    played.wait(0.6)
    played.step(lambda now: played.session.connect_failed(UntrustedError("Changed."), now))
    assert played.ended is not None
    assert isinstance(played.ended.error, UntrustedError)


@pytest.mark.parametrize("how", ["goodbye", "not welcomed", "asked not to", "json"])
def test_what_does_not_come_back(tmp_path: Path, how: str) -> None:
    played = person(tmp_path, reconnect=False if how == "asked not to" else None, json=how == "json")
    played.receive(GREETING, ASK)
    if how != "not welcomed":
        played.type(b"ann\n")
        played.receive(TOKEN + WELCOME)
    if how == "goodbye":
        played.receive(framed(kind="bye", text="Bye.", reason="server_stopping"))
    played.end()
    assert played.ended is not None
    assert played.ended.reason is EndReason.SERVER_CLOSED


def test_a_connection_that_breaks_comes_back_and_pauses_grow(tmp_path: Path) -> None:
    played = chatting(tmp_path)
    pauses = []
    for _ in range(4):
        played.step(lambda now: played.session.broke(ConnectionBrokenError("Broken."), now))
        assert played.session.wake_at is not None
        pauses.append(played.session.wake_at - played.now)
        played.wait(pauses[-1])
        played.connect()
    assert pauses == [0.5, 1.0, 2.0, 4.0]


# How sessions end.


def scripted(tmp_path: Path, *steps: Step, **options: Any) -> Played:
    played = Played(tmp_path, **{"messages": True, "steps": steps, **options})
    played.connect()
    return played


def expect(pattern: str) -> Expect:
    return Expect(re.compile(pattern))


def test_a_script_logs_in_and_leaves(tmp_path: Path) -> None:
    played = scripted(tmp_path, expect("name"), Send("ann"), Wait(1), Send("hello"), expect("hello"))
    played.receive(GREETING, ASK, WELCOME)
    assert [one["kind"] for one in said(played)] == ["hello", "answer"]
    played.wait(1.0)
    played.receive(say("hello"))
    assert [one["kind"] for one in said(played)] == ["hello", "answer", "line", "bye"]
    assert Signal.SENDING_ENDED in played.events
    played.end()
    assert played.ended is not None
    assert (played.ended.reason, played.ended.error) == (EndReason.SERVER_CLOSED, None)


def test_a_count_ends_it_when_all_is_sent(tmp_path: Path) -> None:
    played = Played(tmp_path, sends=False, count=2)
    played.connect()
    played.type(b"last words")
    played.receive(b"a\nb\nc\n")
    assert played.raw == b"a\nb\n"
    assert played.ended is None
    assert not played.session.wants_input
    played.step(lambda now: played.session.sent(10, now))
    assert played.ended is not None
    assert played.ended.reason is EndReason.STOPPED


@pytest.mark.parametrize("how", ["time", "reset", "end"])
def test_a_count_does_not_wait_for_ever(tmp_path: Path, how: str) -> None:
    played = Played(tmp_path, sends=False, count=1, flush_s=2.0)
    played.connect()
    played.type(b"last words")
    played.receive(b"a\n")
    if how == "time":
        played.wait(1.9)
        assert played.ended is None
        played.wait(0.2)
    elif how == "reset":
        played.step(lambda now: played.session.broke(ConnectionBrokenError("Broken."), now))
    else:
        played.end()
    assert played.ended is not None
    assert (played.ended.reason, played.ended.error) == (EndReason.STOPPED, None)


def ending(played: Played, how: str) -> None:
    """Play how a session fails."""
    match how:
        case "reset":
            played.step(lambda now: played.session.broke(ConnectionBrokenError("Broken."), now))
        case "late":
            played.wait(20)
        case "no greeting":
            played.receive(b"220 mail.example\r\n")
        case "TLS":
            played.receive(b"\x15\x03\x01\x00")
        case "junk":
            played.receive(GREETING, ASK, b"\xff\xff\xff\xff")
        case "password":
            played.receive(GREETING, SECRET)
            played.type(b"secret\n")
        case "mute":
            played.receive(GREETING)
            played.type(b"ahead\n")
            played.wait(20)
        case "no text":
            played.receive(GREETING, ASK)
            played.type(b"\xff\n")
            played.end()
        case "too long":
            played.receive(GREETING, ASK)
            played.type(b"x" * 70_000)
            played.end()
        case _:
            played.receive(GREETING, ASK)
            played.end()


@pytest.mark.parametrize(
    ("how", "options", "error", "ends_with"),
    [
        ("reset", {}, ConnectionBrokenError, (ExitCode.BROKEN, "reset")),
        ("late", {"messages": True}, ConnectTimeoutError, (ExitCode.TIMED_OUT, "failed")),
        ("late", {"steps": [expect("x")]}, ExpectationError, (ExitCode.UNEXPECTED, "failed")),
        ("late", {"steps": [WaitForEnd()]}, ConnectTimeoutError, (ExitCode.TIMED_OUT, "failed")),
        ("no greeting", {"messages": True}, SockctlError, (ExitCode.BROKEN, "protocol_error")),
        ("TLS", {"messages": True}, TlsError, (ExitCode.BROKEN, "protocol_error")),
        ("junk", {"messages": True}, SockctlError, (ExitCode.BROKEN, "protocol_error")),
        ("password", {"messages": True, "in_clear": True}, InsecureError, (ExitCode.NOT_LET_IN, "failed")),
        ("mute", {"messages": True, "in_clear": True}, ConnectTimeoutError, (ExitCode.TIMED_OUT, "failed")),
        ("no text", {"messages": True}, StreamError, (ExitCode.FAILED, "server_closed")),
        ("too long", {"messages": True}, UnsendableError, (ExitCode.FAILED, "server_closed")),
        ("end", {"messages": True, "count": 5}, ExpectationError, (ExitCode.UNEXPECTED, "failed")),
        ("end", {"messages": True, "steps": [expect("x")]}, ExpectationError, (ExitCode.UNEXPECTED, "failed")),
        ("end", {"messages": True, "steps": [Wait(9), Send("x")]}, ConnectionBrokenError, (ExitCode.BROKEN, "reset")),
    ],
)
def test_each_exit_code(
    tmp_path: Path, how: str, options: dict[str, Any], error: type[SockctlError], ends_with: tuple[ExitCode, str]
) -> None:
    played = Played(tmp_path, **options)
    played.connect()
    ending(played, how)
    assert played.ended is not None
    assert isinstance(played.ended.error, error)
    assert (find_exit_code(played.ended.error), played.ended.reason) == ends_with
    assert "secret" not in str(said(played) if "messages" in options and how != "no greeting" else "")


@pytest.mark.parametrize("bad", [b"\xff\nlate\n", b"x" * 70_000 + b"\nlate\n", b"x" * 70_000])
def test_lines_before_one_that_cannot_be_sent_are_sent_and_answered(tmp_path: Path, bad: bytes) -> None:
    played = Played(tmp_path, messages=True)
    played.connect()
    played.receive(GREETING)
    played.type(b"one\ntwo\n" + bad)
    played.receive(WELCOME)
    assert [one["text"] for one in said(played) if one["kind"] == "line"] == ["one", "two"]
    assert Signal.SENDING_ENDED in played.events
    assert not played.session.wants_input
    played.receive(say("answer", 1))
    played.end()
    assert "answer" in played.shown
    assert played.ended is not None
    assert isinstance(played.ended.error, (StreamError, UnsendableError))
    assert re.match("Line 3 of the input|The message has 70,025 bytes", str(played.ended.error))


# The cuts.


def merged(events: list[SessionEvent]) -> list[Any]:
    """Return events without the traffic's, and with bytes that follow each other as one."""
    made: list[Any] = []
    for event in events:
        if isinstance(event, EventToEmit) and event.event.name.startswith("data_"):
            continue
        if isinstance(event, BytesToShow) and made and isinstance(made[-1], BytesToShow):
            made[-1] = BytesToShow(made[-1].data + event.data)
        else:
            made.append(event)
    return made


CHAT = GREETING + ASK + framed(kind="ping", text="") + TOKEN + WELCOME + JOINED + say("grüße", 1) + say("two", 2)
BROKEN = CHAT + b"\0\0\0\x05{oops"
RAW = b"220 mail.example ESMTP\r\nsockctl/1 chat\r\nlogin: "


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    data=st.sampled_from([CHAT, BROKEN, RAW, CHAT[:-3]]), cuts=st.sets(st.integers(1, len(BROKEN))), count=st.booleans()
)
def test_any_cutting_gives_the_same_events(tmp_path: Path, data: bytes, cuts: set[int], count: bool) -> None:
    places = [0, *sorted(place for place in cuts if place < len(data)), len(data)]
    outcomes = []
    for pieces in ([data], [data[start:end] for start, end in pairwise(places)]):
        played = person(tmp_path, session=False, count=3 if count else None)
        played.receive(*pieces)
        played.end()
        ended = played.ended
        outcomes.append((merged(played.events[:-1]), ended and ended.reason, ended and repr(ended.error), played.sent))
    assert outcomes[0] == outcomes[1]


# Lines of a chat that have not come back when a person leaves.


@pytest.mark.parametrize("how", ["confirmed", "refused", "ended by the server", "unconfirmed"])
def test_who_leaves_a_chat_learns_which_lines_have_not_come_back(tmp_path: Path, how: str) -> None:
    played = person(tmp_path)
    played.receive(GREETING, ASK)
    played.type(b"ann\n")
    played.receive(TOKEN, framed(kind="welcome", text="Welcome!", name="ann", can=["blocks"]), JOINED)
    played.type(b"here\nthird\n")
    played.receive(say("here", 1, sender="ann"))
    played.type(b"")
    if how == "confirmed":
        played.receive(say("third", 2, sender="ann"))
    elif how == "refused":
        played.receive(framed(kind="error", text="Away.", code="not_said", n=2))
    elif how == "ended by the server":
        played.end()
    played.wait(QUIT_AFTER_S)
    assert played.ended is not None
    lost = how == "unconfirmed"
    assert [why for _, why in played.returned if why] == ["This may not have arrived"] * lost
    error = played.ended.error
    assert (str(error) if error else "") == "1 line may not have arrived: the server did not answer." * lost
