"""Identification: by script, in lines and frames, across restarts, and with many at once."""

import re
import threading
from pathlib import Path

import pytest

from sockctl.errors import PeerGoneError, StoreWriteError
from sockctl.events.journal import Journal
from sockctl.events.reasons import DisconnectReason
from sockctl.net.limits import Timeouts
from sockctl.services.identify import NAME_S, Identify
from sockctl.services.known_clients import KnownClient, KnownClients
from sockctl.services.login import LOGIN_S
from tests.support.frames import frame_client
from tests.support.running import LATE_CHOICE, TIMEOUT_S, MemorySink, receive_all, running, send_and_half_close
from tests.support.scripted_peer import ScriptedPeer


def converse(service: Identify, peer: ScriptedPeer) -> ScriptedPeer:
    journal = Journal(MemorySink(), service="identify")
    service.start(journal)
    try:
        service.converse(peer)
    except PeerGoneError:
        pass
    finally:
        journal.close()
    return peer


def test_asked_once_then_known(tmp_path: Path) -> None:
    service = Identify(KnownClients(tmp_path))
    first = converse(service, ScriptedPeer("ann"))
    assert first.kinds == ["ask", "welcome"]
    assert first.told[0].get("field") == "name"
    assert first.texts[1].startswith("Hello, ann!")
    assert first.admitted
    again = converse(Identify(KnownClients(tmp_path)), ScriptedPeer())
    assert again.kinds == ["welcome"]
    assert again.admitted
    assert re.match(r"Hello again, ann! You were last here (just now|\d+ seconds? ago), on 20", again.texts[0])
    assert again.told[0].get("name") == "ann"
    assert again.told[0].get("last_seen").endswith("Z")


def test_a_client_is_described_by_its_name(tmp_path: Path) -> None:
    service, peer = Identify(KnownClients(tmp_path)), ScriptedPeer("ann")
    assert service.describe_client(peer).name == ""
    for one in (peer, ScriptedPeer()):
        assert service.describe_client(converse(service, one)).name == "ann"


@pytest.mark.parametrize("name", ["", "a b", "-ann", "x" * 33, "Server", "ann\x1b[31m", "[/x]"])
def test_a_name_that_will_not_do_is_asked_again(tmp_path: Path, name: str) -> None:
    peer = converse(Identify(KnownClients(tmp_path)), ScriptedPeer(name, "ann"))
    if name == "ann\x1b[31m":  # the control is gone when it comes, and what is left is no name either
        assert "ann[31m" in peer.texts[1]
    assert peer.kinds == ["ask", "error", "ask", "welcome"]
    assert peer.told[1].get("code") == "bad_name"
    assert "\x1b" not in "".join(peer.texts)


def test_three_tries(tmp_path: Path) -> None:
    clients = KnownClients(tmp_path)
    clients.remember("192.0.2.1", "bob")
    peer = converse(Identify(clients), ScriptedPeer("a b", "BOB", "", "ann"))
    assert peer.kinds == ["ask", "error"] * 3
    assert [one.get("code") for one in peer.told[1::2]] == ["bad_name", "name_taken", "bad_name"]
    assert peer.reason is DisconnectReason.TOO_MANY_TRIES
    assert not peer.admitted
    assert clients.find(peer.address) is None


def test_a_network_of_many_addresses_takes_few_names(tmp_path: Path) -> None:
    service = Identify(KnownClients(tmp_path))
    peers = [ScriptedPeer(*[f"m{number}"] * 3, address=f"2001:db8::{number:x}") for number in range(31)]
    for peer in peers:
        converse(service, peer)
    assert [peer.admitted for peer in peers] == [True] * 30 + [False]
    assert peers[30].kinds == ["ask", "error"] * 3
    assert peers[30].told[1].get("code") == "too_many_new"
    assert converse(service, ScriptedPeer("ann", address="2001:db8:0:1::1")).admitted, "another network"
    assert converse(service, ScriptedPeer(address="2001:db8::1")).texts[0].startswith("Hello again, m1!")


def test_who_leaves_instead_of_answering(tmp_path: Path) -> None:
    peer = converse(Identify(KnownClients(tmp_path)), ScriptedPeer())
    assert peer.kinds == ["ask"]
    assert peer.reason is DisconnectReason.CLIENT_CLOSED


def test_nc_and_a_frame_client(tmp_path: Path) -> None:
    with running(Identify(KnownClients(tmp_path))) as run:
        with run.client(source="127.0.0.2") as sock:
            send_and_half_close(sock, b"ann\r\n")
            assert receive_all(sock).startswith(
                b"sockctl/1 identify\r\nI don't know you yet. What is your name?\r\nHello, ann!"
            )
        with frame_client(run.port, source="127.0.0.3") as client:
            client.expect("ask", field="name")
            client.send(kind="answer", field="name", text="ann")
            client.expect("error", code="name_taken")
            client.expect("ask", field="name")
            client.send(kind="answer", field="name", text="bob")
            client.expect("welcome", name="bob")
            client.expect("bye")
        known = run.sink.wait_for("client_identified", 2)
        assert [(event.who, event.known) for event in known] == [("ann", False), ("bob", False)]
    with (
        running(Identify(KnownClients(tmp_path)), timeouts=LATE_CHOICE) as run,
        frame_client(run.port, source="127.0.0.3") as client,
    ):
        client.expect("welcome", name="bob")


def test_a_client_that_does_not_give_its_name_is_out_in_time(tmp_path: Path) -> None:
    patient = Timeouts(linger_s=TIMEOUT_S)  # so that nothing is reset that a slow client sends
    with running(Identify(KnownClients(tmp_path), name_s=0.3), timeouts=patient) as run:
        with frame_client(run.port) as silent:
            silent.expect("ask", field="name")
            silent.expect("bye", reason="login_timeout")
        with run.client() as slow:
            slow.sendall(b"an")
            assert receive_all(slow).endswith(b"Goodbye!\r\n")
        ended = run.sink.wait_for("client_disconnected", 2)
        assert {one.reason for one in ended} == {DisconnectReason.LOGIN_TIMEOUT}


def test_a_name_may_take_as_long_as_a_login() -> None:
    assert NAME_S == LOGIN_S


def test_an_ipv4_client_on_an_ipv6_socket_is_the_same(tmp_path: Path) -> None:
    clients = KnownClients(tmp_path)
    clients.remember("127.0.0.1", "ann")
    with running(Identify(clients), host="::", timeouts=LATE_CHOICE) as run:
        run.host = "127.0.0.1"
        with frame_client(run.port) as client:
            client.expect("welcome", name="ann")


def test_fifty_at_once(tmp_path: Path) -> None:
    together = threading.Barrier(50)
    failures: list[str] = []

    def introduce(number: int) -> None:
        try:
            with frame_client(run.port, source=f"127.0.1.{number}") as client:
                client.expect("ask", field="name")
                together.wait(TIMEOUT_S)
                client.send(kind="answer", field="name", text=f"client{number}")
                client.expect("welcome", name=f"client{number}")
        except Exception as error:
            failures.append(f"{number}: {error!r}")
            raise

    with running(Identify(KnownClients(tmp_path))) as run:
        threads = [threading.Thread(target=introduce, args=(number,)) for number in range(1, 51)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(3 * TIMEOUT_S)
    assert not failures
    known = {one.address: one.name for one in KnownClients(tmp_path).list_all()}
    assert known == {f"127.0.1.{number}": f"client{number}" for number in range(1, 51)}


class OnFullDisk(KnownClients):
    """Can be read, but not written."""

    def remember(self, *_: object) -> KnownClient:
        raise StoreWriteError("clients.db can't be written: No space left on device.")

    def note_visit(self, *_: object) -> None:
        raise StoreWriteError("clients.db can't be written: No space left on device.")


def test_a_full_disk_is_told_and_excused(tmp_path: Path) -> None:
    with running(Identify(OnFullDisk(tmp_path))) as run, frame_client(run.port) as client:
        client.expect("ask")
        client.line("ann")
        client.expect("error", code="store_failed")
        client.expect("bye", reason="store_failed")
        assert "No space left" in run.sink.wait_for("store_failed")[0].text
        assert run.sink.wait_for("client_disconnected")[0].reason is DisconnectReason.STORE_FAILED


def test_who_is_known_is_greeted_even_on_a_full_disk(tmp_path: Path) -> None:
    KnownClients(tmp_path).remember("127.0.0.1", "ann")
    with running(Identify(OnFullDisk(tmp_path)), timeouts=LATE_CHOICE) as run, frame_client(run.port) as client:
        client.expect("welcome", name="ann")
        run.sink.wait_for("store_failed")


def test_a_file_that_was_spoiled_meanwhile(tmp_path: Path) -> None:
    with running(Identify(KnownClients(tmp_path)), timeouts=LATE_CHOICE) as run:
        (tmp_path / "clients.db").write_text("oops")
        with frame_client(run.port) as client:
            client.expect("error", code="store_failed")
        assert "clients.db is not a database" in run.sink.wait_for("store_failed")[0].text
    assert (tmp_path / "clients.db").read_text() == "oops"


def test_the_start_says_where_the_names_are_kept(tmp_path: Path) -> None:
    assert Identify(KnownClients(tmp_path)).does.endswith(f"It keeps the names in {tmp_path / 'clients.db'}.")


def test_a_name_in_ones_own_letters(tmp_path: Path) -> None:
    clients = KnownClients(tmp_path)
    clients.remember("192.0.2.1", "aca")
    peer = converse(Identify(clients), ScriptedPeer("\u0430\u0441\u0430", "an\u043d", "Jose\u0301"))
    assert "looks like aca, which is taken" in peer.texts[1]
    assert "mixes Latin and Cyrillic letters" in peer.texts[3]
    assert peer.texts[-1].startswith("Hello, Jos\u00e9!")
