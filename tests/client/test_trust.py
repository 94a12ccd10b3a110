"""Tests for `sockctl.client.trust`: who is asked, what is kept, and what is refused."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sockctl.client import trust
from sockctl.client.known_hosts import KnownHosts
from sockctl.client.trust import TlsPolicy, Trust
from sockctl.errors import SockctlError, UntrustedError
from sockctl.events.base import Event
from sockctl.net.address import Endpoint
from sockctl.net.fingerprints import read_fingerprint
from tests.support.running import TIMEOUT_S
from tests.support.tls import securing, self_signed

HERE = Endpoint("localhost", 9090)
OTHER = ":".join(["AB"] * 32)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return self_signed(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def policy(tmp_path: Path) -> TlsPolicy:
    return TlsPolicy(
        ca=None,
        system_authorities=False,
        fingerprint=None,
        accept_new=False,
        certificate=None,
        key=None,
        state_dir=tmp_path,
        may_ask=False,
    )


@contextlib.contextmanager
def served(files: tuple[Path, Path]) -> Iterator[socket.socket]:
    """Serve one handshake; yield the client's socket."""
    near, far = socket.socketpair()

    def serve() -> None:
        with securing(files)(far) as tls:
            tls.setblocking(True)
            with contextlib.suppress(OSError):
                while tls.shake_hands():
                    pass
                tls.recv(1)

    thread = threading.Thread(target=serve)
    thread.start()
    with near:
        yield near
    thread.join(TIMEOUT_S)


def secure(files: tuple[Path, Path], policy: TlsPolicy) -> list[Event]:
    """Return the events of a server that is trusted."""
    events: list[Event] = []
    with served(files) as sock, Trust(HERE, policy, events.append).secure(sock, TIMEOUT_S):
        pass
    return events


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Return a function that lets a person answer; it returns what the person sees."""

    def prepare(*answers: str | None) -> list[str]:
        seen: list[str] = []
        left = iter(answers)
        monkeypatch.setattr(trust, "read_line", lambda: next(left))
        monkeypatch.setattr(trust, "say", lambda text, **_: seen.append(text))
        return seen

    return prepare


def test_an_unknown_server_is_trusted_once(files: tuple[Path, Path], policy: TlsPolicy) -> None:
    fingerprint = read_fingerprint(files[0])
    first = secure(files, replace(policy, accept_new=True))
    assert [event.name for event in first] == ["host_trusted", "tls_established"]
    assert first[0].fields == {"host": "localhost:9090", "fingerprint": fingerprint, "asked": False}
    assert [event.name for event in secure(files, policy)] == ["tls_established"], "now it is known"


def test_nobody_can_be_asked(files: tuple[Path, Path], policy: TlsPolicy) -> None:
    with pytest.raises(
        UntrustedError, match=r"localhost:9090 is not known yet(?s:.*)--accept-new(?s:.*)Nothing was sent"
    ):
        secure(files, policy)
    assert KnownHosts(policy.state_dir).find("localhost", 9090) is None


def test_a_changed_certificate_is_refused_and_stays_known(files: tuple[Path, Path], policy: TlsPolicy) -> None:
    KnownHosts(policy.state_dir).trust("localhost", 9090, OTHER)
    with pytest.raises(UntrustedError, match="has CHANGED") as caught:
        secure(files, replace(policy, accept_new=True))
    assert OTHER in str(caught.value)
    assert read_fingerprint(files[0]) in str(caught.value)
    assert KnownHosts(policy.state_dir).find("localhost", 9090) == OTHER


def test_a_given_fingerprint_alone_counts(files: tuple[Path, Path], policy: TlsPolicy) -> None:
    KnownHosts(policy.state_dir).trust("localhost", 9090, OTHER)
    given = replace(policy, fingerprint=read_fingerprint(files[0]))
    assert [event.name for event in secure(files, given)] == ["tls_established"]
    with pytest.raises(UntrustedError, match="another one than --fingerprint says"):
        secure(files, replace(policy, fingerprint=OTHER, accept_new=True))


def test_who_has_authorities_keeps_nothing(files: tuple[Path, Path], policy: TlsPolicy) -> None:
    assert [event.name for event in secure(files, replace(policy, ca=files[0]))] == ["tls_established"]
    assert KnownHosts(policy.state_dir).list_all() == []


def test_a_person_answers_until_it_is_yes(
    files: tuple[Path, Path], policy: TlsPolicy, answer: Callable[..., list[str]]
) -> None:
    seen = answer("", "maybe", " YES ")
    events = secure(files, replace(policy, may_ask=True))
    assert events[0].fields["asked"] is True
    assert read_fingerprint(files[0]) in seen[0]
    assert seen.count("Please type yes or no.") == 2
    assert KnownHosts(policy.state_dir).find("localhost", 9090) == read_fingerprint(files[0])


@pytest.mark.parametrize("said", ["no", "N", None])
def test_a_person_may_refuse(
    files: tuple[Path, Path], policy: TlsPolicy, answer: Callable[..., list[str]], said: str | None
) -> None:
    answer(said)
    with pytest.raises(SockctlError, match="localhost:9090 is not trusted"):
        secure(files, replace(policy, may_ask=True))
    assert KnownHosts(policy.state_dir).list_all() == []


def test_authorities_that_do_not_vouch_for_a_public_name(files: tuple[Path, Path], policy: TlsPolicy) -> None:
    chosen = replace(policy, system_authorities=True)
    with pytest.raises(UntrustedError, match="is not to be trusted") as caught:
        secure(files, chosen)
    assert "public name" not in str(caught.value)
    with pytest.raises(UntrustedError, match=r"must vouch for a public name(?s:.*)give --fingerprint"):
        secure(files, replace(chosen, vouched=True))
