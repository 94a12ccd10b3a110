"""Conversations with messages: questions, answers sent ahead, waits, and their ends."""

import socket
import threading
import time

from sockctl.errors import PeerGoneError
from sockctl.events.reasons import DisconnectReason
from sockctl.net.limits import Timeouts
from sockctl.net.peer import Peer
from sockctl.protocol.messages import make_message
from tests.support.frames import FrameClient, frame_client, framed
from tests.support.message_services import Doorman, Greeter, is_in, reason_of
from tests.support.running import TIMEOUT_S, receive_all, receive_exactly, running, wait_until

PATIENT = Timeouts(choice_s=TIMEOUT_S - 5)


def test_a_framed_client_still_gets_its_welcome() -> None:
    with running(Greeter(), timeouts=PATIENT) as run, run.client() as sock:
        time.sleep(0.2)  # the conversation is over by now
        client = FrameClient(sock)
        assert client.expect("welcome")["text"].startswith("Word 0")
        client.expect("bye", reason="server_closed")
        assert client.receive() is None


def test_who_reads_lines_waits_two_seconds_at_most() -> None:
    started = time.monotonic()
    with running(Greeter()) as run, run.client() as sock:
        text = receive_all(sock)
        assert b"Word 0" in text
        assert text.endswith(b"Goodbye!\r\n")
        assert 1.5 < time.monotonic() - started < TIMEOUT_S / 2


def test_who_has_ended_its_input_waits_for_nothing() -> None:
    with running(Greeter(), timeouts=PATIENT) as run, run.client() as sock:
        started = time.monotonic()
        sock.shutdown(socket.SHUT_WR)
        assert b"Word 0" in receive_all(sock)
        assert time.monotonic() - started < PATIENT.choice_s


def test_what_is_said_beyond_the_memory_is_lines() -> None:
    with running(Greeter(words=300), timeouts=PATIENT) as run, run.client() as sock:
        started = time.monotonic()
        assert receive_all(sock).count(b"Word") == 300
        assert time.monotonic() - started < PATIENT.choice_s


def test_a_stop_waits_for_no_choice() -> None:
    with running(Greeter(), timeouts=PATIENT) as run, run.client() as sock:
        receive_exactly(sock, 20)
        started = time.monotonic()
        stopper = threading.Thread(target=run.stop, args=(TIMEOUT_S,))
        stopper.start()
        assert receive_all(sock).endswith(b"Goodbye!\r\n")
        sock.close()
        stopper.join(TIMEOUT_S)
        assert time.monotonic() - started < TIMEOUT_S / 2, "less than the drain may take"


def test_questions_in_lines() -> None:
    service = Doorman()
    with running(service) as run, run.client() as sock:
        sock.sendall(b"ann\nxyz\n")
        text = receive_all(sock)
        assert text == b"sockctl/1 doorman\r\nWho?\r\nSecret?\r\nHello, ann.\r\nGoodbye!\r\n"
        assert service.answers == ["ann", "xyz"]
        assert reason_of(run) is DisconnectReason.SERVER_CLOSED


def test_questions_in_frames() -> None:
    service = Doorman()
    with running(service) as run, frame_client(run.port) as client:
        client.expect("ask", field="name", text="Who?", secret=False)
        client.send(kind="answer", field="password", text="early")  # to another field: it is dropped
        client.send(kind="pong")
        client.send(kind="novelty", text="of a later version")
        client.send(kind="answer", field="name", text="ann")
        client.expect("ask", field="password", secret=True)
        client.line("xyz")
        client.expect("welcome", text="Hello, ann.")
        client.expect("bye")
        assert service.answers == ["ann", "xyz"]


def test_a_refused_answer_is_asked_again_and_three_times_at_most() -> None:
    with running(Doorman()) as run, frame_client(run.port) as client:
        for _ in range(3):
            client.expect("ask", field="name")
            client.send(kind="answer", field="name", text="1")
            error = client.expect("error", code="bad_answer")
        assert error["text"].endswith("That was the last try.")
        client.expect("bye", reason="too_many_tries")
        assert client.receive() is None
        assert reason_of(run) is DisconnectReason.TOO_MANY_TRIES


def test_what_was_sent_ahead_of_a_refused_answer_is_discarded() -> None:
    service = Doorman()
    with running(service) as run, frame_client(run.port) as client:
        client.expect("ask", field="name")
        half = framed(kind="line", text="password")
        ahead = b"".join([framed(kind="line", text="1"), framed(kind="line", text="secret"), half[:9]])
        client.sock.sendall(ahead)
        client.expect("error", code="bad_answer")
        client.expect("error", code="discarded", count=2)
        client.expect("ask", field="name")
        client.sock.sendall(half[9:] + framed(kind="line", text="ann") + framed(kind="line", text="xyz"))
        client.expect("ask", field="password")
        client.expect("welcome")
        assert service.answers == ["ann", "xyz"]


def test_a_client_that_leaves_at_a_question() -> None:
    with running(Doorman()) as run:
        with run.client() as sock:
            sock.shutdown(socket.SHUT_WR)
            receive_all(sock)
        assert reason_of(run) is DisconnectReason.CLIENT_CLOSED
        with frame_client(run.port) as client:
            client.expect("ask")
            client.send(kind="bye")
            client.sock.shutdown(socket.SHUT_WR)
            assert client.rest() == []
        assert reason_of(run, 2) is DisconnectReason.CLIENT_EXIT
        assert not run.sink.named("service_failed")


def test_the_limit_in_force_is_that_of_the_moment() -> None:
    """What is sent ahead is held to the limit under which it is asked for."""
    with running(Doorman()) as run:
        with frame_client(run.port) as client:
            client.line("stay")
            client.line("xyz")
            client.line("y" * 500)
            for kind in ("ask", "ask", "welcome"):
                client.expect(kind)
            client.expect("say", text="Y" * 500)
        with frame_client(run.port) as client:
            client.line("y" * 500)
            client.expect("ask")
            client.expect("error", code="too_large")
            assert client.receive() is None


def test_a_conversation_goes_on_by_reacting_to_what_it_has_read() -> None:
    service = Doorman()
    with running(service) as run:
        with run.client() as sock:
            sock.sendall(b"stay\nxyz\none\ntwo\nthree")
            sock.shutdown(socket.SHUT_WR)
            assert receive_all(sock).endswith(b"Hello, stay.\r\nONE\r\nTWO\r\nTHREE\r\n")
            assert service.heard == ["one", "two", "three"]
        assert reason_of(run) is DisconnectReason.CLIENT_CLOSED
        wait_until(lambda: service.gone == [DisconnectReason.CLIENT_CLOSED])


def test_a_stop_wakes_a_question() -> None:
    with running(Doorman()) as run, frame_client(run.port) as client:
        client.expect("ask")
        started = time.monotonic()
        stopper = threading.Thread(target=run.stop, args=(TIMEOUT_S,))
        stopper.start()
        client.expect("bye", reason="server_stopping")
        assert client.receive() is None
        client.sock.close()
        stopper.join(TIMEOUT_S)
        assert run.stopped
        assert time.monotonic() - started < TIMEOUT_S / 2, "less than the drain may take"
    assert reason_of(run) is DisconnectReason.SERVER_STOPPING


def test_a_slow_reader_in_a_conversation_is_dropped() -> None:
    met: list[Peer] = []
    begun = threading.Event()

    def flood(peer: Peer) -> None:
        met.append(peer)
        begun.set()
        while True:
            peer.tell("notice", "y" * 500)

    with running(Doorman(flood)) as run, frame_client(run.port) as client:
        client.line("ann")
        client.line("xyz")
        assert begun.wait(TIMEOUT_S)
        while not run.sink.named("slow_reader_dropped"):
            met[0].post(make_message("say", "x" * 10_000))
        assert reason_of(run) is DisconnectReason.SLOW_READER


def test_a_connection_that_breaks_in_a_wait() -> None:
    gone: list[str] = []

    def wait_for_nothing(peer: Peer) -> None:
        try:
            peer.wait({}, for_input=False)
        except PeerGoneError as error:
            gone.append(str(error))
            raise

    with running(Doorman(wait_for_nothing)) as run:
        with frame_client(run.port) as client:
            client.line("ann")
            client.line("xyz")
            client.expect("ask")
            client.expect("ask")
            client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        assert reason_of(run) is DisconnectReason.CLIENT_RESET
        assert len(gone) == 1


def test_a_conversation_says_itself_when_the_client_is_in() -> None:
    seen: list[bool] = []

    def then(peer: Peer) -> None:
        seen.append(is_in(peer))
        peer.admit()
        seen.append(is_in(peer))

    with running(Doorman(then)) as run, run.client() as sock:
        sock.sendall(b"ann\nxyz\n")
        receive_all(sock)
    assert seen == [False, True]
