"""A member of a chat at a terminal, played by a pseudo-terminal; the chat is played, too."""

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pexpect
import pytest

from sockctl.cli.exit_codes import ExitCode
from tests.support.chat_server import ChatServer, chat_server
from tests.support.running import sockctl, wait_until
from tests.support.terminal import ended
from tests.support.tls import self_signed

pytestmark = pytest.mark.usefixtures("state")

BOTH = pytest.mark.parametrize("plain", [True, False], ids=["plain", "editor"])
PROMPT = r"\[#\w+\](?:\x1b\[[0-9;]*m)* ann>"
DATED = r"(?:2026-01-31 )?\d\d:\d\d "


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with chat_server() as one:
        yield one


def join(
    terminal: Any, server: ChatServer, *options: str, scheme: str = "sockctl", columns: int = 400, **environment: str
) -> Any:
    """Start a client, and log in as ann."""
    environment = {"NO_COLOR": "1", **environment}
    child = terminal("connect", *options, f"{scheme}://{server.target}", columns=columns, **environment)
    child.expect(r"Your name\?")
    child.sendline("ann")
    child.expect(r"\* Welcome, ann!")
    child.expect("In #lobby: ann, bob, carol")
    if len(server.rooms) > 1:
        child.expect("In #games: ann, bob, carol")
    if "--plain" not in options:
        child.expect(PROMPT)
    return child


def leave(child: Any) -> None:
    child.sendline("exit")
    if child.expect([r"Leave the chat\? \[y/N\]", pexpect.EOF]) == 0:  # the line editor asks
        child.sendline("y")
    assert ended(child) == 0
    assert "Traceback" not in child.before


def options_of(plain: bool) -> list[str]:
    return ["--plain"] if plain else []


# What it looks like.


def test_a_file_gets_ones_own_lines_too(terminal: Any, server: ChatServer, tmp_path: Path) -> None:
    said = tmp_path / "said"
    command = ["sh", "-c", f'exec "$@" >{said}', "sh"]
    child = terminal("connect", f"sockctl://{server.target}", command=command)
    child.expect("Type lines")
    wait_until(lambda: "name?" in said.read_text())
    child.sendline("ann")
    wait_until(lambda: "In #lobby" in said.read_text())
    child.sendline("hello")
    wait_until(lambda: said.read_text().endswith("<ann> hello\n"))
    leave(child)


@BOTH
@pytest.mark.parametrize("columns", [40, 80])
def test_a_message_breaks_at_words(terminal: Any, server: ChatServer, plain: bool, columns: int) -> None:
    child = join(terminal, server, *options_of(plain), columns=columns)
    text = " ".join(f"word{number}" for number in range(30))
    server.say("bob", f"{text} https://example.com/{'a' * columns}/end")
    child.expect(r"<bob> (word0[^>]*/end)")
    lines = child.match[1].split("\n")
    assert len(lines) > 3
    whole = f"{text} https://example.com/{'a' * columns}/end"
    if plain:
        assert all(line.split()[-1].startswith(("word", "http")) for line in lines)
        assert " ".join(child.match[1].split()) == whole
    else:  # the window cuts a word that is wider than a row
        assert "".join(child.match[1].split()) == whole.replace(" ", "")
    leave(child)


@BOTH
def test_messages_times_mentions_and_private_ones(terminal: Any, server: ChatServer, plain: bool) -> None:
    child = join(terminal, server, *options_of(plain))
    server.say("bob", "hello all")
    child.expect(DATED + "<bob> hello all")
    server.say("bob", "Ann: are you there, annabel?")
    child.expect(DATED + ">> <bob> Ann: are you there")
    server.say("bob", "waves", action=True)
    child.expect(DATED + r"\* bob waves")
    server.send("say", "psst", private=True, sender="carol", to="ann", at="junk")
    child.expect(r"\[private\] <carol> psst")
    leave(child)


def test_colours(terminal: Any, server: ChatServer) -> None:
    child = terminal("connect", f"sockctl://{server.target}")
    child.expect(r"Your name\?")
    child.sendline("ann")
    child.expect("In #lobby")
    server.say("bob", "ann: hi")
    child.expect(r"\x1b\[2m\d\d:\d\d\x1b\[0m >> <\x1b\[38;5;\d+mbob\x1b\[0m> \x1b\[1;7mann\x1b\[0m: hi")
    server.send("left", "carol has left.", room="lobby", name="carol")
    child.expect(r"\x1b\[2m\* carol has left\.\x1b\[0m")
    leave(child)


@BOTH
def test_ones_own_message_stands_once(terminal: Any, server: ChatServer, plain: bool) -> None:
    """In the editor where it came among the others; as a plain line where it was typed."""
    child = join(terminal, server, *options_of(plain))
    child.sendline("good morning")
    if not plain:
        child.expect(DATED + "<ann> good morning")
        child.expect(PROMPT)
    wait_until(lambda: [one["text"] for one in server.rooms["lobby"]] == ["good morning"])
    server.say("bob", "good")
    child.expect("<bob> good")
    if plain:
        assert "<ann>" not in child.before
    child.sendline("/history")  # asked for: shown again
    child.expect("<ann> good morning")
    child.expect("<bob> good")
    leave(child)


@BOTH
def test_nothing_that_a_peer_sends_steers_the_terminal(terminal: Any, server: ChatServer, plain: bool) -> None:
    child = join(terminal, server, *options_of(plain))
    child.logfile_read = shown = io.StringIO()
    server.say("b\x1b[2Job\n<carol>", "\x1b]0;evil\x07\u202ehi\n<bob> fake", room="lobby", action=True)
    child.expect(re.escape("* b[2Job <carol> ]0;evilhi <bob> fake"))
    server.send("joined", "\x1b[2J joined", room="\x1b[31mroom", name="\x9b2Jx")
    child.expect(re.escape("* [2J joined"))
    server.send("members", "m", room="lobby", members=["\x1b[2Jevil", 7, None, "two words", "dave"])
    server.send("renamed", "x", before=7, name=["y"])
    server.send("say", "odd", sender=7, room=["x"], id="1", at=5, private="yes", to={})
    child.expect("odd")
    if not plain:
        child.send("da\t")
        child.expect("dave:")
        child.sendline("\x15[\t")
        wait_until(lambda: bool(server.said()))  # else the next line came at once with this one: a paste
    leave(child)
    others = re.sub(r"\x1b\[H\x1b\[2J", "", shown.getvalue())  # but for our own clearing
    assert not re.search("\x1b\\[2J|\x1b\\]0|\x1b\\[31m|[\x07\x9b\u202e]", others)


# The line being typed.


def test_a_message_arrives_while_a_line_is_typed(terminal: Any, server: ChatServer) -> None:
    child = join(terminal, server)
    child.send("half a li")
    child.expect("half a li")
    server.say("bob", "interrupting")
    child.expect("<bob> interrupting")
    child.expect(PROMPT + r"[^\n]*half a li")
    child.sendline("ne")
    child.expect(DATED + "<ann> half a line")
    leave(child)
    assert server.said() == ["half a line"]


def test_tab_completes_names_commands_and_rooms(terminal: Any, server: ChatServer) -> None:
    child = join(terminal, server)
    server.send("joined", "dave joined", room="lobby", name="dave")
    server.send("renamed", "bob is robert", before="bob", name="robert")
    child.expect("bob is robert")
    expected: list[str] = []
    for typed, becomes in (
        ("CAR\thi", "carol: hi"),
        ("hi rob\t!", "hi robert !"),
        ("/whoi\tdav\t", "/whois dave"),
        ("see #lo\t", "see #lobby"),
        ("\tx", "x"),
    ):
        child.sendline(typed)
        expected.append(becomes)
        wait_until(lambda: [line.rstrip() for line in server.said()] == expected)
    leave(child)


# Coming back.


@BOTH
@pytest.mark.parametrize("how", ["reset", "close", "cut", "restart"])
def test_it_comes_back_by_itself(terminal: Any, server: ChatServer, plain: bool, how: str) -> None:
    server.rooms["games"] = []
    child = join(terminal, server, *options_of(plain))
    server.say("bob", "before")
    child.expect("#lobby <bob> before" if plain else r"1:#lobby 1\b")
    child.send("half a li")
    child.expect("half a li")
    if how == "restart":
        server.stop()
    elif how == "cut":
        server.send_bytes(b"\0\0\0\x10{")
        server.close()
    else:
        getattr(server, how)()
    child.expect(r"The connection was lost \(.*\): trying again in 0\.[3-7] s\. Ctrl-D ends the client\.")
    server.say("bob", "missed")
    server.say("bob", "missed, too", room="games")
    if how == "restart":
        child.expect("Connection refused|connection refused")
        server.start()
    child.expect("Welcome, ann")
    if plain:
        child.expect("#lobby <bob> missed\r\n")
        child.expect("#games <bob> missed, too\r\n")
        assert "before" not in child.before
    else:
        child.expect("<bob> missed, too\r\n")
    assert "Your name" not in child.before
    server.say("bob", "after", room="games")
    child.expect("#games <bob> after" if plain else "<bob> after")
    assert "missed" not in child.before
    if not plain:
        child.expect(PROMPT + r"[^\n]*half a li")
    child.sendline("ne")
    wait_until(lambda: server.said() == ["half a line"])
    leave(child)
    assert len(server.heard) == 2
    assert server.said(0) == []
    assert [one["seen"] for one in server.resumed()] == [{"lobby": 1, "games": 0}]


def test_what_is_typed_meanwhile_waits(terminal: Any, server: ChatServer) -> None:
    child = join(terminal, server)
    server.stop()
    child.expect("connection was lost")
    child.sendline("too early")
    child.expect("waiting: too early")
    server.decide.clear()
    server.start()
    server.wait_for(2)
    child.sendline("still too early")
    child.expect("waiting: still too early")
    assert server.said() == []
    server.decide.set()
    child.expect("Welcome, ann")
    child.expect("<ann> too early")
    child.expect("<ann> still too early")
    assert server.said() == ["too early", "still too early"]
    leave(child)


def test_what_is_typed_meanwhile_is_refused_with_a_word(terminal: Any, server: ChatServer) -> None:
    child = join(terminal, server, "--plain")
    server.stop()
    child.expect("connection was lost")
    child.sendline("too early")
    child.expect("Not sent, there is no connection: too early")
    server.decide.clear()
    server.start()
    server.wait_for(2)
    child.sendline("still too early")
    child.expect("Not sent, there is no connection: still too early")
    server.decide.set()
    child.expect("Welcome, ann")
    wait_until(lambda: server.receptions == 2)
    server.say("bob", "there you are")
    child.expect("there you are")
    assert "In #lobby" not in child.before, "nothing has changed"
    child.sendline("now")
    wait_until(lambda: server.said() == ["now"])
    leave(child)


@BOTH
def test_a_token_that_is_not_accepted_any_more(terminal: Any, server: ChatServer, plain: bool) -> None:
    child = join(terminal, server, *options_of(plain))
    server.say("bob", "before")
    child.expect("before")
    server.tokens.clear()
    server.close()
    child.expect("connection was lost")
    child.expect("! Please log in again")
    child.expect(r"Your name\?")
    child.sendline("ann")
    child.expect("Welcome, ann")
    server.say("bob", "after")
    child.expect("<bob> after")
    assert "<bob> before" not in child.before
    leave(child)
    assert server.said() == []


def test_what_was_on_its_way_is_named(terminal: Any, server: ChatServer) -> None:
    child = join(terminal, server)
    server.members = []  # nobody repeats it
    server.say = lambda *_, **__: server.close()  # type: ignore[method-assign]
    child.sendline("into the void")
    child.expect("connection was lost")
    child.expect("This may not have arrived: into the void")
    child.expect("Welcome, ann")
    child.sendintr()  # clears the editor, into which it has come back
    leave(child)
    assert [server.said(number) for number in (0, 1)] == [["into the void"], []]


@BOTH
@pytest.mark.parametrize("while_connecting", [True, False])
def test_ctrl_c_in_the_pause(terminal: Any, server: ChatServer, plain: bool, while_connecting: bool) -> None:
    child = join(terminal, server, *options_of(plain))
    if while_connecting:
        server.decide.clear()
        server.close()
        server.wait_for(2)
    else:
        server.stop()
        child.expect("again, with pauses of up to 30 s")
    child.sendintr()
    if not plain:
        child.expect("Ctrl-C again, or Ctrl-D, leaves")
        child.sendintr()
    assert ended(child) == ExitCode.INTERRUPTED
    assert "Traceback" not in child.before
    if not while_connecting:
        server.start()


@BOTH
@pytest.mark.parametrize("how", ["exit", "Ctrl-D"])
def test_leaving_in_the_pause(terminal: Any, server: ChatServer, plain: bool, how: str) -> None:
    child = join(terminal, server, *options_of(plain))
    server.stop()
    child.expect("again, with pauses of up to 30 s")
    if how == "exit":
        leave(child)
    else:
        child.sendeof()
        assert ended(child) == 0
    server.start()


def test_servers_that_are_on_their_way_up(terminal: Any, server: ChatServer) -> None:
    child = join(terminal, server, "--plain")
    server.refuse = 2
    server.close()
    child.expect("connection was lost")
    child.expect("ended the connection without a greeting.*The client tries again")
    assert "Connected to" not in child.before, "only what leads to the welcome is told"
    child.expect("Welcome, ann")
    assert "without a greeting" not in child.before, "the same reason is told once"
    assert child.before.count("Connected to") == 1
    leave(child)


@pytest.mark.parametrize("why", ["bye", "--no-reconnect", "--no-session", "--json", "left"])
def test_when_it_does_not_come_back(terminal: Any, server: ChatServer, why: str) -> None:
    options = [why] if why.startswith("--") else []
    child = terminal("connect", "--plain", *options, f"sockctl://{server.target}")
    child.expect(r"Your name\?")
    child.sendline("ann")
    child.expect("In #lobby")
    if why == "bye":
        server.send("bye", "Goodbye!", reason="server_stopping")
    if why == "left":
        child.sendline("exit")
    else:
        server.close()
    child.expect("disconnected")
    assert ended(child) == 0
    assert "connection was lost" not in child.before
    assert len(server.heard) == 1


def test_a_pipe_does_not_come_back(server: ChatServer) -> None:
    run = sockctl("connect", f"sockctl://{server.target}", stdin=b"ann\nhello\n")  # the server ends it without a bye
    assert run.returncode == 0
    assert run.stdout.splitlines()[-2:] == [b"In #lobby: ann, bob, carol", b"lobby <ann> hello"]
    assert len(server.heard) == 1


@pytest.mark.parametrize("changed", [False, True])
def test_certificates_count_for_each_connection(
    terminal: Any, tmp_path: Path, changed: bool, server: ChatServer
) -> None:
    server.files = self_signed(tmp_path)
    child = join(terminal, server, "--accept-new", scheme="sockctls")
    server.stop()
    child.expect("connection was lost")
    if changed:
        server.files = self_signed(tmp_path, "other")
    server.start()
    if changed:
        child.expect("has CHANGED")
        assert ended(child) == ExitCode.NOT_LET_IN
        assert len(server.heard) == 1, "nothing was sent to it"
    else:
        child.expect("Welcome, ann")
        leave(child)
