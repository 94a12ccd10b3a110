"""Services of messages on real sockets: the choice of the wire, questions, deadlines, errors, two ways to send."""

import contextlib
import socket
import threading
import time

import pytest

from sockctl.events.reasons import DisconnectReason, Reason, RefusalReason
from sockctl.net.kernel_queues import count_unacked_bytes
from sockctl.net.limits import Limits, Timeouts
from sockctl.net.peer import Peer
from sockctl.protocol.messages import make_message
from tests.support.frames import FrameClient, frame, frame_client, framed
from tests.support.message_services import Doorman, Parrot, is_in, reason_of
from tests.support.running import LINGER_S, TIMEOUT_S, receive_all, receive_exactly, running, wait_until

GREETING = b"sockctl/1 parrot\r\n"


def test_lines_from_the_first_byte() -> None:
    with running(Parrot()) as run, run.client() as sock:
        assert receive_exactly(sock, len(GREETING)) == GREETING
        assert receive_exactly(sock, 8) == b"Hello.\r\n"
        sock.sendall(b"one\ntwo\r\n")
        sock.shutdown(socket.SHUT_WR)
        receive_all(sock)
    assert reason_of(run) is DisconnectReason.CLIENT_CLOSED


def test_lines() -> None:
    service = Parrot()
    with running(service) as run, run.client() as sock:
        sock.sendall(b"one\ntwo\r\nno end")
        sock.shutdown(socket.SHUT_WR)
        assert receive_all(sock) == GREETING + b"Hello.\r\n<parrot> one\r\n<parrot> two\r\n<parrot> no end\r\n"
        assert reason_of(run) is DisconnectReason.CLIENT_CLOSED
        wait_until(lambda: service.gone == [DisconnectReason.CLIENT_CLOSED])


def test_frames_say_again_what_was_said_in_text() -> None:
    with running(Parrot()) as run, frame_client(run.port) as client:
        assert client.greeting == GREETING
        assert client.receive() == {"kind": "welcome", "text": "Hello."}
        client.line("one")
        assert client.receive() == {"kind": "say", "text": "one", "sender": "parrot"}
        client.sock.shutdown(socket.SHUT_WR)
        assert client.rest() == []


def test_a_client_may_send_ahead_of_the_greeting() -> None:
    with running(Parrot()) as run, run.client() as sock:
        sock.sendall(framed(kind="hello") + framed(kind="line", text="early"))
        client = FrameClient(sock, hello=False)
        client.expect("welcome")
        client.expect("say", text="early")


def test_the_choice_byte_by_byte() -> None:
    with running(Parrot()) as run, run.client() as sock:
        for byte in framed(kind="hello") + framed(kind="line", text="slow"):
            sock.sendall(bytes([byte]))
        client = FrameClient(sock, hello=False)
        client.expect("welcome")
        client.expect("say", text="slow")


def test_what_others_say_meanwhile_comes_once_and_in_frames_only() -> None:
    """Threads post while clients change to frames: no text may follow the first frame, and nothing may be missing."""
    service = Parrot()
    count = 300

    def talk(peer: Peer) -> None:
        for number in range(count):
            peer.post(make_message("say", f"{number}"))
            if number % 8 == 0:
                time.sleep(0.0002)  # so that the change falls into the middle

    with running(service) as run:
        for round_number in range(10):
            with run.client() as sock:
                wait_until(lambda number=round_number: len(service.peers) > number)  # type: ignore[misc]
                talker = threading.Thread(target=talk, args=(service.peers[-1],))
                talker.start()
                time.sleep(0.001 * round_number)
                client = FrameClient(sock)
                client.expect("welcome")
                assert [client.expect("say")["text"] for _ in range(count)] == [str(one) for one in range(count)]
                talker.join(TIMEOUT_S)


def test_too_much_said_makes_it_lines_and_a_late_hello_an_error() -> None:
    service = Parrot()
    service.welcome = "x" * 20_000
    with running(service) as run, run.client() as sock:
        receive_exactly(sock, len(GREETING) + 20_002)
        sock.sendall(framed(kind="hello") + b"\n")
        assert b"comes too late" in receive_all(sock)
        assert reason_of(run) is DisconnectReason.PROTOCOL_ERROR
        assert run.sink.wait_for("protocol_broken")[0].code == "late_hello"


def test_a_web_page_is_refused() -> None:
    service = Parrot()
    with running(service) as run, run.client() as sock:
        sock.sendall(b"POST /x HTTP/1.1\r\nHost: localhost\r\n\r\nhello\r\n")
        assert b"HTTP" in receive_all(sock)
        assert reason_of(run) is DisconnectReason.PROTOCOL_ERROR
        assert service.batches == []


BROKEN = {
    "too_large": b"\x00\x01\x00\x01",
    "bad_utf8": b"\x00\x00\x00\x01\xff",
    "bad_message": frame("[]"),
    "truncated": b"\x00\x00\x00\x09abc",
}


@pytest.mark.parametrize("service", [Parrot, Doorman], ids=["reaction", "conversation"])
@pytest.mark.parametrize("code", BROKEN)
def test_broken_frames(service: type[Parrot | Doorman], code: str) -> None:
    with running(service()) as run, frame_client(run.port) as client:
        client.receive()
        client.sock.sendall(BROKEN[code])
        if code == "truncated":
            client.sock.shutdown(socket.SHUT_WR)
        assert client.expect("error", code=code)["text"]
        assert client.receive() is None
        assert reason_of(run) is DisconnectReason.PROTOCOL_ERROR
        assert [event.code for event in run.sink.named("protocol_broken")] == [code]


@pytest.mark.parametrize("service", [Parrot, Doorman], ids=["reaction", "conversation"])
def test_broken_lines(service: type[Parrot | Doorman]) -> None:
    with running(service()) as run:
        for sent, said in ((b"x" * 70_000, b"are allowed"), (b"caf\xe9\n", b"not UTF-8"), (b"caf\xe9", b"not UTF-8")):
            with run.client() as sock:
                sock.sendall(sent)
                sock.shutdown(socket.SHUT_WR)
                assert said in receive_all(sock)
        run.sink.wait_for("client_disconnected", 3)
        assert {event.reason for event in run.sink.named("client_disconnected")} == {DisconnectReason.PROTOCOL_ERROR}


def test_good_messages_before_a_broken_one_count() -> None:
    with running(Parrot()) as run, frame_client(run.port) as client:
        client.expect("welcome")
        client.sock.sendall(framed(kind="line", text="good") + frame("[]") + framed(kind="line", text="never"))
        client.expect("say", text="good")
        client.expect("error", code="bad_message")
        assert client.receive() is None


@pytest.mark.parametrize("service", [Parrot, Doorman], ids=["reaction", "conversation"])
@pytest.mark.parametrize("drip", [False, True], ids=["half", "drip"])
def test_a_frame_has_a_deadline(service: type[Parrot | Doorman], drip: bool) -> None:
    with running(service(), timeouts=Timeouts(frame_s=0.5, linger_s=LINGER_S)) as run, frame_client(run.port) as client:
        client.receive()
        started = time.monotonic()
        client.sock.sendall(b"\x00\x00\x00\x50")
        end = threading.Event()

        def send_drops() -> None:
            while not end.wait(0.3):
                try:
                    client.sock.sendall(b"\x01")
                except OSError:
                    return

        dripper = threading.Thread(target=send_drops)
        if drip:
            dripper.start()
        assert client.expect("error", code="timeout")
        assert 0.4 < time.monotonic() - started < TIMEOUT_S, "all that drips takes 24 s"
        end.set()
        if drip:
            dripper.join(TIMEOUT_S)
        assert reason_of(run) is DisconnectReason.PROTOCOL_ERROR


@pytest.mark.parametrize("service", [Parrot, Doorman], ids=["reaction", "conversation"])
def test_lines_have_no_deadline_nor_have_frames_that_move_on(
    service: type[Parrot | Doorman],
) -> None:
    with running(service(), timeouts=Timeouts(frame_s=4.0)) as run:
        with run.client() as sock:
            for byte in b"stay\n":
                sock.sendall(bytes([byte]))
                time.sleep(0.9)
            sock.shutdown(socket.SHUT_WR)
            assert receive_all(sock).endswith(b"<parrot> stay\r\n" if service is Parrot else b"Secret?\r\n")
        pieces = b"".join(framed(kind="novelty", text="x" * 50) for _ in range(50))
        with frame_client(run.port) as client:
            client.receive()
            for start in range(0, len(pieces), 97):  # a frame is incomplete all the time, but never for long
                client.sock.sendall(pieces[start : start + 97])
                time.sleep(0.1)
            client.send(kind="bye")
            client.sock.shutdown(socket.SHUT_WR)
            assert "error" not in [one["kind"] for one in client.rest()]


def test_a_slow_reader_of_what_others_say_is_dropped() -> None:
    service = Parrot()
    with running(service) as run, frame_client(run.port) as client, frame_client(run.port) as other:
        client.expect("welcome")
        other.expect("welcome")
        text = "x" * 10_000
        posted, until = 0, time.monotonic() + TIMEOUT_S
        while not run.sink.named("slow_reader_dropped"):
            service.peers[0].post(make_message("say", text))
            posted += 1
            assert time.monotonic() < until
        other.line("still here")
        other.expect("say", text="still here")
        kinds = [one["kind"] for one in client.rest()]
        assert kinds[-1] == "error"
        assert 0 < kinds.count("say") < posted
        assert reason_of(run) is DisconnectReason.SLOW_READER
        assert len(run.sink.named("slow_reader_dropped")) == 1
        before = run.sink.named("slow_reader_dropped")
        service.peers[0].post(make_message("say", "too late"))
        assert run.sink.named("slow_reader_dropped") == before


def test_ones_own_replies_never_drop_a_client() -> None:
    """Who asks much and reads late is not read from meanwhile, and gets every answer."""
    with running(Parrot()) as run, frame_client(run.port) as client:
        client.expect("welcome")
        count, text = 3_000, "z" * 1_000

        def ask() -> None:
            for _ in range(count):
                client.line(text)

        asker = threading.Thread(target=ask)
        asker.start()
        time.sleep(0.3)  # both directions fill up
        for _ in range(count):
            client.expect("say", text=text)
        asker.join(TIMEOUT_S)
        assert not run.sink.named("slow_reader_dropped")


def test_a_frame_cut_by_the_servers_own_pause_is_not_late() -> None:
    """While a client isn't read from, the rest of its frame may wait in the kernel: that is not its fault."""
    timeouts = Timeouts(frame_s=4.0)  # the client's own threads may have to wait for each other, too
    with running(Parrot(), timeouts=timeouts) as run, frame_client(run.port) as client:
        client.expect("welcome")
        count, text = 500, "z" * 60_000

        def ask() -> None:
            for _ in range(count):
                client.line(text)

        asker = threading.Thread(target=ask)
        asker.start()
        time.sleep(5.0)  # longer than the deadline, in which nothing is read
        for _ in range(count):
            client.expect("say")
        asker.join(TIMEOUT_S)
        assert not run.sink.named("protocol_broken")


def test_the_client_says_goodbye() -> None:
    service = Parrot()
    with running(service) as run, frame_client(run.port) as client:
        client.expect("welcome")
        client.sock.sendall(framed(kind="line", text="last") + framed(kind="bye") + framed(kind="line", text="never"))
        client.expect("say", text="last")
        assert client.receive() is None
        assert reason_of(run) is DisconnectReason.CLIENT_EXIT
        wait_until(lambda: service.gone == [DisconnectReason.CLIENT_EXIT])


def test_the_service_closes() -> None:
    with running(Parrot()) as run, frame_client(run.port) as client:
        client.expect("welcome")
        client.line("close")
        client.expect("bye", reason="server_closed")
        assert client.receive() is None


def test_the_stop_says_goodbye_and_answers_what_had_come() -> None:
    with running(Parrot()) as run, frame_client(run.port) as client, run.client() as sock:
        client.expect("welcome")
        run.sink.wait_for("client_connected", 2)
        client.line("last words")
        wait_until(lambda: not count_unacked_bytes(client.sock.fileno()))  # the server's kernel has it
        started = time.monotonic()
        run.stop(TIMEOUT_S)
        assert time.monotonic() - started < TIMEOUT_S / 2
        assert [one["kind"] for one in client.rest()] == ["say", "bye"]
        assert receive_all(sock).endswith(b"The server is stopping. Goodbye!\r\n")


def test_an_idle_client_is_told_so() -> None:
    with running(Parrot(), timeouts=Timeouts(idle_s=2.0)) as run, frame_client(run.port) as client:
        client.expect("welcome")
        client.expect("bye", reason="idle_timeout")
        assert client.receive() is None


def test_a_defect_of_the_service_ends_one_connection_only() -> None:
    with running(Parrot()) as run, frame_client(run.port) as client, frame_client(run.port) as other:
        client.expect("welcome")
        other.expect("welcome")
        client.line("fail")
        assert client.rest() == []
        other.line("fine")
        other.expect("say")
        assert run.sink.wait_for("service_failed")[0].error == "ValueError: it was told to"


def test_a_defect_at_the_very_end_is_told() -> None:
    class Careless(Parrot):
        def left(self, _: Peer, reason: Reason) -> None:
            raise ValueError(f"careless at {reason}")

    with running(Careless()) as run:
        with run.client() as sock:
            sock.shutdown(socket.SHUT_WR)
            receive_all(sock)
        assert run.sink.wait_for("service_failed")[0].error == "ValueError: careless at client_closed"
        with frame_client(run.port) as client:
            client.expect("welcome")


def test_silent_addresses_keep_nobody_out() -> None:
    """They come again whenever they are put out; those who log in have an address each."""
    silent, honest = [f"127.0.1.{number}" for number in range(1, 9)], [f"127.0.2.{number}" for number in range(1, 21)]
    service = Doorman(lambda peer: peer.admit())
    with running(service, Limits(max_clients=64, max_clients_per_address=8)) as run, contextlib.ExitStack() as stack:
        for _ in range(8):
            for source in silent:
                stack.enter_context(run.client(source=source))
        for source in honest:
            with run.client(source=source) as sock:
                stack.enter_context(run.client(source=silent[0]))
                sock.sendall(b"ann\nxyz\n")
                assert b"Hello, ann." in receive_all(sock)
        refused = {event.reason for event in run.sink.named("client_refused")}
        assert refused == {RefusalReason.TOO_MANY_PENDING}
        named = run.sink.named
        wait_until(lambda: len(named("client_connected")) - len(named("client_disconnected")) <= 16)


def test_a_service_without_a_conversation_admits_every_client() -> None:
    service = Parrot()
    with running(service) as run, run.client() as sock:
        assert receive_exactly(sock, len(GREETING)) == GREETING
        wait_until(lambda: service.peers != [])
        assert is_in(service.peers[0])
