"""Logging in once: real processes against a server that gives tokens."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sockctl.cli.exit_codes import ExitCode
from sockctl.client.held_token import Held
from sockctl.client.server_identity import ServerIdentity
from sockctl.client.token_login import TokenLogin
from sockctl.client.token_store import KeptToken, Login, TokenStore
from sockctl.net.address import Endpoint
from sockctl.net.fingerprints import read_fingerprint
from sockctl.protocol.messages import Message, make_message
from tests.support.running import process, sockctl, wait_until
from tests.support.terminal import ended
from tests.support.tls import self_signed
from tests.support.token_server import LATER, PASSWORD, TokenServer, token_server

pytestmark = pytest.mark.usefixtures("state")

HERE = ServerIdentity(Endpoint("localhost", 9090))
LOGIN = f"ann\n{PASSWORD}\n".encode()


@pytest.fixture
def server() -> Iterator[TokenServer]:
    with token_server() as one:
        yield one


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return self_signed(tmp_path_factory.mktemp("tls"))


def kept(state: Path, server: TokenServer) -> list[KeptToken]:
    return TokenStore(state).list_servers([Endpoint(server.host, server.port)])


def keep(state: Path, server: TokenServer, token: str, *, service: str = "auth", fingerprint: str = "") -> None:
    TokenStore(state).keep(Login.at(server.host, server.port, service, fingerprint), token=token, expires=LATER)


def connect(
    server: TokenServer, *options: str, stdin: bytes = b"", scheme: str = "sockctl"
) -> subprocess.CompletedProcess[bytes]:
    run = sockctl("connect", *options, f"{scheme}://{server.target}", stdin=stdin)
    assert b"Traceback" not in run.stderr
    for token in server.given:
        assert token.encode() not in run.stdout + run.stderr, "a token is never shown"
    return run


# Once, and again.


@pytest.mark.parametrize("plain", [True, False], ids=["plain", "editor"])
def test_a_person_logs_in_once(terminal: Any, server: TokenServer, state: Path, plain: bool) -> None:
    options = ["--plain"] if plain else []
    child = terminal("connect", *options, server.target, NO_COLOR="1")
    child.expect(r"Your name\?")
    child.sendline("ann")
    child.expect(r"Your password\?")
    child.sendline(PASSWORD)
    child.expect(r"\* Hello, ann!")
    assert PASSWORD not in child.before
    if not plain:
        child.expect(r"\x1b\[0m>")
        child.sendline("hi")
        child.expect("<ann> hi")
        child.send("\x1b[A\x1b[A\x1b[A")  # the arrow brings back what was typed, and neither name nor password
        child.sendline(" there")
        child.expect("<ann> hi there")
        assert PASSWORD not in child.before
    child.sendline("exit")
    child.expect("disconnected")
    assert PASSWORD not in child.before
    assert ended(child) == 0
    assert [(one.token, one.user) for one in kept(state, server)] == [(server.given[0], "ann")]
    again = terminal("connect", *options, server.target, NO_COLOR="1")
    again.expect(r"\* Hello, ann!")
    assert "Your name" not in again.before
    assert "known the next time" not in again.before
    again.sendline("hello")
    again.expect("<ann> hello")
    again.sendline("exit")
    assert ended(again) == 0
    assert server.resumed() == [server.given[0]]
    assert [one.token for one in kept(state, server)] == [server.given[1]], "the new one is kept"


@pytest.mark.parametrize("options", [(), ("--json",), ("-v",)], ids=["text", "json", "events"])
def test_a_pipe_logs_in_once(server: TokenServer, state: Path, options: tuple[str, ...]) -> None:
    first = connect(server, *options, stdin=LOGIN)
    assert first.returncode == 0
    assert "token" not in server.hello()
    assert "session" not in server.hello()
    second = connect(server, *options, stdin=b"hello\n")
    assert second.returncode == 0
    assert b"hello" in second.stdout
    for part in (b"Your name", b"Your password", b"known the next time"):
        assert part not in second.stdout
    assert server.said() == [("resume", ""), ("line", "hello")]
    assert [(one.token, one.user) for one in kept(state, server)] == [(server.given[1], "ann")]


def test_a_script_logs_in_once(server: TokenServer) -> None:
    steps = ["--expect", "name", "--send", "ann", "--expect", "password", "--send", PASSWORD, "--expect", "Hello"]
    assert connect(server, *steps).returncode == 0
    again = connect(server, "--send", "ahead", "--expect", "Hello, ann", "--expect", "ahead")
    assert (again.returncode, again.stdout) == (0, b"Hello, ann!\n<ann> ahead\n")
    assert connect(server, "--count", "1").stdout == b"Hello, ann!\n"


def test_a_folder_of_ones_choice(server: TokenServer, state: Path, tmp_path: Path) -> None:
    connect(server, "--state-dir", str(tmp_path / "mine"), stdin=LOGIN)
    assert not state.exists()
    assert (tmp_path / "mine" / "tokens.json").exists()


# While the server decides.


@pytest.mark.parametrize("valid", [True, False])
def test_until_the_server_decides_nothing_is_said_and_no_question_shown(
    server: TokenServer, state: Path, valid: bool
) -> None:
    keep(state, server, "tok")
    if valid:
        server.tokens["tok"] = "ann"
    server.decide.clear()
    with process("connect", f"sockctl://{server.target}", stdin=subprocess.PIPE) as run:
        assert run.process.stdin is not None
        assert run.process.stdout is not None
        run.process.stdin.write(b"bob\n")
        run.process.stdin.flush()
        wait_until(lambda: bool(server.heard) and server.resumed() == ["tok"])
        with pytest.raises(subprocess.TimeoutExpired):
            run.process.wait(0.3)
        assert server.said() == [("resume", "")]
        server.decide.set()
        first = run.process.stdout.readline()
        run.process.stdin.close()
        assert run.wait() == (0 if valid else ExitCode.NOT_LET_IN)
        rest = run.process.stdout.read()
    if valid:
        assert (first, rest) == (b"Hello, ann!\n", b"<ann> bob\n")
        assert server.said() == [("resume", ""), ("line", "bob")]
    else:
        assert first + rest == b"Your name?\nYour password?\n"
        assert server.heard[-1][2] == {"kind": "answer", "field": "name", "text": "bob"}


def test_a_refused_token_is_forgotten_and_the_questions_come(server: TokenServer, state: Path) -> None:
    keep(state, server, "old")
    run = connect(server, stdin=LOGIN)
    assert run.stdout == b"Your name?\nYour password?\nHello, ann!\n"
    assert [one.token for one in kept(state, server)] == server.given
    assert b"The server says: Please log in again.\n" in run.stderr
    keep(state, server, "old")
    assert connect(server).stdout == b"Your name?\n"
    assert kept(state, server) == []


def test_another_error_leaves_the_token(server: TokenServer, state: Path) -> None:
    keep(state, server, "tok")
    server.problem = "busy"
    assert connect(server).stdout == b"Your name?\n"
    assert [one.token for one in kept(state, server)] == ["tok"]


def test_a_server_that_knows_nothing_of_tokens_any_more(server: TokenServer, state: Path) -> None:
    keep(state, server, "tok")
    server.deaf = True
    run = connect(server, "--timeout", "2", "--expect", "name", "--send", "ann", "--expect", "password")
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith(b"Your name?\nYour password?\n")


def test_a_server_that_leaves_instead(server: TokenServer, state: Path) -> None:
    keep(state, server, "tok")
    server.leaves = True
    run = connect(server, stdin=b"one\ntwo\n")
    assert run.returncode == ExitCode.BROKEN
    assert b"2 lines were not sent" in run.stderr


# What logs in by itself.


def test_a_pipe_that_logs_in_does_so_every_time_and_its_password_is_never_a_line(server: TokenServer) -> None:
    for stdin in (LOGIN, LOGIN.replace(b"ann", b" Ann "), LOGIN):
        assert connect(server, stdin=stdin + b"hello\nann\n").returncode == 0
    assert server.resumed(1) != []
    for connection in (1, 2):
        assert ("line", "hello") in server.said(connection)
        assert ("line", "ann") in server.said(connection), "only at the beginning"
        assert PASSWORD not in str(server.heard[connection])


def test_a_pipe_that_begins_with_something_else_loses_nothing(server: TokenServer) -> None:
    connect(server, stdin=LOGIN)
    connect(server, stdin=b"hello\nann\nbob\n")
    assert [text for kind, text in server.said() if kind == "line"] == ["hello", "ann", "bob"]


@pytest.mark.parametrize(
    "steps",
    [
        ["--send", "ann", "--send", PASSWORD, "--expect", "Hello, ann"],
        ["--expect", "name", "--send", "Ann", "--expect", "password", "--send", PASSWORD, "--expect", "Hello, Ann"],
    ],
)
def test_a_script_that_logs_in_does_so_every_time(server: TokenServer, state: Path, steps: list[str]) -> None:
    for _ in range(2):
        assert connect(server, *steps).returncode == 0
    assert server.resumed() == []
    assert server.hello()["session"] is False
    assert len(kept(state, server)) == 1, "that of the first time is still good"
    assert connect(server, "--send", "hello", "--expect", "hello").returncode == 0
    assert server.resumed() != []


# Logging out.


def test_logging_out_forgets(server: TokenServer, state: Path) -> None:
    connect(server, stdin=LOGIN)
    assert connect(server, stdin=b"logout\n").stdout == b"Hello, ann!\nYou are logged out.\n"
    assert kept(state, server) == []
    server.bye = "server_stopping"
    connect(server, stdin=LOGIN + b"logout\n")
    assert len(kept(state, server)) == 1, "another goodbye is none of the login"


def resuming(state: Path, **options: Any) -> tuple[TokenLogin, list[str]]:
    remarks: list[str] = []
    options = {
        "uses_tokens": True,
        "open_tokens": lambda: TokenStore(state),
        "remark": lambda text, **_: remarks.append(text),
        **options,
    }
    return TokenLogin(ServerIdentity(Endpoint("localhost", 9090)), **options), remarks


def token(text: object, expires: str = LATER) -> Message:
    return make_message("token", "", token=text, expires=expires)


@pytest.mark.parametrize(
    "ending", [make_message("error", "No.", code="bad_token"), make_message("bye", "Bye.", reason="logged_out")]
)
def test_a_newer_token_of_another_client_stays(state: Path, ending: Message) -> None:
    tokens = TokenStore(state)
    tokens.keep(Login.at("localhost", 9090, "auth"), token="mine", expires=LATER)
    one, _ = resuming(state)
    assert b'"token":"mine"' in one.answer_greeting("auth")
    tokens.keep(Login.at("localhost", 9090, "auth"), token="newer", expires=LATER)
    assert one.process_message(ending)
    assert [each.token for each in tokens.list_servers([Endpoint("localhost", 9090)])] == ["newer"]


def test_a_token_that_comes_late_takes_no_newer_ones_place(state: Path) -> None:
    """Its first use may have been replaced by then: shown again, it would look like a copy, and end the session."""
    tokens = TokenStore(state)
    tokens.keep(Login.at("localhost", 9090, "auth"), token="first", expires=LATER, user="ann")
    late, _ = resuming(state)
    quick, _ = resuming(state)
    for one, given in ((late, "late"), (quick, "quick")):
        assert b'"token":"first"' in one.answer_greeting("auth")
        one.process_message(token(given))
    for one in (quick, late):
        one.process_message(make_message("welcome", "Hello!", user="ann"))
    assert [each.token for each in tokens.list_servers([Endpoint("localhost", 9090)])] == ["quick"]
    assert late.held is not None
    assert late.held.token == "late", "it counts for this session"
    late.process_message(make_message("bye", "Bye.", reason="logged_out"))
    assert [each.token for each in tokens.list_servers([Endpoint("localhost", 9090)])] == ["quick"]


def test_who_logs_in_anew_takes_the_place_of_whatever_is_kept(state: Path) -> None:
    tokens = TokenStore(state)
    tokens.keep(Login.at("localhost", 9090, "auth"), token="first", expires=LATER, user="ann")
    one, _ = resuming(state)
    one.answer_greeting("auth")
    tokens.keep(Login.at("localhost", 9090, "auth"), token="newer", expires=LATER, user="ann")
    one.process_message(make_message("error", "No.", code="bad_token"))
    one.process_message(token("anew"))
    one.process_message(make_message("welcome", "Hello!", user="ann"))
    assert [each.token for each in tokens.list_servers([Endpoint("localhost", 9090)])] == ["anew"]


def test_whose_token_it_is(state: Path) -> None:
    one, _ = resuming(state)
    one.answer_greeting("auth")
    assert not one.process_message(token("tok"))
    assert one.process_message(make_message("welcome", "Hello!", user="bob"))
    assert [each.user for each in TokenStore(state).list_servers([Endpoint("localhost", 9090)])] == ["bob"]
    before = (state / "tokens.json").stat().st_mtime_ns
    again, _ = resuming(state)
    again.answer_greeting("auth")
    assert again.process_message(make_message("welcome", "Hello!", user="ann")), "no token came: nothing is to be noted"
    assert (state / "tokens.json").stat().st_mtime_ns == before


def test_a_guests_token_is_for_this_session_only(state: Path) -> None:
    """Whoever sits at a second terminal of the same account is another guest."""
    one, _ = resuming(state)
    one.answer_greeting("chat")
    one.process_message(token("tok"))
    assert one.held is None, "it counts from the welcome on"
    one.process_message(make_message("welcome", "Hello!", name="ann"))
    assert not state.exists()
    assert one.held is not None
    assert "tok" not in repr(one.held)
    again, _ = resuming(state, held=one.held)
    opening = again.answer_greeting("chat", {"lobby": 7})
    assert b'"token":"tok","seen":{"lobby":7}' in opening
    again.process_message(make_message("error", "Unknown.", code="bad_token"))
    assert again.held is None


@pytest.mark.parametrize("elsewhere", ["service", "certificate", "address", "port"])
def test_a_sessions_own_token_goes_nowhere_else(state: Path, elsewhere: str) -> None:
    host, port = "::1" if elsewhere == "address" else "localhost", 9091 if elsewhere == "port" else 9090
    fingerprint = "other" if elsewhere == "certificate" else ""
    held = Held(server=ServerIdentity(Endpoint(host, port), fingerprint), service="chat", token="tok", user="")
    one, _ = resuming(state, held=held)
    assert b"resume" not in one.answer_greeting("auth" if elsewhere == "service" else "chat")
    assert one.held is None


def test_a_sessions_own_token_goes_before_a_newer_one_of_another_session(state: Path) -> None:
    TokenStore(state).keep(Login.at("localhost", 9090, "chat"), token="newer", expires=LATER, user="bob")
    held = Held(server=HERE, service="chat", token="mine", user="ann")
    one, _ = resuming(state, held=held)
    assert b'"token":"mine"' in one.answer_greeting("chat")


def test_an_expired_token_shows_whose_device_this_is(server: TokenServer) -> None:
    server.expires = "2020-01-01T00:00:00Z"
    connect(server, stdin=LOGIN)
    server.tokens.clear()
    assert connect(server).stdout == b"Your name?\n"
    assert server.resumed() == server.given


# Several users.


def as_user(server: TokenServer, user: str, *options: str) -> subprocess.CompletedProcess[bytes]:
    return connect(server, "--user", user, *options, stdin=f"{user}\n{PASSWORD}\nhi\n".encode())


def test_several_users_have_a_login_each(server: TokenServer, state: Path) -> None:
    for user in ("ann", "bob"):
        assert b"<%b> hi" % user.encode() in as_user(server, user).stdout
    assert {one.user for one in kept(state, server)} == {"ann", "bob"}
    for user in ("ann", "Bob", "ann"):
        run = connect(server, "-v", "--user", user, stdin=b"hello\n")
        assert run.stdout.decode().splitlines()[-1] == f"<{user.lower()}> hello", run
        assert f"You are {user.lower()} (kept login; `sockctl logout` ends it).".encode() in run.stderr
        assert server.said()[0] == ("resume", "")
        assert connect(server, "--user", user, stdin=b"hello\n").stderr == b"", "it was chosen"
    last = connect(server, stdin=b"hello\n")
    assert b"<ann> hello" in last.stdout
    assert b"You are ann (the login used last; --user NAME chooses another: bob)." in last.stderr


def test_a_pipe_that_begins_with_another_users_name_says_nothing(server: TokenServer) -> None:
    for user in ("bob", "ann"):
        as_user(server, user)
    run = connect(server, stdin=f"bob\n{PASSWORD}\nhello\n".encode())
    assert run.returncode == ExitCode.USAGE
    assert b"Add --user bob." in run.stderr
    assert [kind for kind, _ in server.said()] == ["resume"]


def test_a_script_that_begins_with_a_kept_users_name_logs_in(server: TokenServer) -> None:
    for user in ("bob", "ann"):
        as_user(server, user)
    run = connect(server, "--send", "bob", "--send", PASSWORD, "--send", "hello", "--expect", "hello")
    assert run.returncode == 0
    assert b"<bob> hello" in run.stdout
    named = connect(server, "--user", "bob", "--expect", "Hello, bob", "--send", "x", "--expect", "x")
    assert (named.returncode, server.said()[0]) == (0, ("resume", ""))


def test_a_name_without_a_kept_login_answers_once(server: TokenServer) -> None:
    run = connect(server, "--user", "cem", stdin=f"wrong\nmore\n{PASSWORD}\n".encode())
    assert run.returncode == ExitCode.NOT_LET_IN
    assert b"The server has not let you in as cem: it asks for a name again." in run.stderr
    assert server.said() == [("answer", "cem"), ("answer", "wrong")]


@pytest.mark.parametrize("plain", [True, False], ids=["plain", "editor"])
def test_a_person_chooses_a_user(terminal: Any, server: TokenServer, plain: bool) -> None:
    options = ["--plain"] if plain else []
    child = terminal("connect", *options, server.target, NO_COLOR="1", SOCKCTL_USER="bob")
    child.expect(r"Your name\? bob")
    child.expect(r"Your password\?")
    child.sendline(PASSWORD)
    child.expect(r"\* Hello, bob!")
    child.sendline("exit")
    assert ended(child) == 0
    again = terminal("connect", *options, server.target, NO_COLOR="1")
    again.expect(r"You are bob \(kept login; `sockctl logout` ends it\)\.")
    again.expect(r"\* Hello, bob!")
    if not plain:
        again.sendline("bob")
        again.expect(r"bob is a user's name: say it\? \[y/N\]")
        again.sendline("n")
        again.expect(r"\[y/N\] n\r")
        again.expect("bob")  # it stands in the editor again, drawn behind the prompt
    again.sendline("\x15exit")
    assert ended(again) == 0
    assert "bob" not in [text for kind, text in server.said() if kind == "line"]


# What stands in the way.


@pytest.mark.parametrize("content", ["junk", '{"version": 1, "sessions": []}', '{"version": 2}'])
def test_a_file_that_cannot_be_read(server: TokenServer, state: Path, content: str) -> None:
    state.mkdir()
    (state / "tokens.json").write_text(content)
    (state / "tokens.json").chmod(0o600)
    run = connect(server, stdin=LOGIN + b"hello\n")
    assert (run.returncode, run.stdout.splitlines()[-1]) == (0, b"<ann> hello")
    assert run.stderr.count(b"sockctl: The login isn't kept for the next time: ") == 1
    assert run.stderr.count(b"\n") == 1
    assert server.hello()["session"] is False
    assert (state / "tokens.json").read_text() == content


def test_a_file_that_cannot_be_written(server: TokenServer, state: Path) -> None:
    state.mkdir()
    (state / "tokens.json.lock").mkdir()
    run = connect(server, stdin=LOGIN + b"hello\n")
    assert (run.returncode, run.stdout.splitlines()[-1]) == (0, b"<ann> hello")
    assert run.stderr.count(b"sockctl: The login isn't kept for the next time: ") == 1


def test_a_file_that_cannot_be_written_any_more(state: Path) -> None:
    TokenStore(state).keep(Login.at("localhost", 9090, "auth"), token="tok", expires=LATER)
    one, remarks = resuming(state)
    one.answer_greeting("auth")
    (state / "tokens.json.lock").unlink()
    (state / "tokens.json.lock").mkdir()
    assert one.process_message(make_message("error", "No.", code="bad_token"))
    assert one.process_message(make_message("bye", "Bye.", reason="logged_out"))
    assert not one.process_message(token("new"))
    assert len(remarks) == 1


def test_a_home_that_is_none(server: TokenServer, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    environment = {name: value for name, value in os.environ.items() if name != "SOCKCTL_STATE_DIR"}
    environment |= {"HOME": str(tmp_path / "file"), "XDG_STATE_HOME": ""}
    run = sockctl("connect", f"sockctl://{server.target}", stdin=LOGIN, env=environment)
    assert (run.returncode, run.stdout.splitlines()[-1]) == (0, b"Hello, ann!")
    assert run.stderr.count(b"The login isn't kept") == 1


@pytest.mark.parametrize("text", ["", "a b", "é", None, 7, ["x"]])
def test_what_can_be_no_token(state: Path, text: object) -> None:
    one, remarks = resuming(state)
    one.answer_greeting("auth")
    assert not one.process_message(token(text))
    assert one.process_message(make_message("welcome", "Hello!", user="ann"))
    assert not state.exists()
    assert len(remarks) == isinstance(text, str)


# Without.


def test_no_session(server: TokenServer, state: Path) -> None:
    keep(state, server, "tok")
    run = connect(server, "--no-session", stdin=LOGIN)
    assert run.stdout.endswith(b"Hello, ann!\n")
    assert server.hello() == {"kind": "hello", "text": "", "client": "sockctl", "session": False}
    assert server.resumed() == server.given == []
    assert [one.token for one in kept(state, server)] == ["tok"]


def test_a_hex_dump_would_show_the_token(server: TokenServer, state: Path) -> None:
    keep(state, server, "tok")
    run = connect(server, "--hex", stdin=LOGIN)
    rows = [(line[:1], bytes.fromhex(line[12:60].decode())) for line in run.stdout.splitlines()]
    received, sent = (b"".join(row for mark, row in rows if mark == direction) for direction in (b"<", b">"))
    assert b"Hello, ann!" in received
    assert b'"token"' not in received
    assert b'"kind":"hello"' in sent
    assert b"resume" not in sent
    assert server.hello()["session"] is False
    assert [one.token for one in kept(state, server)] == ["tok"]


def test_a_token_that_nobody_asked_for_is_not_shown_either(state: Path) -> None:
    one, remarks = resuming(state, uses_tokens=False)
    assert b'"session":false' in one.answer_greeting("auth")
    assert not one.process_message(token("tok"))
    assert not state.exists()
    assert remarks == []


@pytest.mark.parametrize("service", ["identify", "talk"])
def test_services_without_logins_touch_no_file(state: Path, service: str) -> None:
    one, _ = resuming(state)
    TokenStore(state).keep(Login.at("localhost", 9090, service), token="tok", expires=LATER)
    assert b"resume" not in one.answer_greeting(service)
    assert not one.process_message(token("new"))
    assert [each.token for each in TokenStore(state).list_servers([Endpoint("localhost", 9090)])] == ["tok"]


# Never to another server.


def test_a_program_at_another_address_of_the_name_gets_no_token_in_clear(server: TokenServer, state: Path) -> None:
    """Another user of this machine listens at ::1, where the server has only 127.0.0.1."""
    assert sockctl("connect", f"sockctl://localhost:{server.port}", stdin=LOGIN).returncode == 0
    assert [one.login.address for one in kept(state, server)] == [server.target], "by the address that gave it"
    with token_server(host="::1", port=server.port) as thief:
        run = sockctl("connect", f"sockctl://localhost:{server.port}")
        assert run.stdout == b"Your name?\n"
        assert [one["kind"] for one in thief.heard[0]] == ["hello"]
    again = sockctl("connect", f"sockctl://localhost:{server.port}", stdin=b"hello\n")
    assert again.stdout == b"Hello, ann!\n<ann> hello\n"
    assert server.resumed() == [server.given[0]]


def test_another_service_on_that_port(server: TokenServer, state: Path) -> None:
    keep(state, server, "tok", service="chat")
    assert connect(server).stdout == b"Your name?\n"
    assert server.resumed() == []


def test_under_tls_it_belongs_to_the_certificate(files: tuple[Path, Path], state: Path) -> None:
    fingerprint = read_fingerprint(files[0])
    with token_server(files=files) as server:
        keep(state, server, "plain")
        first = connect(server, "--accept-new", stdin=LOGIN, scheme="sockctls")
        assert first.stdout.endswith(b"Hello, ann!\n")
        assert server.resumed() == []
        trusting: list[list[str]] = [[], ["--ca", str(files[0])], ["--fingerprint", fingerprint]]
        for number, options in enumerate(trusting):
            assert connect(server, *options, scheme="sockctls").stdout == b"Hello, ann!\n"
            assert server.resumed() == [server.given[number]], "whoever vouches for it, it is the same certificate"
        logins = {one.login.fingerprint: one.token for one in kept(state, server)}
        assert logins == {"": "plain", fingerprint: server.given[-1]}


@pytest.mark.parametrize("how", ["first use", "forgotten", "given", "authority", "no TLS"])
def test_a_token_never_goes_to_another_certificate(
    files: tuple[Path, Path], state: Path, tmp_path: Path, how: str
) -> None:
    other = self_signed(tmp_path, "other")
    encrypted = how != "no TLS"
    with token_server(files=other if encrypted else None) as server:
        keep(state, server, "tok", fingerprint=read_fingerprint(files[0]))
        if encrypted:
            keep(state, server, "plain")
        options: list[str] = []
        if how == "forgotten":
            sockctl("hosts", "trust", server.target, read_fingerprint(files[0]))
            changed = connect(server, scheme="sockctls")
            assert changed.returncode == ExitCode.NOT_LET_IN
            assert sockctl("hosts", "forget", server.target).returncode == 0
        if how in {"forgotten", "first use"}:
            options = ["--accept-new"]
        elif how == "given":
            options = ["--fingerprint", read_fingerprint(other[0])]
        elif how == "authority":
            options = ["--ca", str(other[0])]
        run = connect(server, *options, stdin=LOGIN, scheme="sockctls" if encrypted else "sockctl")
        assert run.stdout.endswith(b"Hello, ann!\n"), run.stderr
        assert server.resumed() == []
        assert "tok" in {one.token for one in kept(state, server)}, "it is still good for the server that gave it"


def test_json_has_the_kinds_that_are_meant_for_people(server: TokenServer) -> None:
    lines = connect(server, "--json", stdin=LOGIN).stdout.splitlines()
    assert [json.loads(line)["kind"] for line in lines] == ["ask", "ask", "welcome"]


@pytest.mark.parametrize(
    ("kept_by", "shown"), [("ann", "newer"), ("bob", "mine"), ("", "mine")], ids=["same user", "other user", "none"]
)
def test_the_newest_token_of_all_clients_of_a_user_is_shown(state: Path, kept_by: str, shown: str) -> None:
    """A token that another client has used since counts no more, and would look like a stolen one."""
    if kept_by:
        TokenStore(state).keep(Login.at("localhost", 9090, "chat"), token="newer", expires=LATER, user=kept_by)
    one, _ = resuming(state, held=Held(server=HERE, service="chat", token="mine", user="ann", is_kept=True))
    assert f'"token":"{shown}"'.encode() in one.answer_greeting("chat")
