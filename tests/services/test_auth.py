"""Authentication: logging in by password and token, signing up, and what can be done inside."""

import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import argon2
import pytest
from argon2.exceptions import VerificationError

from sockctl.accounts.accounts import Accounts
from sockctl.accounts.hash_queue import HashQueue
from sockctl.accounts.hash_turns import Try
from sockctl.accounts.local_throttle import LocalThrottle
from sockctl.errors import BusyError, LoginFailedError, PeerGoneError, ThrottledError
from sockctl.events.accounts import LoggedOut, LoginFailed, LoginSucceeded, PasswordChanged, SessionEnded, UserSignedUp
from sockctl.events.journal import Journal
from sockctl.events.reasons import DisconnectReason
from sockctl.protocol.messages import Message, make_message
from sockctl.services.auth import COMMANDS, Auth
from sockctl.services.login import LOGIN_S, LoginConversation
from sockctl.services.login_reasons import LOGGED_OUT, SESSION_ENDED
from tests.support.accounts import OTHER, PASSWORD, accounts_at, fill_disk_of_sessions
from tests.support.frames import FrameClient, frame_client, framed
from tests.support.running import TIMEOUT_S, MemorySink, Running, receive_all, running, send_and_half_close, wait_until
from tests.support.scripted_peer import ScriptedPeer


def login_at(data_dir: Path, *, signup: bool = False, login_s: float = LOGIN_S) -> LoginConversation:
    return LoginConversation(data_dir, signup=signup, queue=HashQueue(slots=2), floor_s=0.001, login_s=login_s)


class Talk:
    """What one client and the service said, and what was told of it."""

    def __init__(self, service: Auth, peer: ScriptedPeer) -> None:
        self.peer, self.sink = peer, MemorySink()
        journal = Journal(self.sink, service="auth")
        service.start(journal)
        try:
            service.converse(peer)
        except PeerGoneError:
            pass
        finally:
            service.left(peer, DisconnectReason.CLIENT_CLOSED)
            service.stop()
            journal.close()

    @property
    def shape(self) -> list[str]:
        """The kinds of what was told, with the field or the code."""
        return [f"{one.kind} {one.get('field') or one.get('code')}".strip() for one in self.peer.told]

    @property
    def events(self) -> list[str]:
        return [event.name for event in self.sink.events]


def talk(
    data_dir: Path, *steps: str | Message | Callable[[], object], signup: bool = False, framed: bool = False
) -> Talk:
    peer = ScriptedPeer(*steps)
    peer.hello = make_message("hello") if framed else None
    return Talk(Auth(login_at(data_dir, signup=signup)), peer)


def token_in(one: Talk) -> str:
    return next(told for told in one.peer.told if told.kind == "token").get("token")


def test_name_and_password_on_lines(tmp_path: Path) -> None:
    accounts = accounts_at(tmp_path, "ann")
    heard = talk(tmp_path, "Ann", PASSWORD, "whoami")
    assert heard.peer.admitted
    assert heard.shape == ["ask name", "ask password", "welcome", "notice"]
    assert [one.fields.get("secret") for one in heard.peer.told[:2]] == [False, True]
    assert heard.peer.texts[2].startswith("Welcome, ann!")
    assert "You are ann, here from 192.0.2.7; your session" in heard.peer.texts[3]
    assert accounts.list_sessions() == [], "nobody could resume it: it ends with the connection"


def test_a_client_is_described_by_its_user(tmp_path: Path) -> None:
    accounts_at(tmp_path, "ann")
    service = Auth(login_at(tmp_path))
    names: list[str] = []

    def look() -> None:
        names.append(service.describe_client(peer).name)

    peer = ScriptedPeer(look, "Ann", PASSWORD, look)
    Talk(service, peer)
    assert names == ["", "ann"]
    assert service.describe_client(peer).name == "", "it has left"
    assert service.count() == {"hashes_waiting": 0, "hashes_running": 0, "hash_slots": 2}


def test_a_client_in_frames_gets_a_token_directly_before_the_welcome(tmp_path: Path) -> None:
    accounts = accounts_at(tmp_path, "ann")
    heard = talk(tmp_path, "ann", PASSWORD, framed=True)
    assert heard.peer.kinds == ["ask", "ask", "token", "welcome"]
    token, welcome = heard.peer.told[2:]
    assert token.get("token") not in token.text
    assert token.get("expires").endswith("Z")
    assert welcome.get("user") == "ann"
    assert [one.id for one in accounts.list_sessions("ann")] == [welcome.get("session")]
    assert heard.events == ["login_succeeded"]


def test_a_client_that_wants_no_session_gets_none(tmp_path: Path) -> None:
    accounts = accounts_at(tmp_path, "ann")
    peer = ScriptedPeer("ann", PASSWORD)
    peer.hello = make_message("hello", session=False)
    assert Talk(Auth(login_at(tmp_path)), peer).peer.kinds == ["ask", "ask", "welcome"]
    assert accounts.list_sessions() == []


def test_a_token_lets_in_again(tmp_path: Path) -> None:
    accounts_at(tmp_path, "ann")
    first = token_in(talk(tmp_path, "ann", PASSWORD, framed=True))
    again = talk(tmp_path, make_message("resume", token=first), "whoami", framed=True)
    assert again.peer.kinds == ["ask", "token", "welcome", "notice"]
    assert token_in(again) != first
    succeeded = again.sink.named("login_succeeded")[0]
    assert isinstance(succeeded, LoginSucceeded)
    assert (succeeded.user, succeeded.by) == ("ann", "token")


def test_a_token_that_is_over_costs_no_try_and_what_follows_is_kept(tmp_path: Path) -> None:
    accounts_at(tmp_path, "ann")
    bad = make_message("resume", token="0123456789ab." + "A" * 43)
    heard = talk(tmp_path, bad, bad, "ann", OTHER, "ann", OTHER, "ann", PASSWORD, framed=True)
    assert heard.shape[:5] == ["ask name", "error bad_token", "ask name", "error bad_token", "ask name"]
    assert heard.peer.kinds[-1] == "welcome"
    endless = talk(tmp_path, *[bad] * 9, framed=True)
    assert endless.shape == ["ask name", "error bad_token"] * 3 + ["ask name"]
    assert endless.peer.reason is DisconnectReason.TOO_MANY_TRIES


def test_three_tries_then_no_more(tmp_path: Path) -> None:
    accounts = accounts_at(tmp_path, "ann", "bob")
    accounts.disable("bob")
    heard = talk(tmp_path, "ann", OTHER, "bob", PASSWORD, "nobody", PASSWORD, "ann", PASSWORD)
    assert heard.shape == ["ask name", "ask password", "error login_failed"] * 3
    texts = heard.peer.texts[2::3]
    assert texts[0] == texts[1]
    assert texts[2] == f"{texts[0]} That was the last try."
    assert not heard.peer.admitted
    assert heard.peer.reason is DisconnectReason.TOO_MANY_TRIES
    failed = heard.sink.named("login_failed")
    assert all(isinstance(event, LoginFailed) for event in failed)
    assert [event.user for event in failed] == ["ann", "bob", None]


def test_too_many_failures_are_throttled_in_answer_to_the_password(tmp_path: Path) -> None:
    accounts_at(tmp_path, "ann")
    login = LoginConversation(tmp_path, queue=HashQueue(slots=2, throttle=LocalThrottle(lambda: 1000.0)), floor_s=0.001)
    for _ in range(6):
        with pytest.raises((LoginFailedError, ThrottledError)):
            login.authenticator.log_in("ann", OTHER, "192.0.2.7", with_token=False)
    heard = Talk(Auth(login), ScriptedPeer("ann", PASSWORD))
    assert heard.shape == ["ask name", "ask password", "error throttled", "ask name"]
    assert 1 <= heard.peer.told[2].fields["retry_after"] <= 30
    event = heard.sink.named("login_failed")[0]
    assert (event.code, event.retry_after) == ("throttled", heard.peer.told[2].fields["retry_after"])
    assert "did not check this one" in event.text


class Crowded(HashQueue):
    """A queue that takes nobody."""

    @contextlib.contextmanager
    def hold_slot(self, *_: object, **__: object) -> Iterator[Try]:
        raise BusyError("Too many people log in at once: try again in 3 s.", retry_after_s=3)
        yield


def test_too_many_at_once_are_busy(tmp_path: Path) -> None:
    accounts_at(tmp_path, "ann")
    login = LoginConversation(tmp_path, queue=Crowded(slots=1), floor_s=0.001)
    heard = Talk(Auth(login), ScriptedPeer("ann", PASSWORD))
    assert heard.shape == ["ask name", "ask password", "error busy", "ask name"]
    assert heard.peer.told[2].fields["retry_after"] == 3


def test_a_server_that_can_not_tell_excuses_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    accounts_at(tmp_path, "ann")
    service = Auth(login_at(tmp_path))

    def fail(*_: object) -> bool:
        raise VerificationError("Memory allocation error")

    monkeypatch.setattr(argon2.PasswordHasher, "verify", fail)
    heard = Talk(service, ScriptedPeer("ann", PASSWORD))
    assert heard.shape[-1] == "error store_failed"
    assert heard.peer.reason is DisconnectReason.STORE_FAILED
    assert heard.events == ["store_failed"]


def test_who_has_a_token_gets_in_by_password_while_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts_at(tmp_path, "ann")
    token = make_message("resume", token=token_in(talk(tmp_path, "ann", PASSWORD, framed=True)))
    service = Auth(login_at(tmp_path))
    with monkeypatch.context() as patch:
        fill_disk_of_sessions(patch)
        heard = Talk(service, ScriptedPeer(token, "ann", PASSWORD))
    assert heard.shape == ["ask name", "error store_failed", "ask name", "ask password", "welcome"]
    assert heard.events == ["store_failed", "login_succeeded", "session_unkept"]
    assert "welcome" in talk(tmp_path, token, framed=True).peer.kinds, "it is worth as much as before"


def test_a_session_that_can_not_be_kept_is_told_and_the_user_is_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts_at(tmp_path, "ann").settings.read_server_id()
    service = Auth(login_at(tmp_path))
    fill_disk_of_sessions(monkeypatch)
    peer = ScriptedPeer("ann", PASSWORD, "logout")
    peer.hello = make_message("hello")
    heard = Talk(service, peer)
    assert heard.peer.kinds == ["ask", "ask", "welcome"]
    assert heard.events == ["login_succeeded", "session_unkept", "logged_out"]
    assert "No space left" in heard.sink.events[1].text


def test_commands(tmp_path: Path) -> None:
    accounts_at(tmp_path, "ann")
    token_in(talk(tmp_path, "ann", PASSWORD, framed=True))
    heard = talk(
        tmp_path, "ann", PASSWORD, "sessions", "", make_message("pong"), "HELP", "whoam", "x" * 40, "exit", "whoami"
    )
    kinds = heard.peer.kinds[3:]
    assert kinds == ["notice"] * (2 + len(COMMANDS)) + ["error"] * 2
    sessions = heard.peer.told[3:5]
    assert [one.fields["this"] for one in sessions] == [False, True]
    assert sessions[1].text.endswith("(this one)")
    assert "did you mean whoami?" in heard.peer.texts[-2]
    assert heard.peer.texts[-1] == "There is no such command: help shows those that there are."
    assert heard.peer.told[-1].get("code") == "unknown_command"


def test_logging_out_ends_the_session_and_leaving_doesnt(tmp_path: Path) -> None:
    accounts = accounts_at(tmp_path, "ann")
    kept = token_in(talk(tmp_path, "ann", PASSWORD, "exit", framed=True))
    assert len(accounts.list_sessions()) == 1
    heard = talk(tmp_path, make_message("resume", token=kept), "logout", "whoami", framed=True)
    assert heard.peer.kinds == ["ask", "token", "welcome"]
    assert heard.peer.reason is LOGGED_OUT
    assert isinstance(heard.sink.events[-1], LoggedOut)
    assert accounts.list_sessions() == []
    replayed = talk(tmp_path, make_message("resume", token=token_in(heard)), framed=True)
    assert replayed.shape == ["ask name", "error bad_token", "ask name"]


def test_logging_out_is_no_session_that_has_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    accounts_at(tmp_path, "ann")
    login = login_at(tmp_path)
    sessions = login.authenticator.accounts.sessions
    end = sessions.end

    def end_and_look(session_id: str) -> None:
        end(session_id)
        login.active_logins.look()  # as the accounts' thread may do at this moment

    monkeypatch.setattr(sessions, "end", end_and_look)
    heard = Talk(Auth(login), ScriptedPeer("ann", PASSWORD, "logout"))
    assert heard.peer.reason is LOGGED_OUT
    assert "session_ended" not in heard.events


def test_another_password_ends_all_sessions(tmp_path: Path) -> None:
    accounts = accounts_at(tmp_path, "ann")
    token = token_in(talk(tmp_path, "ann", PASSWORD, framed=True))
    heard = talk(tmp_path, "ann", PASSWORD, "passwd", PASSWORD, "qwertyuiop12", OTHER, OTHER, "whoami", framed=True)
    assert heard.shape[4:] == [
        "ask password",
        "ask password",
        "error bad_password",
        *["ask password"] * 2,
        "notice",
    ]
    assert all(one.fields["secret"] for one in heard.peer.told if one.kind == "ask" and one.get("field") == "password")
    assert heard.peer.reason is SESSION_ENDED
    assert isinstance(heard.sink.named("password_changed")[0], PasswordChanged)
    assert accounts.list_sessions() == []
    assert accounts.verify(accounts.users.get("ann"), OTHER)
    assert "error bad_token" in talk(tmp_path, make_message("resume", token=token), framed=True).shape


def test_another_password_that_does_not_come_about(tmp_path: Path) -> None:
    accounts = accounts_at(tmp_path, "ann")
    heard = talk(
        tmp_path,
        *("ann", PASSWORD),
        *("passwd", OTHER),
        *("passwd", PASSWORD, OTHER, f"{OTHER} x"),
        *("passwd", PASSWORD, OTHER, lambda: Accounts(tmp_path).set_password("ann", f"{OTHER} y"), OTHER),
        "whoami",
    )
    codes = [one.get("code") for one in heard.peer.told if one.kind == "error"]
    assert codes[:2] == ["login_failed", "bad_password"]
    if heard.peer.reason is not SESSION_ENDED:  # the accounts' thread has noticed it before
        assert codes[2:] == ["changed"]
    assert accounts.verify(accounts.users.get("ann"), f"{OTHER} y")


def ending(peer: ScriptedPeer, change: Callable[[], object]) -> Callable[[], None]:
    """Return a step that makes a change, and waits until the connection is asked to close for it."""

    def step() -> None:
        change()
        wait_until(lambda: peer.reason is SESSION_ENDED)

    return step


@pytest.mark.parametrize("change", ["disable", "remove", "revoke"])
def test_what_was_sent_ahead_of_the_end_of_a_login_is_not_carried_out(tmp_path: Path, change: str) -> None:
    accounts = accounts_at(tmp_path, "ann")
    changes: dict[str, Callable[[], object]] = {
        "disable": lambda: accounts.disable("ann"),
        "remove": lambda: accounts.remove("ann"),
        "revoke": lambda: accounts.sessions.end_all("ann"),
    }
    peer = ScriptedPeer("ann", PASSWORD, "whoami")
    peer.script(ending(peer, changes[change]), *["whoami"] * 100, "logout")
    heard = Talk(Auth(login_at(tmp_path)), peer)
    assert heard.peer.kinds == ["ask", "ask", "welcome", "notice"]
    assert heard.peer.reason is SESSION_ENDED
    assert heard.events == ["login_succeeded", "session_ended"]


def test_a_password_isnt_changed_for_a_login_that_has_ended_meanwhile(tmp_path: Path) -> None:
    accounts = accounts_at(tmp_path, "ann")
    peer = ScriptedPeer("ann", PASSWORD, "passwd", PASSWORD, OTHER)
    peer.script(ending(peer, lambda: accounts.sessions.end_all("ann")), OTHER)
    heard = Talk(Auth(login_at(tmp_path)), peer)
    assert accounts.verify(accounts.users.get("ann"), PASSWORD)
    assert "password_changed" not in heard.events


def test_a_device_that_shows_a_token_that_is_over_is_not_throttled_with_its_network(tmp_path: Path) -> None:
    accounts = accounts_at(tmp_path, "ann", "bob")
    token = make_message("resume", token=token_in(talk(tmp_path, "ann", PASSWORD, framed=True)))
    accounts.sessions.end_all("ann")
    service = Auth(
        LoginConversation(tmp_path, queue=HashQueue(slots=2, throttle=LocalThrottle(lambda: 1000.0)), floor_s=0.001)
    )
    journal = Journal(MemorySink(), service="auth")
    service.start(journal)

    def heard(*steps: str | Message) -> list[str]:
        peer = ScriptedPeer(*steps, address="203.0.113.9")
        with contextlib.suppress(PeerGoneError):
            service.converse(peer)
        service.left(peer, DisconnectReason.CLIENT_CLOSED)
        return [f"{one.kind} {one.get('code')}".strip() for one in peer.told if one.kind != "ask"]

    try:
        assert heard(*["bob", OTHER] * 3) == ["error login_failed"] * 3
        assert heard("ann", PASSWORD) == ["error throttled"]
        assert heard(token, "bob", PASSWORD) == ["error bad_token", "error throttled"]
        assert heard(token, "ann", OTHER, "ann", PASSWORD) == ["error bad_token", "error login_failed", "welcome"]
    finally:
        service.stop()
        journal.close()


def test_signing_up(tmp_path: Path) -> None:
    accounts = accounts_at(tmp_path, "ann")
    heard = talk(tmp_path, "Zoe", "short", OTHER, OTHER, "whoami", signup=True, framed=True)
    assert heard.shape == [
        "ask name",
        "notice",
        "ask password",
        "error bad_password",
        "ask password",
        "ask password",
        "token",
        "welcome",
        "notice",
    ]
    assert isinstance(heard.sink.named("user_signed_up")[0], UserSignedUp)
    assert accounts.verify(accounts.users.get("zoe"), OTHER)
    assert talk(tmp_path, "ann", PASSWORD, signup=True).peer.kinds == ["ask", "ask", "welcome"]


def test_signing_up_without_success(tmp_path: Path) -> None:
    accounts = accounts_at(tmp_path, "ann")
    heard = talk(tmp_path, "a b", "root", "zoe", OTHER, "something else", signup=True)
    assert [one.get("code") for one in heard.peer.told if one.kind == "error"] == [
        "bad_name",
        "bad_name",
        "bad_password",
    ]
    assert heard.peer.reason is DisconnectReason.TOO_MANY_TRIES
    taken = talk(tmp_path, "zoe", OTHER, lambda: Accounts(tmp_path).add("zoe", PASSWORD), OTHER, signup=True)
    assert "error name_taken" in taken.shape
    assert len(accounts.users.list_all()) == 2
    assert talk(tmp_path, "carl", PASSWORD).shape[-2:] == ["error login_failed", "ask name"], "only where it is allowed"


def test_beyond_the_limit_of_sign_ups_a_new_name_is_like_any_other(tmp_path: Path) -> None:
    accounts = accounts_at(tmp_path, "ann")
    login = login_at(tmp_path, signup=True)
    while login.authenticator.count_signup("192.0.2.7"):
        pass
    heard = Talk(Auth(login), ScriptedPeer("zoe", OTHER, "ann", OTHER, "ann", PASSWORD))
    assert heard.shape == ["ask name", "ask password", "error login_failed"] * 2 + [
        "ask name",
        "ask password",
        "welcome",
    ]
    assert heard.peer.texts[2] == heard.peer.texts[5]
    assert "too many have signed up from your address" in heard.peer.texts[0]
    assert len(accounts.users.list_all()) == 1


def test_beyond_the_limit_of_sign_ups_nobody_learns_who_was_a_user(tmp_path: Path) -> None:
    accounts = accounts_at(tmp_path, "ann", "bob")
    accounts.remove("ann")
    login = login_at(tmp_path, signup=True)
    while login.authenticator.count_signup("192.0.2.7"):
        pass
    heard = Talk(Auth(login), ScriptedPeer("ann", OTHER, "bob", OTHER))
    assert heard.shape == ["ask name", "ask password", "error login_failed"] * 2 + ["ask name"]


# Through sockets.


@contextlib.contextmanager
def served(data_dir: Path, *, signup: bool = False, login_s: float = LOGIN_S) -> Iterator[Running]:
    with running(Auth(login_at(data_dir, signup=signup, login_s=login_s))) as run:
        yield run


def logged_in(client: FrameClient, name: str = "ann", password: str = PASSWORD) -> str:
    client.expect("ask", field="name", secret=False)
    client.send(kind="answer", field="name", text=name)
    client.expect("ask", field="password", secret=True)
    client.send(kind="answer", field="password", text=password)
    token: str = client.expect("token")["token"]
    client.expect("welcome", user=name)
    return token


def test_frames_and_lines_through_sockets(tmp_path: Path) -> None:
    accounts_at(tmp_path, "ann")
    with served(tmp_path) as run:
        with frame_client(run.port) as client:
            token = logged_in(client)
            client.line("whoami")
            client.expect("notice", user="ann")
            client.line("exit")
            client.expect("bye", reason="server_closed")
        with frame_client(run.port) as client:
            client.send(kind="resume", token=token)
            client.expect("ask", field="name")
            assert client.expect("token")["token"] != token
            client.expect("welcome", user="ann")
        with run.client() as sock:
            send_and_half_close(sock, f"ann\n{PASSWORD}\nwhoami\n".encode())
            text = receive_all(sock).decode()
    assert text.splitlines()[:4] == ["sockctl/1 auth", "Your name:", "Password:", text.splitlines()[3]]
    assert "Welcome, ann!" in text
    assert "You are ann, here from 127.0.0.1" in text
    assert "token" not in text


def test_what_is_sent_ahead_of_a_wrong_password_is_no_command_and_no_guess(tmp_path: Path) -> None:
    accounts_at(tmp_path, "ann")
    with served(tmp_path) as run, run.client() as sock:
        send_and_half_close(sock, f"ann\n{OTHER}\nann\n{PASSWORD}\nwhoami\n".encode())
        lines = receive_all(sock).decode().splitlines()
        assert lines[3].startswith("The name or the password is wrong")
        assert lines[4:] == ["3 lines were sent ahead of an answer that failed: discarded.", "Your name:"]


@pytest.mark.parametrize("change", ["password", "disable", "remove", "revoke"])
@pytest.mark.parametrize("wire", ["frames", "lines"])
def test_a_change_by_another_process_ends_a_connection_within_two_seconds(
    tmp_path: Path, change: str, wire: str
) -> None:
    accounts = accounts_at(tmp_path, "ann", "bob")
    with served(tmp_path) as run, contextlib.ExitStack() as stack:
        other = stack.enter_context(frame_client(run.port))
        logged_in(other, "bob")
        if wire == "frames":
            client = stack.enter_context(frame_client(run.port))
            logged_in(client)
        else:
            sock = stack.enter_context(run.client())
            sock.sendall(f"ann\n{PASSWORD}\n".encode())
        run.sink.wait_for("login_succeeded", 2)
        began = time.monotonic()
        match change:
            case "password":
                accounts.set_password("ann", OTHER)
            case "disable":
                accounts.disable("ann")
            case "remove":
                accounts.remove("ann")
            case "revoke":
                accounts.sessions.end_all("ann")
        if wire == "frames":
            client.expect("bye", reason="session_ended")
            assert client.rest() == []
        else:
            assert receive_all(sock).endswith(b"Your session has ended: log in again. Goodbye!\r\n")
        assert time.monotonic() - began < TIMEOUT_S
        ended = run.sink.wait_for("client_disconnected")
        assert [event.reason for event in ended] == [SESSION_ENDED]
        assert isinstance(run.sink.named("session_ended")[0], SessionEnded)
        other.line("whoami")
        other.expect("notice", user="bob")


def test_commands_that_wait_for_a_client_that_does_not_read_end_with_its_login(tmp_path: Path) -> None:
    accounts = accounts_at(tmp_path, "ann")
    with served(tmp_path) as run, socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.settimeout(TIMEOUT_S)
        sock.connect((run.host, run.port))
        sock.sendall(f"ann\n{PASSWORD}\n".encode())
        run.sink.wait_for("login_succeeded")
        # All in one read of the server's; the answers to the first part are more than the kernel takes.
        sock.sendall(b"help\n" * 11_000 + f"passwd\n{PASSWORD}\n{OTHER}\n{OTHER}\n".encode())
        accounts.sessions.end_all("ann")
        run.sink.wait_for("session_ended")
        with contextlib.suppress(ConnectionError):
            receive_all(sock)
        run.sink.wait_for("client_disconnected")
        assert not run.sink.named("password_changed")
    assert accounts.verify(accounts.users.get("ann"), PASSWORD)


def test_a_new_user_gets_in_while_the_server_runs(tmp_path: Path) -> None:
    accounts = accounts_at(tmp_path)
    with served(tmp_path) as run, frame_client(run.port) as client:
        accounts.add("ann", PASSWORD)
        logged_in(client)


def test_spoiled_files_keep_nobody_out_and_are_told_once(tmp_path: Path) -> None:
    accounts_at(tmp_path, "ann")
    with served(tmp_path) as run, frame_client(run.port) as first:
        logged_in(first)
        (tmp_path / "users.json").write_text("{")
        with frame_client(run.port) as client:
            logged_in(client)
        run.sink.wait_for("accounts_unreadable")
        time.sleep(1.2)  # two looks of the accounts' thread
        assert len(run.sink.named("accounts_unreadable")) == 1
        first.line("whoami")
        first.expect("notice", user="ann")


def test_a_command_right_after_a_failure_is_heard(tmp_path: Path) -> None:
    accounts_at(tmp_path, "ann")
    login = LoginConversation(tmp_path, queue=HashQueue(slots=2, throttle=LocalThrottle(lambda: 0.0)), floor_s=0.001)
    with running(Auth(login)) as run, frame_client(run.port) as client:
        logged_in(client)
        for number in range(50):
            client.line("passwd")
            client.expect("ask", field="password")
            client.line(OTHER)
            client.expect("error", code="login_failed" if number < 5 else "throttled")
        client.line("passwd")
        client.expect("ask", field="password")


@pytest.mark.parametrize("file", ["users.json", "settings.json"])
def test_a_token_lets_in_while_a_file_is_spoiled(tmp_path: Path, file: str) -> None:
    accounts_at(tmp_path, "ann")
    with served(tmp_path) as run:
        with frame_client(run.port) as client:
            token = logged_in(client)
        with frame_client(run.port) as client:
            client.send(kind="resume", token=token)
            client.expect("ask")
            token = client.expect("token")["token"]
        (tmp_path / file).write_text("{")
        with frame_client(run.port) as client:
            client.send(kind="resume", token=token)
            client.expect("ask")
            client.expect("token")
            client.expect("welcome", user="ann")
        run.sink.wait_for("accounts_unreadable")


def test_who_takes_too_long_to_log_in(tmp_path: Path) -> None:
    accounts_at(tmp_path, "ann")
    with served(tmp_path, login_s=3.0) as run, frame_client(run.port) as quick:
        logged_in(quick)
        with frame_client(run.port) as slow, run.client() as sock:
            sock.sendall(b"ann\n")
            slow.expect("ask")
            slow.send(kind="answer", field="name", text="ann")
            slow.expect("ask", field="password")
            slow.sock.sendall(b"\0\0")  # a frame that has begun doesn't lengthen it
            slow.expect("bye", reason="login_timeout")
            assert receive_all(sock).endswith(b"You took too long to log in. Goodbye!\r\n")
        quick.line("whoami")  # longer ago than a login may take, it has come
        quick.expect("notice")
        quick.line("exit")
        reasons = [event.reason for event in run.sink.wait_for("client_disconnected", 3)]
        assert reasons.count(DisconnectReason.LOGIN_TIMEOUT) == 2


def test_who_floods_has_no_longer_to_log_in(tmp_path: Path) -> None:
    accounts_at(tmp_path, "ann")
    pongs = framed(kind="pong") * 2000
    with served(tmp_path, login_s=0.5) as run, frame_client(run.port) as client:
        began = time.monotonic()
        with contextlib.suppress(OSError):  # the end comes while it sends
            while time.monotonic() - began < TIMEOUT_S:
                client.sock.sendall(pongs)
        (ended,) = run.sink.wait_for("client_disconnected")
        assert ended.reason is DisconnectReason.LOGIN_TIMEOUT
        assert time.monotonic() - began < TIMEOUT_S


def test_nobody_needs_more_than_4_kib_to_log_in(tmp_path: Path) -> None:
    accounts_at(tmp_path, "ann")
    with served(tmp_path) as run:
        with frame_client(run.port) as client:
            client.expect("ask")
            client.line("x" * 5000)
            client.expect("error", code="too_large")
        with frame_client(run.port) as client:
            logged_in(client)
            client.line("x" * 5000)
            client.expect("error", code="unknown_command")


def test_the_stop_reaches_those_who_log_in_and_those_who_are_in(tmp_path: Path) -> None:
    accounts_at(tmp_path, "ann")
    with served(tmp_path) as run, frame_client(run.port) as inside, frame_client(run.port) as outside:
        logged_in(inside)
        outside.expect("ask")
        assert run.stop()
        for client in (inside, outside):
            client.expect("bye", reason="server_stopping")
            assert client.rest() == []


def test_no_secret_reaches_an_event(tmp_path: Path) -> None:
    accounts_at(tmp_path, "ann")
    with served(tmp_path, signup=True) as run:
        with frame_client(run.port) as client:
            token = logged_in(client)
            client.line(PASSWORD)  # by mistake
            client.expect("error", code="unknown_command")
        for name, password in (("ann", OTHER), (PASSWORD, PASSWORD)):
            with run.client() as sock, contextlib.suppress(OSError):
                send_and_half_close(sock, f"{name}\n{password}\n".encode())
                answered = receive_all(sock).decode()
                assert PASSWORD not in answered.replace(f"{PASSWORD!r} is not a name", "")
                assert OTHER not in answered
        with frame_client(run.port) as client:
            client.send(kind="resume", token=token)
            client.expect("ask")
            token += str(client.expect("token")["token"])
        run.sink.wait_for("client_disconnected", 4)
        told = "".join(f"{event!r} {event.text} {event.fields}" for event in run.sink.events)
    for secret in (PASSWORD, OTHER, *token.split(".")[1::2]):
        assert secret not in told


def test_junk_hurts_nobody(tmp_path: Path) -> None:
    accounts_at(tmp_path, "ann")
    with served(tmp_path) as run:
        for junk in (
            b'\0\0\0\5{"a"}',
            b"\xff\xfe\n",
            b"GET / HTTP/1.1\r\n\r\n",
            b"\x16\x03\x01",
            b"\0\0\0\2[]",
            b"\n" * 50,
        ):
            with run.client() as sock, contextlib.suppress(ConnectionError):
                send_and_half_close(sock, junk)
                receive_all(sock)
        for fields in (
            {"kind": "resume"},
            {"kind": "resume", "token": 5},
            {"kind": "resume", "token": ["x"]},
            {"kind": "answer", "field": "name"},
            {"kind": "answer", "field": 7, "text": "ann"},
        ):
            with frame_client(run.port) as client:
                client.send(**fields)
                client.sock.shutdown(socket.SHUT_WR)
                assert all("Traceback" not in str(told) for told in client.rest())
        with frame_client(run.port) as client:
            logged_in(client)
        assert not run.sink.named("service_failed")


def test_a_message_hides_its_text() -> None:
    assert PASSWORD not in repr(Message({"kind": "answer", "text": PASSWORD}))
