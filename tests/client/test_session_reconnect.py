"""Sessions of pipes and scripts that come back after a lost connection, without a socket and a clock."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from sockctl.cli.exit_codes import ExitCode, find_exit_code
from sockctl.client.script_steps import Expect, Send, Step, Wait, WaitForEnd
from sockctl.client.session_events import EndReason, SessionEnded, Signal
from sockctl.client.token_store import Login, TokenStore
from sockctl.errors import ConnectionBrokenError, UnreachableError
from tests.support.frames import framed
from tests.support.server_words import ASK, JOINED, LATER, LET_IN, SECRET, USER_LET_IN, WELCOME, say
from tests.support.session import GREETING, SERVER, Played, frames_in

BYE = framed(kind="bye", text="Goodbye!", reason="client_left")


def bot(tmp_path: Path, **options: Any) -> Played:
    """Return the session of a pipe that has given its name."""
    played = Played(tmp_path, **{"messages": True, "reconnect": True, **options})
    played.connect()
    played.receive(GREETING, ASK)
    played.type(b"ann\n")
    played.receive(LET_IN)
    played.sent = b""
    return played


def said(played: Played) -> list[tuple[str, str]]:
    """Return kind and text of what was sent since the last call, without the hello."""
    frames = [json.loads(body) for body in frames_in(played.sent)]
    played.sent = b""
    return [(one["kind"], one.get("text", "")) for one in frames if one["kind"] != "hello"]


def lose(played: Played, how: str = "end") -> None:
    if how == "end":
        played.end()
    else:
        played.step(lambda now: played.session.broke(ConnectionBrokenError("Broken."), now))


def come_back(played: Played, *pieces: bytes) -> None:
    played.wait(0.6)
    assert Signal.CONNECTION_WANTED in played.events
    played.connect()
    played.receive(GREETING, *pieces)


def ended(played: Played) -> SessionEnded:
    assert played.ended is not None
    return played.ended


def code(played: Played) -> ExitCode:
    error = ended(played).error
    return ExitCode.DONE if error is None else find_exit_code(error)


@pytest.mark.parametrize("how", ["end", "broken"])
def test_a_pipe_comes_back_by_its_token(tmp_path: Path, how: str) -> None:
    played = bot(tmp_path)
    played.type(b"one\ntwo")
    played.receive(say("one", 1))
    lose(played, how)
    assert played.ended is None
    assert not played.session.wants_input, "what is in the pipe waits there"
    said(played)
    come_back(played, ASK)
    assert said(played) == [("resume", "")]
    played.receive(LET_IN, say("one", 1, "history"), say("meanwhile", 2, "history", "bob"))
    assert played.shown.count("one") == 1, "nothing twice"
    assert "meanwhile" in played.shown
    assert played.session.wants_input
    played.type(b"\nthree\n")
    assert said(played) == [("line", "two"), ("line", "three")]
    played.receive(say("two", 3), say("three", 4))
    played.type(b"")
    played.receive(BYE)
    played.end()
    assert (played.returned, code(played)) == ([], ExitCode.DONE)


def test_lines_that_have_not_come_back_are_told_and_not_said_again(tmp_path: Path) -> None:
    played = bot(tmp_path)
    played.type(b"one\ntwo\nthree\n")
    played.receive(say("one", 1))
    lose(played)
    assert played.returned == [("two", "This may not have arrived"), ("three", "This may not have arrived")]
    said(played)
    come_back(played, LET_IN, say("two", 2, "history"))
    assert said(played) == [("resume", "")]
    played.type(b"")
    played.receive(BYE)
    played.end()
    assert code(played) == ExitCode.FAILED
    assert str(ended(played).error) == "1 line may not have arrived: the connection was lost behind it."


def test_lines_that_wait_for_their_turn_are_sent_later(tmp_path: Path) -> None:
    """The pipe gives several lines at once; the server decides on the token first."""
    played = bot(tmp_path)
    lose(played)
    come_back(played, ASK)
    played.type(b"one\ntwo\n")
    lose(played, "broken")
    played.wait(1.1)
    said(played)
    played.connect()
    played.receive(GREETING, LET_IN)
    assert said(played) == [("resume", ""), ("line", "one"), ("line", "two")]


def test_a_login_in_the_pipe_is_left_out_on_each_connection(tmp_path: Path) -> None:
    TokenStore(tmp_path).keep(Login.at(SERVER.host, SERVER.port, "chat"), token="kept", expires=LATER, user="ann")
    played = Played(tmp_path, messages=True, reconnect=True)
    played.connect()
    played.receive(GREETING, USER_LET_IN)
    played.type(b"ann\n")
    lose(played)
    come_back(played, USER_LET_IN)
    played.type(b"secret\nann\nhello\n")
    assert said(played)[-2:] == [("line", "ann"), ("line", "hello")]
    assert b"secret" not in played.sent


def test_a_line_is_no_answer_where_the_login_is_forgotten(tmp_path: Path) -> None:
    played = bot(tmp_path)
    lose(played)
    come_back(played, ASK, framed(kind="error", text="Unknown.", code="bad_token"), ASK)
    assert "asks again: Your name?" in str(ended(played).error)
    assert code(played) == ExitCode.NOT_LET_IN


def test_a_chosen_name_comes_back_without_a_token(tmp_path: Path) -> None:
    played = Played(tmp_path, messages=True, reconnect=True, user="ann")
    played.connect()
    played.receive(GREETING, ASK)
    assert said(played) == [("answer", "ann")]
    played.receive(LET_IN)
    lose(played)
    come_back(played, framed(kind="error", text="Unknown.", code="bad_token"), ASK)
    assert said(played) == [("resume", ""), ("answer", "ann")]
    played.receive(SECRET)
    assert code(played) == ExitCode.NOT_LET_IN, "nobody is there for a password"


@pytest.mark.parametrize("why", ["not asked", "no token", "goodbye", "end of the input"])
def test_what_does_not_come_back(tmp_path: Path, why: str) -> None:
    played = Played(tmp_path, messages=True, reconnect=None if why == "not asked" else True)
    played.connect()
    played.receive(GREETING, ASK)
    played.type(b"ann\n")
    played.receive(WELCOME + JOINED if why == "no token" else LET_IN)
    if why == "goodbye":
        played.receive(framed(kind="bye", text="Bye.", reason="server_stopping"))
    if why == "end of the input":
        played.type(b"")
    lose(played, "end" if why in {"goodbye", "end of the input"} else "broken")
    assert ended(played).reason is (EndReason.SERVER_CLOSED if code(played) == 0 else EndReason.RESET)
    assert code(played) == (ExitCode.DONE if why in {"goodbye", "end of the input"} else ExitCode.BROKEN)


def test_the_end_of_the_input_with_lines_on_their_way(tmp_path: Path) -> None:
    played = bot(tmp_path)
    played.type(b"one\n")
    played.type(b"")
    lose(played)
    assert played.returned == [("one", "This may not have arrived")]
    assert code(played) == ExitCode.FAILED


def test_pauses_grow_and_an_idle_session_ends(tmp_path: Path) -> None:
    played = bot(tmp_path, idle_timeout_s=60.0)
    lose(played)
    pauses = []
    while played.ended is None:
        assert played.session.wake_at is not None
        left = played.session.away_s(played.now)
        pauses.append(left)
        played.wait(played.session.wake_at - played.now)
        if played.ended is None:
            played.step(lambda now: played.session.connect_failed(UnreachableError("Refused."), now))
    assert pauses == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0]
    assert code(played) == ExitCode.TIMED_OUT
    assert played.emitted[-2:] == ["connection_lost", "reconnecting"], "each reason is told once"


# Scripts.


def scripted(tmp_path: Path, *steps: Step, **options: Any) -> Played:
    played = Played(tmp_path, **{"messages": True, "reconnect": True, "steps": steps, **options})
    played.connect()
    played.receive(GREETING, ASK)
    return played


def expect(pattern: str) -> Expect:
    return Expect(re.compile(pattern))


def test_a_script_goes_on_where_it_was(tmp_path: Path) -> None:
    played = scripted(tmp_path, Send("ann"), expect("Welcome"), Send("one"), expect("two"), Send("three"), WaitForEnd())
    played.receive(LET_IN, say("one", 1))
    lose(played)
    said(played)
    come_back(played, LET_IN, say("one", 1, "history"), say("two", 2, "history", "bob"))
    assert said(played) == [("resume", ""), ("line", "three")]
    played.receive(say("three", 3))
    lose(played)
    assert played.ended is None, "a lost connection is not the end that was waited for"
    come_back(played, LET_IN)
    played.receive(BYE)
    played.end()
    assert code(played) == ExitCode.DONE


def test_a_script_that_logs_in_by_itself_leaves_the_kept_login_alone(tmp_path: Path) -> None:
    tokens = TokenStore(tmp_path)
    tokens.keep(Login.at(SERVER.host, SERVER.port, "chat"), token="kept", expires=LATER, user="ann")
    played = scripted(tmp_path, expect("name"), Send("ann"), expect("password"), Send("pw"), expect("never"))
    played.receive(SECRET, USER_LET_IN)
    assert said(played) == [("answer", "ann"), ("answer", "pw")]
    lose(played)
    played.wait(0.6)
    played.connect()
    played.receive(GREETING)
    assert b'"token":"tok"' in played.sent
    assert [one.token for one in tokens.list_all()] == ["kept"]


def test_the_time_of_a_script_goes_on_while_it_is_away(tmp_path: Path) -> None:
    played = scripted(tmp_path, Send("ann"), Wait(5), expect("never"), timeout_s=10.0)
    played.receive(LET_IN)
    lose(played)
    for _ in range(5):
        played.wait(2.0)
        if played.ended is None:
            played.step(lambda now: played.session.connect_failed(UnreachableError("Refused."), now))
    assert played.ended is None
    played.wait(6.0)
    assert code(played) == ExitCode.TIMED_OUT
    assert str(ended(played).error) == "The connection was lost, and the script's 10 s (--timeout) are up."


def test_a_script_whose_expectation_is_met_needs_no_connection(tmp_path: Path) -> None:
    played = scripted(tmp_path, Send("ann"), expect("Welcome"))
    played.receive(LET_IN)
    played.receive(BYE)
    played.end()
    assert code(played) == ExitCode.DONE
