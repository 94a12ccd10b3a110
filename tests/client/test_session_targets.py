"""Sessions with several servers of one chat, without a socket and a clock."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sockctl.cli.exit_codes import ExitCode, find_exit_code
from sockctl.client.script_steps import Expect, Send
from sockctl.client.session_events import EventToEmit, Signal
from sockctl.client.token_form import make_address
from sockctl.client.token_store import Login, TokenStore
from sockctl.errors import (
    ConnectionBrokenError,
    SockctlError,
    TlsError,
    UnknownCertificateError,
    UnreachableError,
    UntrustedError,
)
from sockctl.net.address import Endpoint
from tests.support.frames import framed
from tests.support.server_words import ASK, JOINED, LATER, LET_IN, SECRET, TOKEN, USER_LET_IN, say
from tests.support.session import GREETING, Played, frames_in

A, B, C = (Endpoint("127.0.0.1", port) for port in (9090, 9091, 9092))
BUSY = framed(kind="error", text="The engine is away: come back later.", code="busy")
REFUSED = UnreachableError("Refused.")


def bye(reason: str) -> bytes:
    return framed(kind="bye", text="Goodbye!", reason=reason)


def play(tmp_path: Path, *servers: Endpoint, **options: Any) -> Played:
    """Return a session whose first server has greeted."""
    played = Played(tmp_path, servers=servers or (A, B, C), **{"messages": True, **options})
    played.connect()
    played.receive(GREETING)
    return played


def chatting(tmp_path: Path, *servers: Endpoint, **options: Any) -> Played:
    """Return the session of a bot that is in the chat."""
    played = play(tmp_path, *servers, **{"reconnect": True, **options})
    played.receive(ASK)
    played.type(b"ann\n")
    played.receive(LET_IN, say("one", 1))
    played.sent = b""
    return played


def said(played: Played) -> list[dict[str, Any]]:
    """Return what was sent since the last call, without the hello."""
    frames = [json.loads(body) for body in frames_in(played.sent)]
    played.sent = b""
    return [one for one in frames if one["kind"] != "hello"]


def texts(played: Played) -> list[str]:
    return [one.get("text") or one["kind"] for one in said(played)]


def wanted(played: Played) -> int:
    return played.events.count(Signal.CONNECTION_WANTED)


def come(played: Played, *pieces: bytes) -> None:
    """Let the connection that is wanted stand."""
    played.wait(0.2)
    played.sent = b""
    played.server = replace(played.server, endpoint=played.targets.current)
    played.connect()
    played.receive(GREETING, *pieces)


def fail(played: Played, error: SockctlError = REFUSED) -> None:
    played.wait(0.2)
    played.step(lambda now: played.session.connect_failed(error, now))


def told(played: Played) -> list[str]:
    return [event.event.happened for event in played.events if isinstance(event, EventToEmit)]


def error_of(played: Played) -> SockctlError:
    assert played.ended is not None
    assert played.ended.error is not None
    return played.ended.error


# A lost connection.


@pytest.mark.parametrize("how", ["killed", "reset", "server_stopping", "engine_away", "ping_timeout"])
def test_it_comes_back_at_the_next_server(tmp_path: Path, how: str) -> None:
    played = chatting(tmp_path)
    if how == "reset":
        played.step(lambda now: played.session.broke(ConnectionBrokenError("Broken."), now))
    else:
        played.receive(*([] if how == "killed" else [bye(how)]))
        played.end()
    assert (played.targets.current, played.ended) == (B, None)
    assert played.session.away_s(played.now) == 0.125
    come(played)
    (resume,) = said(played)
    assert (resume["kind"], resume["token"], resume["seen"]) == ("resume", "tok", {"#lobby": 1})
    played.receive(LET_IN, say("one", 1, "history"), say("meanwhile", 2, "history", "bob"))
    assert played.shown.count("one") == 1
    assert "meanwhile" in played.shown
    assert "Goodbye!" not in played.shown, "the session goes on"
    assert told(played)[-1] == "The client is at 127.0.0.1:9091 now; before, it was at 127.0.0.1:9090."


def test_why_it_goes_on_is_told(tmp_path: Path) -> None:
    played = chatting(tmp_path)
    played.receive(bye("server_stopping"))
    played.end()
    fail(played)
    assert told(played)[-2:] == [
        "The connection to 127.0.0.1:9090 was lost (the server is stopping): trying 127.0.0.1:9091 in 0.1 s.",
        "127.0.0.1:9091: Refused. Trying 127.0.0.1:9092.",
    ]


def test_pauses_grow_after_a_round(tmp_path: Path) -> None:
    played = chatting(tmp_path)
    played.wait(60.0)
    played.end()
    pauses = []
    for _ in range(7):
        pauses.append(played.session.away_s(played.now))
        played.wait(pauses[-1] or 0.0)
        played.step(lambda now: played.session.connect_failed(REFUSED, now))
    assert pauses == [0.125, 0.125, 0.5, 0.125, 0.125, 1.0, 0.125]
    assert wanted(played) == 7


def test_the_session_has_other_ends(tmp_path: Path) -> None:
    for reason in ("kicked", "banned", "logged_out", "client_left"):
        played = chatting(tmp_path)
        played.receive(bye(reason))
        played.end()
        assert played.ended is not None, reason
    one = chatting(tmp_path, A)
    one.receive(bye("server_stopping"))
    one.end()
    assert one.ended is not None, "there is no other server"


def test_an_engine_that_is_away_is_waited_for_by_one_server_too(tmp_path: Path) -> None:
    played = chatting(tmp_path, A)
    played.receive(bye("engine_away"))
    played.end()
    assert played.ended is None
    played.wait(0.6)
    come(played, BUSY)
    assert played.ended is None
    assert told(played)[-1] == "The server has not let you in: The engine is away: come back later."
    played.wait(1.1)
    come(played, LET_IN)
    assert said(played)[0]["token"] == "tok", "the token still counts"
    assert played.ended is None


def test_a_busy_server_is_passed_over_and_the_token_kept(tmp_path: Path) -> None:
    played = chatting(tmp_path)
    played.end()
    come(played, ASK, BUSY)
    assert (played.targets.current, played.ended) == (C, None)
    come(played, LET_IN)
    assert said(played)[0]["token"] == "tok"


def test_a_server_that_is_frozen_is_left(tmp_path: Path) -> None:
    played = chatting(tmp_path)
    played.wait(149.0)
    played.receive(framed(kind="ping", text=""))
    played.wait(149.0)
    assert played.ended is None
    assert wanted(played) == 0, "a ping is a word"
    played.type(b"two\n")
    played.wait(1.0)
    assert "was lost (The server has said nothing for 150 s): trying 127.0.0.1:9091" in told(played)[-1]
    assert played.returned == [("two", "This may not have arrived")]
    alone = chatting(tmp_path, A)
    alone.wait(1000.0)
    assert "connection_lost" not in alone.emitted, "there is no other server"


def test_who_types_is_not_pinged(tmp_path: Path) -> None:
    played = Played(tmp_path, servers=(A, B), terminal=True, messages=None, edits=True)
    played.connect()
    played.receive(GREETING, ASK)
    played.enter("ann")
    welcome = framed(kind="welcome", text="Welcome!", name="ann", room="#lobby", can=["blocks", "typing"])
    played.receive(TOKEN + welcome + JOINED)
    for _ in range(10):
        played.wait(100.0)
        played.step(played.session.note_typing)
    assert "connection_lost" not in played.emitted


def test_a_person_types_while_it_is_away(tmp_path: Path) -> None:
    played = Played(tmp_path, servers=(A, B), terminal=True, messages=None, edits=True)
    played.connect()
    played.receive(GREETING, ASK)
    played.enter("ann")
    played.receive(LET_IN)
    played.receive(bye("server_stopping"))
    played.end()
    played.enter("hello")
    come(played, LET_IN)
    assert texts(played) == ["resume", "hello"]


def test_a_bot_goes_on_where_it_was(tmp_path: Path) -> None:
    played = chatting(tmp_path)
    played.type(b"two\n")
    played.end()
    assert played.returned == [("two", "This may not have arrived")]
    come(played, LET_IN, say("two", 2, "history"))
    played.type(b"three\n")
    assert texts(played) == ["resume", "three"]
    played.receive(say("three", 3))
    played.type(b"")
    played.receive(bye("client_left"))
    played.end()
    assert played.ended is not None
    assert played.ended.error is None, "the line has arrived after all"


@pytest.mark.parametrize(
    ("error", "ends"),
    [(TlsError("No TLS."), False), (UnknownCertificateError("New."), False), (UntrustedError("CHANGED"), True)],
)
def test_a_certificate_that_has_changed_ends_the_return(tmp_path: Path, error: SockctlError, ends: bool) -> None:
    played = chatting(tmp_path)
    played.end()
    fail(played, error)
    assert (played.ended is not None) == ends
    if ends:
        assert error_of(played) is error


# The first connection.


@pytest.mark.parametrize("how", ["full", "busy", "stopping", "ended", "reset", "silent"])
def test_the_first_that_lets_in_is_taken(tmp_path: Path, how: str) -> None:
    played = Played(tmp_path, servers=(A, B), messages=True)
    played.connect()
    if how == "silent":
        played.wait(10.1)
    elif how == "reset":
        played.step(lambda now: played.session.broke(ConnectionBrokenError("Broken."), now))
    else:
        end = {"full": b"", "busy": BUSY, "stopping": bye("server_stopping"), "ended": ASK}[how]
        text = b"All places are taken.\r\n" if how == "full" else b""
        played.receive(b"sockctl/1 chat\r\n" + text + end)
        if how != "busy":
            played.end()
    assert (played.targets.current, played.ended) == (B, None)
    played.type(b"ann\n")
    come(played, ASK)
    played.type(b"ann\n")
    assert texts(played) == ["ann"]
    played.receive(LET_IN)
    played.type(b"")
    played.receive(bye("client_left"))
    played.end()
    assert played.ended is not None
    assert played.ended.error is None


def test_answers_of_a_pipe_are_given_again(tmp_path: Path) -> None:
    played = play(tmp_path)
    played.type(b"ann\nhello\n")
    played.type(b"")
    played.receive(ASK)
    assert texts(played) == ["ann"]
    played.receive(BUSY)
    come(played, ASK)
    assert texts(played) == ["ann"]
    played.end()
    come(played, ASK, LET_IN)
    assert texts(played) == ["ann", "hello"]


def test_a_server_that_asks_for_ever_is_the_last(tmp_path: Path) -> None:
    played = play(tmp_path)
    played.type(b"line\n" * 30)
    played.receive(*[ASK] * 30)
    assert len(texts(played)) == 30
    played.end()
    assert find_exit_code(error_of(played)) == ExitCode.NOT_LET_IN


def test_a_script_begins_anew(tmp_path: Path) -> None:
    played = play(tmp_path, steps=(Send("ann"), Expect(re.compile("Welcome")), Send("hello")))
    played.receive(ASK)
    assert texts(played) == ["ann"]
    played.end()
    come(played, ASK)
    assert texts(played) == ["ann"]
    played.receive(LET_IN)
    assert texts(played) == ["hello"]


def test_a_kept_login_is_shown_to_each(tmp_path: Path) -> None:
    TokenStore(tmp_path).keep(Login(make_address([C, B, A]), "chat", ""), token="kept", expires=LATER, user="ann")
    played = play(tmp_path)
    assert said(played)[0]["token"] == "kept"
    played.end()
    come(played)
    assert said(played)[0]["token"] == "kept"


def test_the_last_server_decides(tmp_path: Path) -> None:
    played = play(tmp_path, A, B)
    played.end()
    fail(played)
    error = error_of(played)
    assert find_exit_code(error) == ExitCode.NOT_LET_IN, "one was there"
    assert str(error).startswith("None of the 2 servers lets the client in:\n  127.0.0.1:9090: The server has not")
    assert str(error).endswith("\n  127.0.0.1:9091: Refused.")


def test_a_last_server_that_is_busy_asks_again(tmp_path: Path) -> None:
    played = play(tmp_path, A, B)
    played.receive(BUSY)
    come(played, ASK)
    played.type(b"ann\n")
    played.receive(BUSY)
    assert played.ended is None, "a person may try once more"
    played.end()
    assert find_exit_code(error_of(played)) == ExitCode.NOT_LET_IN


def test_a_refusal_holds_for_all(tmp_path: Path) -> None:
    for code in ("banned", "login_failed", "throttled", "name_taken"):
        played = play(tmp_path)
        played.receive(ASK, framed(kind="error", text="No.", code=code))
        played.end()
        assert find_exit_code(error_of(played)) == ExitCode.NOT_LET_IN
        assert f"({code})" in str(error_of(played))


@pytest.mark.parametrize("error", [TlsError("No TLS."), UntrustedError("CHANGED"), UnknownCertificateError("New.")])
def test_an_error_of_tls_ends_the_first_round(tmp_path: Path, error: SockctlError) -> None:
    played = play(tmp_path)
    played.end()
    fail(played, error)
    assert error_of(played) is error


def test_a_service_that_lets_nobody_in_is_left_as_ever(tmp_path: Path) -> None:
    played = Played(tmp_path, servers=(A, B), messages=True)
    played.connect()
    played.receive(b"sockctl/1 talk\r\n", framed(kind="say", text="hi"))
    played.type(b"hello\n")
    played.type(b"")
    played.end()
    assert played.ended is not None
    assert played.ended.error is None


def test_a_pipe_that_was_let_in_ends_with_its_connection(tmp_path: Path) -> None:
    played = chatting(tmp_path, reconnect=None)
    played.step(lambda now: played.session.broke(ConnectionBrokenError("Broken."), now))
    assert find_exit_code(error_of(played)) == ExitCode.BROKEN


# Kept logins.


def test_a_login_is_kept_for_all_and_found_in_any_order(tmp_path: Path) -> None:
    played = play(tmp_path, A, B)
    played.receive(ASK, SECRET, USER_LET_IN)
    (kept,) = TokenStore(tmp_path).list_all()
    assert (kept.login.address, kept.user) == ("127.0.0.1:9090,127.0.0.1:9091", "ann")
    again = play(tmp_path, B, A)
    assert said(again)[0]["token"] == "tok"
    alone = play(tmp_path, A)
    assert said(alone) == [], "a server alone is another one"


def test_names_without_tls_keep_no_login(tmp_path: Path) -> None:
    played = play(tmp_path, Endpoint("a.example", 9090), Endpoint("b.example", 9090), reconnect=True)
    played.receive(ASK, SECRET, USER_LET_IN)
    assert TokenStore(tmp_path).list_all() == []
    played.end()
    come(played)
    assert said(played)[0]["token"] == "tok", "this session has it"


def test_a_try_lasts_until_a_server_lets_the_client_in_again(tmp_path: Path) -> None:
    played = chatting(tmp_path, terminal=True)
    assert not played.session.is_trying
    played.end()
    for answer in (BUSY, LET_IN):
        assert played.session.is_trying
        played.wait(5)
        played.connect()
        played.receive(GREETING)
        assert played.session.is_trying
        played.receive(answer)
    assert not played.session.is_trying
