"""Services of messages on real sockets: the choice of the wire, questions, deadlines, errors, two ways to send."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from typing import ClassVar

import pytest

from sockctl.errors import AnswerRefusedError, PeerGoneError
from sockctl.events.reasons import DisconnectReason, Reason, RefusalReason
from sockctl.net.limits import Limits, Timeouts
from sockctl.net.peer import Peer
from sockctl.net.service import Conversation, MessageService
from sockctl.protocol.messages import Message, message
from tests.support.frames import FrameClient, frame, frame_client, framed
from tests.support.running import TIMEOUT_S, Running, receive_all, receive_exactly, running, wait_until

GREETING = b"sockctl/1 parrot\r\n"


def reason_of(run: Running, number: int = 1) -> Reason:
    wait_until(lambda: any(event.connection == number for event in run.sink.named("client_disconnected")))
    reason: Reason = run.sink.named("client_disconnected")[-1].reason
    return reason


class Parrot(MessageService):
    """Reacts: says again what it hears, and keeps what happened."""

    name: ClassVar[str] = "parrot"
    does = "It repeats."

    def __init__(self) -> None:
        self.peers: list[Peer] = []
        self.batches: list[list[Message]] = []
        self.gone: list[Reason] = []
        self.welcome = "Hello."

    def joined(self, peer: Peer) -> None:
        self.peers.append(peer)
        peer.tell("welcome", self.welcome)

    def received(self, peer: Peer, batch: list[Message]) -> None:
        self.batches.append(batch)
        for one in batch:
            if one.text == "fail":
                raise ValueError("it was told to")
            if one.text == "close":
                peer.close()
                return
            peer.tell("say", one.text, sender="parrot")

    def left(self, _: Peer, reason: Reason) -> None:
        self.gone.append(reason)


def checked(text: str) -> str:
    if not text.isalpha():
        raise AnswerRefusedError(f"{text!r} won't do.")
    return text


class Doorman(MessageService, Conversation[Peer]):
    """Asks for a name, then for a secret, and goes on by reacting if the name is `stay`."""

    name: ClassVar[str] = "doorman"
    does = "It asks."

    def __init__(self, then: Callable[[Peer], None] | None = None) -> None:
        self.answers: list[str] = []
        self.heard: list[str] = []
        self.gone: list[Reason] = []
        self._then = then

    def converse(self, peer: Peer) -> None:
        peer.limit_bytes = 100
        name = peer.ask("name", "Who?", check=checked)
        self.answers.append(name)
        self.answers.append(peer.ask("password", "Secret?", check=checked, secret=True))
        peer.limit_bytes = 1000
        if self._then is not None:
            self._then(peer)
        peer.tell("welcome", f"Hello, {name}.")
        if name == "stay":
            peer.watch()

    def received(self, peer: Peer, batch: list[Message]) -> None:
        self.heard += [one.text for one in batch]
        for one in batch:
            peer.tell("say", one.text.upper())

    def left(self, _: Peer, reason: Reason) -> None:
        self.gone.append(reason)


class Greeter(MessageService, Conversation[Peer]):
    """Says something and is done."""

    name: ClassVar[str] = "greeter"
    does = "It greets."

    def __init__(self, words: int = 1) -> None:
        self._words = words

    def converse(self, peer: Peer) -> None:
        for number in range(self._words):
            peer.tell("welcome", f"Word {number} {'x' * 100}")


# Choosing.


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
            peer.post(message("say", f"{number}"))
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


# A conversation that ends before the wire is chosen.


def test_a_framed_client_still_gets_its_welcome() -> None:
    with running(Greeter()) as run, run.client() as sock:
        time.sleep(0.2)  # the conversation is over by now
        client = FrameClient(sock)
        assert client.expect("welcome")["text"].startswith("Word 0")
        client.expect("bye", reason="server_closed")
        assert client.receive() is None


def test_who_reads_lines_waits_two_seconds_at_most() -> None:
    with running(Greeter()) as run, run.client() as sock:
        started = time.monotonic()
        text = receive_all(sock)
        assert b"Word 0" in text
        assert text.endswith(b"Goodbye!\r\n")
        assert 1.5 < time.monotonic() - started < 5


def test_who_has_ended_its_input_waits_for_nothing() -> None:
    with running(Greeter()) as run, run.client() as sock:
        started = time.monotonic()
        sock.shutdown(socket.SHUT_WR)
        assert b"Word 0" in receive_all(sock)
        assert time.monotonic() - started < 1.5


def test_what_is_said_beyond_the_memory_is_lines() -> None:
    with running(Greeter(words=300)) as run, run.client() as sock:
        started = time.monotonic()
        assert receive_all(sock).count(b"Word") == 300
        assert time.monotonic() - started < 1.5


def test_a_stop_waits_for_no_choice() -> None:
    with running(Greeter()) as run, run.client() as sock:
        receive_exactly(sock, 20)
        started = time.monotonic()
        stopper = threading.Thread(target=run.stop)
        stopper.start()
        assert receive_all(sock).endswith(b"Goodbye!\r\n")
        sock.close()
        stopper.join(TIMEOUT_S)
        assert time.monotonic() - started < 1.5


# Questions.


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
        stopper = threading.Thread(target=run.stop)
        stopper.start()
        client.expect("bye", reason="server_stopping")
        assert client.receive() is None
        client.sock.close()
        stopper.join(TIMEOUT_S)
        assert run.stopped
        assert time.monotonic() - started < 1.5
    assert reason_of(run) is DisconnectReason.SERVER_STOPPING


# What breaks the protocol.

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
    with running(service(), timeouts=Timeouts(frame_s=0.5)) as run, frame_client(run.port) as client:
        client.receive()
        started = time.monotonic()
        client.sock.sendall(b"\x00\x00\x00\x50")
        end = threading.Event()

        def send_drops() -> None:
            while not end.wait(0.1):
                try:
                    client.sock.sendall(b"\x01")
                except OSError:
                    return

        dripper = threading.Thread(target=send_drops)
        if drip:
            dripper.start()
        assert client.expect("error", code="timeout")
        assert 0.4 < time.monotonic() - started < 3
        end.set()
        if drip:
            dripper.join(TIMEOUT_S)
        assert reason_of(run) is DisconnectReason.PROTOCOL_ERROR


@pytest.mark.parametrize("service", [Parrot, Doorman], ids=["reaction", "conversation"])
def test_lines_have_no_deadline_nor_have_frames_that_move_on(
    service: type[Parrot | Doorman],
) -> None:
    with running(service(), timeouts=Timeouts(frame_s=1.0)) as run:
        with run.client() as sock:
            for byte in b"stay\n":
                sock.sendall(bytes([byte]))
                time.sleep(0.25)
            sock.shutdown(socket.SHUT_WR)
            assert receive_all(sock).endswith(b"<parrot> stay\r\n" if service is Parrot else b"Secret?\r\n")
        pieces = b"".join(framed(kind="novelty", text="x" * 50) for _ in range(20))
        with frame_client(run.port) as client:
            client.receive()
            for start in range(0, len(pieces), 97):  # a frame is incomplete all the time, but never for long
                client.sock.sendall(pieces[start : start + 97])
                time.sleep(0.1)
            client.send(kind="bye")
            client.sock.shutdown(socket.SHUT_WR)
            assert "error" not in [one["kind"] for one in client.rest()]


# The two ways to send.


def test_a_slow_reader_of_what_others_say_is_dropped() -> None:
    service = Parrot()
    with running(service) as run, frame_client(run.port) as client, frame_client(run.port) as other:
        client.expect("welcome")
        other.expect("welcome")
        text = "x" * 10_000
        posted = 0
        while not run.sink.named("slow_reader_dropped"):
            service.peers[0].post(message("say", text))
            posted += 1
            assert posted < 5_000
        other.line("still here")
        other.expect("say", text="still here")
        kinds = [one["kind"] for one in client.rest()]
        assert kinds[-1] == "error"
        assert 0 < kinds.count("say") < posted
        assert reason_of(run) is DisconnectReason.SLOW_READER
        assert len(run.sink.named("slow_reader_dropped")) == 1
        before = run.sink.named("slow_reader_dropped")
        service.peers[0].post(message("say", "too late"))
        assert run.sink.named("slow_reader_dropped") == before


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
            met[0].post(message("say", "x" * 10_000))
        assert reason_of(run) is DisconnectReason.SLOW_READER


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
    timeouts = Timeouts(frame_s=1.0)  # the client's own threads may have to wait for each other, too
    with running(Parrot(), timeouts=timeouts) as run, frame_client(run.port) as client:
        client.expect("welcome")
        count, text = 500, "z" * 60_000

        def ask() -> None:
            for _ in range(count):
                client.line(text)

        asker = threading.Thread(target=ask)
        asker.start()
        time.sleep(2.5)  # longer than the deadline, in which nothing is read
        for _ in range(count):
            client.expect("say")
        asker.join(TIMEOUT_S)
        assert not run.sink.named("protocol_broken")


# Ends.


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
        started = time.monotonic()
        run.stop()
        assert time.monotonic() - started < 4
        assert [one["kind"] for one in client.rest()] == ["say", "bye"]
        assert receive_all(sock).endswith(b"The server is stopping. Goodbye!\r\n")


def test_an_idle_client_is_told_so() -> None:
    with running(Parrot(), timeouts=Timeouts(idle_s=0.3)) as run, frame_client(run.port) as client:
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


# Being in.


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
        assert run.server._admission.pending <= 16


def is_in(peer: Peer) -> bool:
    assert peer.outlet is not None
    return peer.outlet.admitted


def test_a_service_without_a_conversation_admits_every_client() -> None:
    service = Parrot()
    with running(service) as run, run.client() as sock:
        assert receive_exactly(sock, len(GREETING)) == GREETING
        wait_until(lambda: service.peers != [])
        assert is_in(service.peers[0])


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
