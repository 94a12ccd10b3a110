"""``serve chat`` as a process: from nc and ``connect``, its options, its operator, and across a restart."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sockctl.cli.exit_codes import ExitCode
from tests.support.accounts import PASSWORD, accounts_at
from tests.support.frames import FrameClient, frame_client
from tests.support.running import TIMEOUT_S, Process, process, sockctl, wait_until
from tests.support.terminal import ended
from tests.support.tools import tool

PROMPT = r"\[#lobby\]\S* server>"


@contextmanager
def served(data: Path, *arguments: str) -> Iterator[tuple[Process, int]]:
    command = ["serve", "chat", "--port", "0", "--data-dir", str(data), "--log-format", "json", *arguments]
    with process(*command) as run:
        yield run, int(run.event("listening")["port"])


def enter(client: FrameClient, name: str) -> None:
    client.expect("ask", field="name")
    client.line(name)
    client.expect("token")
    client.expect("welcome", name=name)
    until(client, "members")


def until(client: FrameClient, kind: str, **fields: Any) -> dict[str, Any]:
    while (one := client.receive()) is not None:
        if one["kind"] == kind and all(one.get(name) == value for name, value in fields.items()):
            return one
    raise AssertionError(f"{kind} {fields} did not come")


def test_from_nc_from_connect_and_across_a_restart(tmp_path: Path) -> None:
    motd = tmp_path / "motd"
    motd.write_text("Be kind.\n")
    with served(tmp_path / "data", "--motd", str(motd)) as (run, port), frame_client(port) as ann:
        enter(ann, "ann")
        assert run.event("member_came")["who"] == "ann"
        nc = subprocess.run(
            [tool("nc", "netcat-openbsd"), "-N", "127.0.0.1", str(port)],
            input=b"bob\nhello\n",
            capture_output=True,
            timeout=TIMEOUT_S,
            check=True,
        )
        assert nc.stdout.decode().splitlines()[2:5] == [
            "Welcome, bob! What you type is said in #lobby; /help lists the commands.",
            "Be kind.",
            "You are in #lobby.",
        ]
        until(ann, "say", sender="bob", text="hello")
        scripted = sockctl(
            "connect",
            f"sockctl://127.0.0.1:{port}",
            "--no-session",
            *("--expect", "name", "--send", "carl", "--expect", "Welcome", "--send", "/msg ann psst"),
            *("--expect", "psst"),
        )
        assert scripted.returncode == 0
        until(ann, "say", private=True, sender="carl", text="psst")
        ann.line("/topic Tea")
        until(ann, "notice", topic="Tea")
        assert run.end() == 0
        until(ann, "bye", reason="server_stopping")
    with served(tmp_path / "data") as (_, port), frame_client(port) as ann:
        ann.expect("ask")
        ann.line("ann")
        until(ann, "notice", topic="Tea")
        until(ann, "history", sender="bob", text="hello")


def test_after_a_killed_server_what_was_said_is_there(tmp_path: Path) -> None:
    with served(tmp_path) as (run, port), frame_client(port) as ann:
        enter(ann, "ann")
        ann.line("hello")
        until(ann, "say")
        history = tmp_path / "chat-history.jsonl"
        wait_until(lambda: history.exists() and b"hello" in history.read_bytes())
        assert run.end(signal.SIGKILL) == -signal.SIGKILL
    with (tmp_path / "chat-history.jsonl").open("ab") as file:
        file.write(b'{"kind":"say","te')  # torn
    with served(tmp_path) as (_, port), frame_client(port) as ann:
        ann.expect("ask")
        ann.line("ann")
        until(ann, "history", text="hello")


def test_a_block_outlasts_a_killed_server_and_is_told_in_both_ways(tmp_path: Path) -> None:
    lines = ["def f():", "\treturn 1", "", "/quit"]
    with served(tmp_path) as (run, port), frame_client(port) as ann:
        enter(ann, "ann")
        ann.send(kind="block", text=lines[0], lines=lines)
        last = [until(ann, "say", text=line)["id"] for line in lines][-1]
        history = tmp_path / "chat-history.jsonl"
        wait_until(lambda: history.exists() and b"return" in history.read_bytes())
        assert run.end(signal.SIGKILL) == -signal.SIGKILL
    with served(tmp_path) as (_, port), frame_client(port, hello=False) as ann:
        ann.send(kind="hello", can=["blocks"])
        ann.line("ann")
        assert until(ann, "history", id=last)["lines"] == lines
        nc = subprocess.run(
            [tool("nc", "netcat-openbsd"), "-N", "127.0.0.1", str(port)],
            input=b"bob\n/quit\n",
            capture_output=True,
            timeout=TIMEOUT_S,
            check=True,
        )
        said = [line for line in nc.stdout.decode().splitlines() if "<ann>" in line]
        assert [line.split("<ann> ")[1] for line in said] == lines


def test_two_chats_dont_share_their_files(tmp_path: Path) -> None:
    with served(tmp_path):
        second = sockctl("serve", "chat", "--port", "0", "--data-dir", str(tmp_path))
    assert second.returncode == ExitCode.FAILED
    assert b"Another server keeps its chat in" in second.stderr
    assert b"Traceback" not in second.stderr


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--flood", "fast"], "--flood 'fast' can't be understood: write BURST/RATE"),
        (["--flood", "0/10"], "can't be understood"),
        (["--flood", "5/0"], "can't be understood"),
        (["--room", "a b"], "no name of a room"),
        (["--motd", "/nowhere/motd"], "--motd /nowhere/motd can't be read"),
        (["--operator", "ann"], "add --auth"),
        (["--signup"], "add --auth"),
        (["--auth", "--signup", "--operator", "zoe"], "a stranger could become it"),
        (["--insecure"], "add --auth"),
        (["--history", "-1"], "--history"),
        (["--auth", "--host", ""], "in clear"),
    ],
)
def test_what_is_refused(tmp_path: Path, options: list[str], why: str) -> None:
    run = sockctl("serve", "chat", "--port", "0", "--data-dir", str(tmp_path), *options)
    assert run.returncode == ExitCode.USAGE
    assert why in run.stderr.decode()


@pytest.mark.parametrize("content", [b"\xff\n", b"line\n" * 51])
def test_a_motd_that_will_not_do(tmp_path: Path, content: bytes) -> None:
    motd = tmp_path / "motd"
    motd.write_bytes(content)
    run = sockctl("serve", "chat", "--port", "0", "--data-dir", str(tmp_path), "--motd", str(motd))
    assert run.returncode == ExitCode.USAGE
    assert str(motd).encode() in run.stderr


def test_a_file_that_can_not_be_used_is_told_at_the_start(tmp_path: Path) -> None:
    for name in ("chat.json", "chat-history.jsonl"):
        path = tmp_path / name
        path.touch(0o600)
        path.write_text("junk\n")
        run = sockctl("serve", "chat", "--port", "0", "--data-dir", str(tmp_path))
        assert run.returncode == ExitCode.FAILED
        assert str(path).encode() in run.stderr
        assert path.read_text() == "junk\n"
        path.unlink()


def test_users_and_operators(tmp_path: Path) -> None:
    accounts_at(tmp_path, "ann", "bob")
    with served(tmp_path, "--auth", "--operator", "Ann") as (run, port), frame_client(port) as ann:
        for name, peer in (("ann", ann),):
            peer.expect("ask")
            peer.line(name)
            peer.expect("ask", field="password")
            peer.line(PASSWORD)
            until(peer, "members")
        state = tmp_path / "state"
        bob = ["connect", f"sockctl://127.0.0.1:{port}", "--state-dir", str(state)]
        first = sockctl(*bob, stdin=f"bob\n{PASSWORD}\nfirst\n".encode())
        again = sockctl(*bob, stdin=b"second\n")
        assert first.returncode == again.returncode == 0
        until(ann, "say", sender="bob", text="first")
        until(ann, "say", sender="bob", text="second")
        ann.line("/ban bob")
        until(ann, "notice", code="announcement")
        banned = sockctl(*bob, stdin=b"third\n")
        assert b"You are banned here." in banned.stderr
        assert run.end() == 0
        assert PASSWORD not in "\n".join(run.lines)


def test_a_login_ends_at_the_chat(tmp_path: Path) -> None:
    accounts_at(tmp_path, "ann")
    with served(tmp_path, "--auth") as (_, port):
        server, state = f"127.0.0.1:{port}", str(tmp_path / "state")
        own = ["--state-dir", state]
        assert sockctl("connect", f"sockctl://{server}", *own, stdin=f"ann\n{PASSWORD}\nhi\n".encode()).returncode == 0
        kept = (tmp_path / "state" / "tokens.json").read_bytes()
        out = sockctl("logout", server, *own)
        assert (out.returncode, out.stderr) == (0, b"")
        (tmp_path / "state" / "tokens.json").write_bytes(kept)
        wait_until(lambda: not accounts_at(tmp_path).list_sessions("ann"))
        again = sockctl("connect", f"sockctl://{server}", *own, stdin=b"hi\n")
        assert again.returncode == ExitCode.NOT_LET_IN, "the token is worth nothing"


def test_a_guest_has_no_login_to_end(tmp_path: Path) -> None:
    with served(tmp_path) as (_, port), frame_client(port) as ann:
        enter(ann, "ann")
        ann.line("/logout")
        error = until(ann, "error", code="bad_command")
        assert "/quit" in error["text"]


@contextmanager
def operator(terminal: Any, data: Path, *options: str, **environment: Any) -> Iterator[tuple[Any, int]]:
    """Start a chat on a terminal; when the prompt is there, yield it with the port."""
    options = options or ("--quiet",)
    child = terminal("serve", "chat", "--port", "0", "--data-dir", str(data), *options, **environment)
    child.expect(r"Listening on 127\.0\.0\.1:(\d+)")
    port = int(child.match[1])
    child.expect(PROMPT)
    yield child, port
    child.sendintr()
    assert ended(child) == 0


def test_the_operator_at_the_terminal(terminal: Any, tmp_path: Path) -> None:
    with operator(terminal, tmp_path, NO_COLOR="1") as (child, port), frame_client(port) as ann:
        enter(ann, "ann")
        child.expect(r"\d\d:\d\d \* ann joined #lobby")
        ann.line("hello \x1b[2J there")
        child.expect(r"\d\d:\d\d <ann> hello \[2J there")
        child.sendline("hello ann")
        until(ann, "say", sender="server", text="hello ann")
        child.expect(r"\d\d:\d\d <server> hello ann")
        ann.send(kind="block", text="a", lines=["one of two", "/quit"])
        child.expect(r"<ann> one of two\r\n {12}/quit")
        child.sendline("/msg ann psst")
        child.expect(r"\d\d:\d\d \[private to ann\] <server> psst")
        child.sendline("/kick nobody")
        child.expect("! .*nobody")
        child.sendline("/kick a\tEnough")
        child.expect("server put ann out: Enough")
        until(ann, "bye", reason="kicked")
        child.expect("ann left #lobby")


def test_a_half_typed_line_survives(terminal: Any, tmp_path: Path) -> None:
    with operator(terminal, tmp_path, NO_COLOR="1") as (child, port), frame_client(port) as ann:
        enter(ann, "ann")
        child.send("half a li")
        for number in range(5):
            ann.line(f"line {number}")
            child.expect(f"<ann> line {number}\r\n.*" + PROMPT + "[^\n]*half a li")
        child.sendline("ne")
        until(ann, "say", sender="server", text="half a line")
        child.send("not this")
        child.expect("not this")
        child.sendintr()  # clears the line, and the server stays
        child.sendline("but that")
        until(ann, "say", sender="server", text="but that")
        child.send("half at the end")
        child.expect("half at the end")
        child.kill(signal.SIGTERM)
        until(ann, "bye", reason="server_stopping")
        assert ended(child) == 0


def test_events_are_shown_until_somebody_is_there(terminal: Any, tmp_path: Path) -> None:
    child = terminal("serve", "chat", "--port", "0", "--data-dir", str(tmp_path), NO_COLOR="1")
    child.expect(r"listening .*127\.0\.0\.1:(\d+)")
    port = int(child.match[1])
    child.expect("events shown")
    with frame_client(port) as ann:
        child.expect("client_connected")
        enter(ann, "ann")
        child.expect("Events are not shown from here on")
        child.expect("events hidden")
        ann.line("no event")
        child.expect("<ann> no event")
        child.sendline("/events 3")
        child.expect(r"data_received .*\n.*data_sent .*\n.*" + PROMPT)
        child.sendline("/events on")
        child.expect("Events are shown as they come")
        ann.line("an event")
        child.expect("data_received")
        child.sendline("/events off")
        child.expect("Events are not shown")
        child.sendline("/events of")
        child.expect("write /events on")
        child.sendintr()
        child.sendintr()
        until(ann, "bye")
    child.expect("server_stopping")
    child.expect("server_stopped")
    assert ended(child) == 0


def test_events_of_a_log_file_can_be_looked_at(terminal: Any, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with operator(terminal, tmp_path, "--log-file", str(log), NO_COLOR="1") as (child, port):
        assert "server_started" not in child.before
        with frame_client(port) as ann:
            enter(ann, "ann")
            child.expect("ann joined")
            child.sendline("/events 100")
            child.expect("server_started")
            child.expect("member_came")
    assert "member_left" in log.read_text()


def test_several_rooms(terminal: Any, tmp_path: Path) -> None:
    with operator(terminal, tmp_path, NO_COLOR="1") as (child, port), frame_client(port) as ann:
        enter(ann, "ann")
        ann.line("/join games")
        ann.line("over here")
        child.expect("#games <ann> over here")  # read along, without being there
        child.sendline("/join games")
        child.expect(r"\[#games\]\S* server>")
        assert "server joined" not in child.before
        child.send("\x1b1")
        child.expect(PROMPT)
        ann.line("server, look")
        child.expect(r"2:#games 1 !1")
        child.send("\x1b2")
        child.expect("<ann> server, look")
        child.expect(r"\[#games\]\S* server>")


@pytest.mark.parametrize("says_yes", [True, False])
def test_a_paste_is_asked_about(terminal: Any, tmp_path: Path, says_yes: bool) -> None:
    with operator(terminal, tmp_path, NO_COLOR="1") as (child, port), frame_client(port) as ann:
        enter(ann, "ann")
        child.expect("ann joined")
        child.send("\x1b[200~one\n  /quit\x1b[201~")
        child.expect("/quit")
        child.send("\r")
        child.expect(r"nd\? \[y/N\]")
        child.sendline("y" if says_yes else "n")
        if says_yes:
            until(ann, "say", text="  /quit")
            child.expect("<server> one\r\n {15}  /quit")
        else:
            child.expect("one.*/quit")
            child.sendintr()
            child.sendline("else")
            assert until(ann, "say")["text"] == "else"


def test_a_block_that_is_too_large_comes_back(terminal: Any, tmp_path: Path) -> None:
    with operator(terminal, tmp_path, NO_COLOR="1") as (child, port), frame_client(port) as ann:
        enter(ann, "ann")
        child.send("\x1b[200~" + "x\n" * 250 + "\x1b[201~")
        child.expect("x")
        child.send("\r")
        child.expect("Not sent: 250 lines with 499 characters")
        child.sendintr()


def test_the_operators_screen_breaks_at_words(terminal: Any, tmp_path: Path) -> None:
    with operator(terminal, tmp_path, columns=40, NO_COLOR="1") as (child, port), frame_client(port) as ann:
        enter(ann, "ann")
        ann.line("one two three four five six seven eight nine ten")
        child.expect("<ann> one two three four five six\r\n {12}seven eight nine ten\r\n")


@pytest.mark.parametrize(
    ("arguments", "first"),
    [([], "server_started"), (["--quiet"], "Listening on "), (["--log-file", "events.log"], "Listening on ")],
)
@pytest.mark.parametrize("term", ["xterm", "dumb"])
def test_the_server_tells_its_start_before_the_operator_is_in_the_lobby(
    terminal: Any, tmp_path: Path, arguments: list[str], first: str, term: str
) -> None:
    options = ["--port", "0", "--data-dir", str(tmp_path), *arguments]
    command = ["sh", "-c", 'cd "$0" && exec "$@"', str(tmp_path)]
    child = terminal("serve", "chat", *options, command=command, TERM=term, NO_COLOR="1")
    if term == "dumb":
        child.expect(r"You are in #lobby\.\r\nIn #lobby: server\r\nWhat is said is shown here\.")
    else:
        child.expect(r"What is said is shown here\.")
    assert first in child.before
    if not arguments:
        assert "Clients give a name and talk with each other in rooms." in child.before
        assert "loopback_only" in child.before
    if term != "dumb":
        child.expect(r"You are in #lobby\..*In #lobby: server.*" + PROMPT)
    child.sendintr()
    assert ended(child) == 0


def test_the_operators_input_ends(terminal: Any, tmp_path: Path) -> None:
    with operator(terminal, tmp_path, NO_COLOR="1") as (child, port):
        child.sendeof()
        child.expect("input has ended")
        with frame_client(port) as ann:
            enter(ann, "ann")
            ann.line("anybody there?")
            child.expect(r"<ann> anybody there\?\r\n")


def test_lines_without_an_editor(terminal: Any, tmp_path: Path) -> None:
    child = terminal("serve", "chat", "--port", "0", "--quiet", "--data-dir", str(tmp_path), TERM="dumb")
    child.expect(r"Listening on 127\.0\.0\.1:(\d+) and ")
    port = int(child.match[1])
    child.expect("chat along as server")
    with frame_client(port) as ann:
        enter(ann, "ann")
        child.expect("ann joined #lobby")
        child.sendline("hello ann")
        until(ann, "say", sender="server", text="hello ann")
        ann.send(kind="block", text="a", lines=["one of two", "/quit"])
        child.expect("<ann> one of two\r\n<ann> /quit\r\n")
        child.sendline("/msg ann psst")
        child.expect_exact("to ann: (private) <server> psst")
    child.sendintr()
    assert ended(child) == 0


def test_a_chat_under_tls(tmp_path: Path) -> None:
    with served(tmp_path, "--tls") as (_, port):
        run = subprocess.run(
            [tool("openssl", "openssl"), "s_client", "-quiet", "-ign_eof", "-connect", f"127.0.0.1:{port}"],
            input=b"ann\nhello\n/quit\n",
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
            env={**os.environ},
        )
        assert b"In #lobby: ann" in run.stdout
        assert b"Goodbye!" in run.stdout
