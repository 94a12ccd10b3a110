"""Services under TLS, spoken to by Python's own TLS: every byte, both ways at once, half-closed, cut and refused."""

import contextlib
import os
import random
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from sockctl.events.reasons import DisconnectReason
from sockctl.net.kernel_queues import count_unread_bytes
from sockctl.net.limits import Limits, Timeouts
from sockctl.net.peer import Peer
from sockctl.net.raw_peer import RawPeer
from sockctl.net.service import Conversation, MessageService, RawService
from sockctl.net.tls import READ_BYTES, TlsSocket
from sockctl.net.transport import Transport, TransportError
from sockctl.protocol.frames import encode_frame
from sockctl.protocol.messages import encode_message, make_message
from sockctl.services.echo import Echo
from tests.support.frames import FrameClient
from tests.support.message_services import Doorman, Greeter, Parrot, reason_of
from tests.support.running import LINGER_S, TIMEOUT_S, Running, receive_all, receive_exactly, running, wait_until
from tests.support.tls import blind_context, securing, self_signed, tls_client
from tests.support.two_hosts import on_every_network, server_address

Files = tuple[Path, Path]
SECONDS = float(os.environ.get("SOCKCTL_SOAK_SECONDS", "1"))
"""How long many clients talk at once."""
MANY = Limits(max_clients=200, max_clients_per_address=200, max_pending=200)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return self_signed(tmp_path_factory.mktemp("tls"))


def our_client(port: int) -> TlsSocket:
    """Connect with our own TLS, and do the handshake."""
    return securely(socket.create_connection((server_address(), port), TIMEOUT_S))


def securely(plain: socket.socket) -> TlsSocket:
    """Do the handshake of our own TLS."""
    tls = TlsSocket(plain, blind_context(), server_side=False, server_hostname="localhost")
    wait_until(lambda: not tls.shake_hands())
    return tls


def receive_from(tls: TlsSocket) -> bytes:
    """Receive once, waiting."""
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        try:
            return tls.recv(65_536)
        except BlockingIOError:
            assert time.monotonic() < deadline
            time.sleep(0.001)


@on_every_network
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_echo(files: Files, version: ssl.TLSVersion) -> None:
    context = blind_context()
    context.minimum_version = context.maximum_version = version
    data = random.Random(1).randbytes(3_000_000)
    with running(Echo(), secure=securing(files)) as run, tls_client(run.port, context=context) as sock:
        sock.sendall(data[:60_000])  # in one thread: Python's own TLS object must not be shared
        assert receive_exactly(sock, 60_000) == data[:60_000]
        for start in range(60_000, 300_000, 10_000):
            sock.sendall(data[start : start + 10_000])
            assert receive_exactly(sock, 10_000) == data[start : start + 10_000]
        established = run.sink.wait_for("tls_established")[0]
        assert established.version == version.name.replace("v1_", "v1.")
        sock.unwrap()
    assert reason_of(run) is DisconnectReason.CLIENT_CLOSED
    ended = run.sink.named("client_disconnected")[0]
    assert ended.bytes_in == ended.bytes_out == 300_000, "plain bytes are what counts"


def test_the_data_that_comes_with_the_handshake(files: Files) -> None:
    """What a client sends directly behind its handshake is inside the TLS object before anybody waits for it."""
    for service in (Echo(), Doorman()):
        with running(service, secure=securing(files)) as run, tls_client(run.port) as sock:
            sock.sendall(b"ann\nxyz\n")
            if isinstance(service, Echo):
                assert receive_exactly(sock, 8) == b"ann\nxyz\n"
            else:
                assert receive_all(sock).endswith(b"Hello, ann.\r\nGoodbye!\r\n")


def test_little_is_taken_at_once_of_tiny_records(files: Files) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        theirs = socket.create_connection(listener.getsockname())
        ours, _ = listener.accept()
    theirs.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with securing(files)(ours) as server, TlsSocket(theirs, blind_context(), server_side=False) as client:
        while client.shake_hands() | server.shake_hands():
            pass
        for _ in range(6_000):
            client.send(b"x")
        wait_until(lambda: count_unread_bytes(ours.fileno()) > READ_BYTES)
        taken = counts_of(server, 6_000)
        assert taken[0] > 1_000, "until then they might be a part of a record"
        assert max(taken[2:]) < 100
        for _ in range(20):
            client.send(bytes(16_384))
            counts_of(server, 16_384)
        client.send(bytes(32_768))
        assert len(counts_of(server, 32_768)) <= 3, "it sends much at once again"


class Recorded(socket.socket):
    """A socket that notes how many bytes each recv() asks for."""

    asked: list[int]

    def recv(self, size: int, flags: int = 0) -> bytes:
        self.asked.append(size)
        return super().recv(size, flags)


def test_a_small_read_takes_records_in_parts(files: Files) -> None:
    ours, theirs = socket.socketpair()
    recorded = Recorded(fileno=ours.detach())
    recorded.asked = []
    with securing(files)(recorded) as server, TlsSocket(theirs, blind_context(), server_side=False) as client:
        server.read_bytes = 1_000
        while client.shake_hands() | server.shake_hands():
            pass
        client.send(bytes(20_000))
        assert counts_of(server, 20_000) == [16_384, 3_616], "a record is decrypted when its last byte has come"
    assert set(recorded.asked) == {1_000}
    assert len(recorded.asked) > 20


def counts_of(transport: Transport, size: int) -> list[int]:
    """Receive so many bytes; return how many came at once each time."""
    buffer = bytearray(65_536)
    counts: list[int] = []
    deadline = time.monotonic() + TIMEOUT_S
    while sum(counts) < size:
        assert time.monotonic() < deadline
        with contextlib.suppress(BlockingIOError):
            counts.append(transport.recv_into(buffer))
    return counts


class Generous(RawService, Conversation[RawPeer]):
    """Gives a lot for the first byte, and then sends back what comes."""

    name: ClassVar[str] = "generous"
    does = "It gives."

    def converse(self, peer: RawPeer) -> None:
        peer.receive(1)
        for _ in range(16):
            peer.post(bytes(1_000_000))
        peer.watch()

    def received(self, peer: RawPeer, data: memoryview) -> None:
        peer.post(data)


@on_every_network
def test_what_came_with_the_handshake_is_read_after_a_long_answer(files: Files) -> None:
    with running(Generous(), secure=securing(files)) as run, tls_client(run.port) as sock:
        sock.sendall(b"1rest")
        run.sink.wait_for("reading_paused")
        for _ in range(16):
            assert receive_exactly(sock, 1_000_000) == bytes(1_000_000)
        assert receive_exactly(sock, 4) == b"rest"


def written_with_goodbye(sock: socket.socket, data: bytes) -> tuple[bytes, ssl.SSLObject, ssl.MemoryBIO]:
    """Shake hands; return `data` and a close_notify, encrypted, and what decrypts the answer."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = blind_context().wrap_bio(incoming, outgoing, server_hostname="localhost")
    while True:
        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            sock.sendall(outgoing.read())
            incoming.write(sock.recv(65_536))
        else:
            break
    tls.write(data)
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.unwrap()
    return outgoing.read(), tls, incoming


@on_every_network
@pytest.mark.parametrize("service", [Echo, Parrot], ids=["bytes", "messages"])
def test_a_goodbye_right_behind_the_data_ends_the_input_without_a_fin(
    files: Files, service: type[Echo | Parrot]
) -> None:
    """Go's tls.Conn.CloseWrite sends a close_notify, and leaves the socket as it is."""
    with running(service(), secure=securing(files)) as run, run.client() as sock:
        sent, _, _ = written_with_goodbye(sock, b"hello\n")
        sock.sendall(sent)
        assert receive_all(sock)
        assert reason_of(run) is DisconnectReason.CLIENT_CLOSED


@on_every_network
def test_half_close_of_an_echo(files: Files) -> None:
    data = random.Random(2).randbytes(2_000_000)
    got = bytearray()
    with running(Echo(), secure=securing(files)) as run:
        tls = our_client(run.port)
        sent = 0
        while sent < len(data):
            try:
                sent += tls.send(data[sent : sent + 100_000])
            except BlockingIOError:
                got += receive_from(tls)  # both directions are full: what came back makes room
        tls.shutdown(socket.SHUT_WR)
        while part := receive_from(tls):
            got += part
        assert bytes(got) == data
        assert not tls.cut
        tls.close()
        assert reason_of(run) is DisconnectReason.CLIENT_CLOSED


class Answering(MessageService, Conversation[Peer]):
    """Answers in turns, in a thread for each client."""

    name: ClassVar[str] = "parrot"
    does = "It answers."

    def converse(self, peer: Peer) -> None:
        peer.admit()  # it sends more than a stranger may
        while (one := peer.receive()) is not None:
            if one.kind == "line":
                peer.tell("say", one.text, sender="parrot")


class Talker:
    """One client that sends and receives for a while, both ways at once, and checks every byte.

    Args:
        port: The server's.
        seed: What makes it differ from the others.
        framed: Whether the server speaks in frames: then it says again, as `say`, each line.
    """

    def __init__(self, port: int, seed: int, *, framed: bool) -> None:
        self.received = 0
        data = random.Random(seed).randbytes(1 << 16)
        if framed:
            texts = [data[start : start + 500].hex() for start in range(0, len(data), 500)]
            self._out = b"".join(encode_frame(encode_message(make_message("line", text))) for text in texts)
            says = (make_message("say", text, sender="parrot") for text in texts)
            self._in = b"".join(encode_frame(encode_message(one)) for one in says)
        else:
            self._out = self._in = data
        self._waiting = encode_frame(encode_message(make_message("hello"))) if framed else b""
        self._framed = framed
        self._rounds = 0
        plain = socket.create_connection((server_address(), port), TIMEOUT_S)
        self.address = "{}:{}".format(*plain.getsockname())
        self.tls = securely(plain)

    def step(self, until: float) -> bool:
        """Send and receive what can be at once; return whether there is more to come."""
        due = self._rounds * len(self._in)
        may_begin = not self._rounds or time.monotonic() < until
        if not self._waiting and may_begin and self.received > due - 2 * len(self._in):
            self._waiting, self._rounds = self._out, self._rounds + 1
        with contextlib.suppress(BlockingIOError):
            if self._waiting:
                self._waiting = self._waiting[self.tls.send(self._waiting[:50_000]) :]
        with contextlib.suppress(BlockingIOError):
            self._check(self.tls.recv(65_536))
        return bool(self._waiting) or self.received < self._rounds * len(self._in) or time.monotonic() < until

    def _check(self, data: bytes) -> None:
        assert data, "the server has ended"
        if self._framed and not self.received:
            data = data[data.index(b"\0") :] if b"\0" in data else b""  # text from before the change to frames
        if self._framed and self.received == 0 and data[4:].startswith(b'{"kind":"welcome"'):
            size = 4 + int.from_bytes(data[:4])
            data = data[size:]
        start = self.received % len(self._in)
        assert data == (self._in[start:] + self._in)[: len(data)], f"other bytes at {self.received}"
        self.received += len(data)


@pytest.mark.slow
@pytest.mark.parametrize("service", [Echo, Parrot, Answering], ids=["bytes", "messages", "conversation"])
def test_fifty_clients_both_ways_at_once(files: Files, service: type[Echo | Parrot | Answering]) -> None:
    """One lock around each TLS object: no crash, no MAC error, every byte right."""
    patient = Timeouts(frame_s=60.0, linger_s=LINGER_S)  # fifty clients share one thread
    with running(service(), MANY, patient, secure=securing(files)) as run:
        talkers = [Talker(run.port, seed, framed=service is not Echo) for seed in range(50)]
        until = time.monotonic() + SECONDS
        while sum(talker.step(until) for talker in talkers):  # each of them, each time
            assert time.monotonic() < until + 60, "something did not come back"
        for talker in talkers:
            talker.tls.close()
        assert all(talker.received for talker in talkers)
        assert not run.sink.named("service_failed")
        wait_until(lambda: len(ends_of(run, talkers)) == 50)
        assert {one.reason for one in ends_of(run, talkers)} == {DisconnectReason.CLIENT_CLOSED}


def ends_of(run: Running, talkers: list[Talker]) -> list[Any]:
    """Return how the talkers' connections ended: a program that scans ports may have come, too."""
    own = {talker.address for talker in talkers}
    return [event for event in run.sink.named("client_disconnected") if event.peer in own]


def test_frames_and_lines(files: Files) -> None:
    with running(Parrot(), secure=securing(files)) as run, tls_client(run.port) as sock:
        client = FrameClient(sock)
        client.expect("welcome")
        client.line("one")
        client.expect("say", text="one")
        with tls_client(run.port) as other:
            other.sendall(b"two\n")
            other.sendall(b"three")
            said = b""
            while not said.endswith(b"<parrot> two\r\n"):
                said += other.recv(1000)
        client.send(kind="bye")
        assert client.receive() is None


def test_a_conversation_that_ends_before_the_wire_is_chosen(files: Files) -> None:
    patient = Timeouts(choice_s=TIMEOUT_S, linger_s=LINGER_S)
    with running(Greeter(), timeouts=patient, secure=securing(files)) as run, tls_client(run.port) as sock:
        time.sleep(0.2)
        FrameClient(sock).expect("welcome")


def test_a_conversation_that_goes_on_by_reacting(files: Files) -> None:
    service = Doorman()
    with running(service, secure=securing(files)) as run, tls_client(run.port) as sock:
        sock.sendall(b"stay\nxyz\none\ntwo\n")
        said = b""
        while not said.endswith(b"ONE\r\nTWO\r\n"):
            said += sock.recv(1000)


def test_a_cut_in_the_middle_of_a_frame(files: Files) -> None:
    with running(Parrot(), secure=securing(files)) as run:
        with socket.create_connection(("127.0.0.1", run.port), TIMEOUT_S) as plain:
            tls = TlsSocket(plain, blind_context(), server_side=False, server_hostname="localhost")
            wait_until(lambda: not tls.shake_hands())
            tls.send(b"\0\0\0\x10half")
            plain.shutdown(socket.SHUT_WR)  # no close_notify
            wait_until(lambda: bool(run.sink.named("client_disconnected")))
        assert reason_of(run) is DisconnectReason.PROTOCOL_ERROR
        assert run.sink.named("protocol_broken")[0].code == "truncated"


def test_a_cut_is_noticed_by_the_client(files: Files) -> None:
    near, far = socket.socketpair()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    server = TlsSocket(far, context, server_side=True)
    client = TlsSocket(near, blind_context(), server_side=False)
    wait_until(lambda: (client.shake_hands(), server.shake_hands()) == (0, 0))
    server.send(b"last words")
    far.shutdown(socket.SHUT_WR)
    assert receive_from(client) == b"last words"
    assert receive_from(client) == b""
    assert client.cut
    client.close()
    server.close()


def test_garbage_in_the_middle(files: Files) -> None:
    with running(Echo(), secure=securing(files)) as run:
        with socket.create_connection(("127.0.0.1", run.port), TIMEOUT_S) as plain:
            tls = TlsSocket(plain, blind_context(), server_side=False, server_hostname="localhost")
            wait_until(lambda: not tls.shake_hands())
            tls.send(b"x")
            assert receive_from(tls) == b"x"
            plain.send(b"this is no record at all, and there is enough of it to be read as one")
            wait_until(lambda: bool(run.sink.named("client_disconnected")))
        assert reason_of(run) is DisconnectReason.TLS_ERROR


def test_plain_text_to_a_tls_port(files: Files) -> None:
    with running(Echo(), secure=securing(files)) as run, run.client() as sock:
        sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert receive_all(sock)[:2] == b"\x15\x03", "an alert"
        assert reason_of(run) is DisconnectReason.TLS_ERROR
        assert "HTTP, not TLS" in run.sink.wait_for("tls_failed")[0].text


def test_tls_to_a_plain_message_service() -> None:
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = blind_context().wrap_bio(to_client, to_server)
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    with running(Parrot()) as run:
        with run.client() as sock:
            sock.sendall(to_server.read())
            to_client.write(receive_all(sock))  # to its end: who closes before that resets, and may come first
        with pytest.raises(ssl.SSLError, match="WRONG_VERSION_NUMBER"):
            tls.do_handshake()
        assert reason_of(run) is DisconnectReason.TLS_ERROR
        assert run.sink.wait_for("protocol_broken")[0].code == "tls"


class Late(Parrot):
    """Welcomes when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = threading.Event()

    def joined(self, peer: Peer) -> None:
        assert self.go_on.wait(TIMEOUT_S)
        super().joined(peer)


def test_tls_to_a_plain_message_service_and_gone_before_the_welcome() -> None:
    service = Late()
    with running(service) as run:
        with pytest.raises(ssl.SSLError, match="WRONG_VERSION_NUMBER"), tls_client(run.port):
            pass  # the greeting is no TLS: it closes without having read all, and so resets
        service.go_on.set()
        assert reason_of(run) is DisconnectReason.TLS_ERROR
        assert run.sink.wait_for("protocol_broken")[0].code == "tls"


def test_silent_clients_delay_nobody(files: Files) -> None:
    limits = Limits(max_clients=200, max_clients_per_address=200, max_pending=100)
    with running(Echo(), limits, Timeouts(handshake_s=60), secure=securing(files)) as run, silent_clients(run, 50):
        with tls_client(run.port) as sock:
            sock.sendall(b"x")
            assert receive_exactly(sock, 1) == b"x"
        assert not run.sink.named("tls_failed")


def test_silent_clients_are_put_out_all_at_once(files: Files) -> None:
    limits = Limits(max_clients=200, max_clients_per_address=200, max_pending=100)
    with running(Echo(), limits, Timeouts(handshake_s=1), secure=securing(files)) as run, silent_clients(run, 50):
        started = time.monotonic()
        run.sink.wait_for("tls_failed", 50)
        assert time.monotonic() - started < TIMEOUT_S, "one after the other takes 50 s"


@contextlib.contextmanager
def silent_clients(run: Running, count: int) -> Iterator[None]:
    """Connect so many clients that don't begin their handshake."""
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            stack.enter_context(run.client())
        run.sink.wait_for("client_connected", count)
        yield


@pytest.mark.parametrize("service", [Echo(), Parrot()], ids=["bytes", "messages"])
def test_who_has_not_done_the_handshake_has_not_come_in(files: Files, service: Echo | Parrot) -> None:
    limits = Limits(max_pending=2)
    with running(service, limits, secure=securing(files)) as run:
        silent = [run.client(source="127.0.1.1") for _ in range(2)]
        run.sink.wait_for("client_connected", 2)
        with tls_client(run.port) as first:  # two are pending at the other address, none at this one
            assert silent[0].recv(1) == b""
            assert reason_of(run) is DisconnectReason.TOO_MANY_PENDING
            run.sink.wait_for("tls_established")
            first.sendall(b"ready?\n")
            heard = b""
            while b"ready?" not in heard:  # then it counts as pending no more
                heard += first.recv(100)
            with run.client(source="127.0.1.2") as another:
                another.sendall(b"?")
                run.sink.wait_for("client_connected", 4)
                first.sendall(b"x\n")
                assert first.recv(1)
        for one in silent:
            one.close()


def test_a_drip_does_not_stretch_the_handshake(files: Files) -> None:
    with running(Echo(), timeouts=Timeouts(handshake_s=0.5), secure=securing(files)) as run, run.client() as sock:
        started = time.monotonic()
        for byte in b"\x16\x03\x01\x02\x00\x01" + b"\0" * 200:
            try:
                sock.sendall(bytes([byte]))
            except OSError:
                break
            if run.sink.named("tls_failed"):
                break
            time.sleep(0.1)
        assert run.sink.wait_for("tls_failed")
        assert time.monotonic() - started < 15, "all bytes take 20 s"


def test_a_client_that_leaves_during_the_handshake(files: Files) -> None:
    service = Parrot()
    with running(service, secure=securing(files)) as run:
        run.client().close()
        assert reason_of(run) is DisconnectReason.TLS_ERROR
        assert service.gone == [], "who has never joined doesn't leave"


def test_a_stop_during_a_handshake(files: Files) -> None:
    with running(Echo(), timeouts=Timeouts(handshake_s=60), secure=securing(files)) as run, run.client():
        run.sink.wait_for("client_connected")
        started = time.monotonic()
        run.stop(60)
        assert time.monotonic() - started < TIMEOUT_S
    assert reason_of(run) is DisconnectReason.SERVER_STOPPING


def test_the_stop_answers_what_had_come(files: Files) -> None:
    with running(Echo(), secure=securing(files)) as run, tls_client(run.port) as sock:
        sock.sendall(b"a")
        assert receive_exactly(sock, 1) == b"a"
        sock.sendall(b"b" * 100_000)
        started = time.monotonic()
        stopper = threading.Thread(target=run.stop, args=(TIMEOUT_S,))
        stopper.start()
        got = b""
        while part := sock.recv(65_536):
            got += part
        sock.close()
        stopper.join(TIMEOUT_S)
        assert time.monotonic() - started < TIMEOUT_S / 2
        assert set(got) <= {ord("b")}


def test_client_certificates(files: Files, tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    own = self_signed(tmp_path, "client")
    context.load_verify_locations(own[0])
    context.verify_mode = ssl.CERT_REQUIRED
    with running(Echo(), secure=lambda sock: TlsSocket(sock, context, server_side=True)) as run:
        showing = blind_context()
        showing.load_cert_chain(*own)
        with tls_client(run.port, context=showing) as sock:
            sock.sendall(b"x")
            assert receive_exactly(sock, 1) == b"x"
        with tls_client(run.port) as sock, pytest.raises(ssl.SSLError, match="CERTIFICATE_REQUIRED"):
            sock.recv(1)
        assert "showed no certificate" in run.sink.wait_for("tls_failed")[0].text


def test_a_slow_reader_stops_itself(files: Files) -> None:
    """What the kernel doesn't take of a record waits, and is sent again unchanged, to the byte."""
    data = random.Random(5).randbytes(1 << 20) * 40
    with running(Echo(), secure=securing(files)) as run:
        tls = our_client(run.port)
        sent, stalls, got = 0, 0, bytearray()
        while stalls < 300:
            assert sent < len(data), "everything was taken: nothing has stopped"
            try:
                sent += tls.send(data[sent : sent + 65_536])
                stalls = 0
            except BlockingIOError:
                stalls += 1
                time.sleep(0.001)
        while len(got) < sent:
            got += receive_from(tls)
            if sent < len(data):
                try:
                    sent += tls.send(data[sent : sent + 65_536])
                except BlockingIOError:
                    continue
        assert bytes(got) == data[:sent]
        tls.close()


def test_errors_are_explained() -> None:
    near, far = socket.socketpair()
    with far:
        tls = TlsSocket(near, blind_context(), server_side=False)
        far.sendall(b"220 mail.example ESMTP\r\n")
        with pytest.raises(TransportError, match="does not speak TLS"):
            wait_until(lambda: not tls.shake_hands())
        tls.close()
