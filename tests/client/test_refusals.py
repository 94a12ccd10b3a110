"""What a server refuses: lines in turns, and the error with which a session ends."""

import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sockctl.cli.exit_codes import ExitCode, find_exit_code
from sockctl.client.script_steps import Expect, Send, Step
from sockctl.errors import ConnectionBrokenError
from sockctl.net.limits import Limits, Timeouts
from sockctl.services.identify import Identify
from sockctl.services.known_clients import KnownClients
from tests.support.frames import framed
from tests.support.running import TIMEOUT_S, running, sockctl
from tests.support.server_words import ASK, SECRET
from tests.support.session import Played, frames_in

WRONG = framed(kind="error", text="That is wrong.", code="login_failed")
WELCOME = framed(kind="welcome", text="Welcome!")


def piped(tmp_path: Path, service: str = "auth", **options: Any) -> Played:
    """Return the session of a pipe whose server has greeted."""
    played = Played(tmp_path, **{"messages": True, **options})
    played.connect()
    played.receive(f"sockctl/1 {service}\r\n".encode() + framed(kind="notice", text="Hello."))
    return played


def said(played: Played) -> list[str]:
    return [one["text"] for one in map(json.loads, frames_in(played.sent)) if one["kind"] in {"line", "answer"}]


def code_of(played: Played) -> ExitCode:
    """End the server's side; return the exit code that the session leads to."""
    if played.ended is None:
        played.end()
    assert played.ended is not None
    error = played.ended.error
    return ExitCode.DONE if error is None else find_exit_code(error)


# Lines in turns.


def test_each_question_gets_one_line_until_the_welcome(tmp_path: Path) -> None:
    played = piped(tmp_path)
    played.type(b"ann\nwrong\nann\nright\nhello\nbye\n")
    played.type(b"")
    assert said(played) == []
    played.receive(ASK)
    assert said(played) == ["ann"]
    played.receive(SECRET)
    assert said(played) == ["ann", "wrong"]
    played.receive(WRONG)
    assert said(played) == ["ann", "wrong"], "an error asks for nothing"
    played.receive(ASK, SECRET)
    assert said(played)[2:] == ["ann", "right"]
    played.receive(WELCOME)
    assert said(played)[4:] == ["hello", "bye"]
    assert code_of(played) is ExitCode.DONE


def test_a_script_sends_in_turns_too(tmp_path: Path) -> None:
    played = piped(tmp_path, steps=(Send("ann"), Send("secret"), Send("hello")))
    assert said(played) == []
    played.receive(ASK, SECRET)
    assert said(played) == ["ann", "secret"]
    played.receive(WELCOME)
    assert said(played) == ["ann", "secret", "hello"]


def test_the_time_for_a_turn_begins_anew_with_each(tmp_path: Path) -> None:
    played = piped(tmp_path)
    played.type(b"1\n2\n3\n")
    for _ in range(2):
        played.wait(9)
        played.receive(ASK)
    assert played.ended is None
    played.wait(10.1)
    assert played.ended is not None
    assert "neither asked nor welcomed within 10 s" in str(played.ended.error)
    assert code_of(played) is ExitCode.TIMED_OUT


def test_talk_gets_lines_at_once(tmp_path: Path) -> None:
    played = piped(tmp_path, "talk")
    played.type(b"one\ntwo\n")
    assert said(played) == ["one", "two"]
    assert code_of(played) is ExitCode.DONE, "it need not welcome"


def test_an_unknown_service_has_a_moment_to_ask(tmp_path: Path) -> None:
    played = piped(tmp_path, "novelty")
    played.type(b"one\ntwo\n")
    assert said(played) == []
    played.wait(0.4)
    assert said(played) == ["one", "two"]
    asking = piped(tmp_path, "novelty")
    asking.type(b"one\ntwo\n")
    asking.receive(ASK)
    asking.wait(1.0)
    assert said(asking) == ["one"]


def test_a_terminal_sends_what_was_typed_ahead(tmp_path: Path) -> None:
    played = piped(tmp_path, terminal=True, messages=None)
    played.type(b"ann\nsecret\n")
    assert said(played) == ["ann", "secret"], "the server discards what is ahead of a failed answer"


# How it ends.


@pytest.mark.parametrize(
    ("messages", "code", "text"),
    [
        ([ASK], ExitCode.NOT_LET_IN, "it ended the connection"),
        ([ASK, ASK], ExitCode.NOT_LET_IN, "its question 'Your name?' was not answered"),
        ([], ExitCode.BROKEN, "1 line was not sent"),
        ([ASK, WRONG], ExitCode.NOT_LET_IN, "(login_failed)"),
        ([framed(kind="error", text="No.", code="banned")], ExitCode.NOT_LET_IN, "(banned)"),
        ([framed(kind="error", text="Too long.", code="too_large")], ExitCode.BROKEN, "(too_large)"),
        ([framed(kind="error", text="No disk.", code="store_failed")], ExitCode.FAILED, "(store_failed)"),
        ([WELCOME], ExitCode.DONE, ""),
        ([ASK, WRONG, ASK, WELCOME], ExitCode.DONE, ""),
        ([WELCOME, framed(kind="error", text="What?", code="unknown_command")], ExitCode.DONE, ""),
        ([WELCOME, framed(kind="error", text="Gone.", code="discarded", count=2)], ExitCode.FAILED, "(discarded)"),
        ([WELCOME, framed(kind="error", text="Died.", code="program_failed")], ExitCode.FAILED, "(program_failed)"),
        ([WELCOME, framed(kind="error", text="Junk.", code="bad_message")], ExitCode.BROKEN, "(bad_message)"),
    ],
)
def test_what_a_session_in_a_pipe_ends_with(tmp_path: Path, messages: list[bytes], code: ExitCode, text: str) -> None:
    played = piped(tmp_path)
    played.type(b"ann\n")
    played.type(b"")
    played.receive(*messages)
    assert code_of(played) is code
    assert played.ended is not None
    assert text in str(played.ended.error or "")


def test_lines_that_nobody_asked_for_are_counted(tmp_path: Path) -> None:
    played = piped(tmp_path)
    played.type(b"ann\nsecret\nhello\n")
    played.receive(ASK, framed(kind="error", text="No.", code="banned"))
    assert code_of(played) is ExitCode.NOT_LET_IN
    assert played.ended is not None
    assert "2 lines of the input were not sent" in str(played.ended.error)


def expect(pattern: str) -> Expect:
    return Expect(re.compile(pattern))


@pytest.mark.parametrize(
    ("steps", "code"),
    [
        ((Send("ann"),), ExitCode.NOT_LET_IN),
        ((Send("ann"), expect("wrong")), ExitCode.DONE),  # it has said what success is
        ((Send("ann"), expect("Welcome")), ExitCode.NOT_LET_IN),  # which explains more than the expectation does
        ((Send("ann"), Send("late")), ExitCode.NOT_LET_IN),
    ],
)
def test_what_a_script_ends_with(tmp_path: Path, steps: tuple[Step, ...], code: ExitCode) -> None:
    played = piped(tmp_path, steps=steps)
    played.receive(ASK, WRONG)
    assert code_of(played) is code


def test_a_count_says_what_success_is(tmp_path: Path) -> None:
    played = piped(tmp_path, count=2)
    played.receive(ASK)
    assert code_of(played) is ExitCode.DONE


def test_a_person_who_leaves_is_not_refused(tmp_path: Path) -> None:
    played = piped(tmp_path, terminal=True, messages=None)
    played.receive(ASK)
    played.type(b"exit\n")
    assert code_of(played) is ExitCode.DONE
    refused = piped(tmp_path, terminal=True, messages=None)
    refused.receive(ASK, WRONG)
    assert code_of(refused) is ExitCode.NOT_LET_IN


@pytest.mark.parametrize("how", ["end", "reset"])
def test_a_server_without_a_place_says_so_in_text(tmp_path: Path, how: str) -> None:
    """A server that closes its socket resets the connection if the client's hello has arrived by then."""
    played = Played(tmp_path, messages=True)
    played.connect()
    played.receive(b"sockctl/1 chat\r\nAll places\x1b[2J are taken.\r\n")
    if how == "reset":
        played.step(lambda now: played.session.broke(ConnectionBrokenError("Broken."), now))
    else:
        played.end()
    assert code_of(played) is ExitCode.NOT_LET_IN
    assert played.ended is not None
    assert str(played.ended.error).endswith("All places\N{SYMBOL FOR ESCAPE}[2J are taken.")


def test_a_server_that_has_said_nothing_refuses_nobody(tmp_path: Path) -> None:
    played = Played(tmp_path, messages=True)
    played.connect()
    played.receive(b"sockctl/1 talk\r\n")
    assert code_of(played) is ExitCode.DONE


# As a process.


@pytest.fixture
def identify(tmp_path: Path) -> Iterator[int]:
    patient = Timeouts(last_words_s=TIMEOUT_S)  # so that also a slow process gets to read why it isn't let in
    with running(Identify(KnownClients(tmp_path)), Limits(max_clients_per_address=1), patient) as run:
        yield run.port


def test_a_second_line_answers_the_question_asked_again(identify: int) -> None:
    run = sockctl("connect", f"sockctl://127.0.0.1:{identify}", stdin=b"!!\nbert\n")
    assert run.returncode == 0, run.stderr
    assert b"Hello, bert!" in run.stdout
    assert b"'!!'" not in run.stdout
    assert run.stderr.startswith(b"sockctl: The server says: '!!' is not a name")


def test_a_refused_name_fails(identify: int) -> None:
    run = sockctl("connect", f"sockctl://127.0.0.1:{identify}", stdin=b"!!\n")
    assert run.returncode == ExitCode.NOT_LET_IN
    assert b"(bad_name): its question" in run.stderr


def test_a_refused_name_in_bytes(identify: int) -> None:
    raw = sockctl("connect", f"127.0.0.1:{identify}", stdin=b"!!\nbert\n")
    assert b"\n1 line was sent ahead of an answer that failed: discarded.\r\n" in raw.stdout


def test_a_server_that_is_full(identify: int) -> None:
    with socket.create_connection(("127.0.0.1", identify)) as first:
        assert first.recv(1)
        run = sockctl("connect", f"sockctl://127.0.0.1:{identify}")
    assert (run.returncode, run.stdout) == (ExitCode.NOT_LET_IN, b"")
    assert run.stderr == b"sockctl: The server has not let you in: All places are taken: come back later.\n"


# Texts of a chat that were not said.


@pytest.mark.parametrize("reconnect", [False, True])
def test_a_pipe_learns_which_texts_were_not_said(tmp_path: Path, reconnect: bool) -> None:
    played = piped(tmp_path, "chat", reconnect=reconnect)
    played.type(b"one\ntwo\n/topic Tea\nlater\n")
    welcome = framed(kind="welcome", text="Welcome!", name="ann", room="#lobby", can=["blocks"])
    played.receive(welcome, framed(kind="joined", text="You are in #lobby.", room="#lobby", name="ann"))
    for number in (2, 3):
        played.receive(framed(kind="error", text="Away.", code="not_said", n=number))
    played.receive(framed(kind="error", text="Too fast.", code="too_fast", n=4))
    assert [told for told in played.returned if told[1]] == [
        ("two", "This was not said"),
        ("/topic Tea", "This was not done"),
    ]


def test_a_pipe_fails_where_nobody_knows_what_was_said(tmp_path: Path) -> None:
    played = piped(tmp_path, "chat")
    played.type(b"one\n")
    played.receive(framed(kind="welcome", text="Welcome!", name="ann", room="#lobby", can=["blocks"]))
    played.type(b"")
    played.receive(framed(kind="error", text="Nobody knows.", code="in_doubt"))
    played.end()
    assert played.ended is not None
    assert str(played.ended.error) == ("The last of the input may not have been said: look before you send it again.")


def test_a_person_gets_an_unsaid_text_back_without_a_word(tmp_path: Path) -> None:
    played = piped(tmp_path, "chat", terminal=True)
    played.receive(framed(kind="welcome", text="Welcome!", name="ann", room="#lobby", can=["blocks"]))
    played.type(b"one\n")
    played.receive(framed(kind="error", text="Away.", code="not_said", n=1))
    assert played.returned == [("one", "")]
