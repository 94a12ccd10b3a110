"""An echo over WebSocket: each message comes back as it came."""

import contextlib
import threading

import pytest

from sockctl.events.reasons import DisconnectReason
from sockctl.net.limits import Limits, Timeouts
from sockctl.net.web.large_messages import LARGE_MESSAGES, SMALL_BYTES
from sockctl.protocol.web_frames import BINARY, CLOSE, CONTINUATION, MESSAGE_BYTES, PING, PONG, TEXT
from sockctl.services.echo import Case, CaseEcho, Echo
from tests.support.raw_services import reason_of
from tests.support.running import receive_all
from tests.support.web import drip_until_closed, encode_client_frame, web_running


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 1_000_000])
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_a_message_comes_back(size: int, opcode: int) -> None:
    with web_running(Echo()) as run, run.websocket() as client:
        data = b"x" * size
        sender = threading.Thread(target=client.send, args=(data, opcode))
        sender.start()
        assert client.receive() == (opcode, data)
        sender.join()


def test_fragments_come_back_as_one_message() -> None:
    with web_running(Echo()) as run, run.websocket() as client:
        client.send("gr\u00fc".encode()[:3], fin=False)
        client.send(b"?", PING)
        assert client.receive() == (PONG, b"?")
        client.send("gr\u00fc".encode()[3:], CONTINUATION)
        assert client.receive() == (TEXT, "gr\u00fc".encode())


def test_text_comes_back_in_another_case() -> None:
    with web_running(CaseEcho(Case.UPPER)) as run, run.websocket() as client:
        client.send("grüß".encode())
        assert client.receive() == (TEXT, "GRÜSS".encode())


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (encode_client_frame(b"\xff"), 1007),
        (encode_client_frame(b"a") + encode_client_frame(b"\xff"), 1007),
        (encode_client_frame(b"", CONTINUATION), 1002),
        (b"\x82\xff" + (MESSAGE_BYTES + 1).to_bytes(8, "big"), 1009),
    ],
)
def test_what_breaks_the_protocol_is_closed_with_a_code(data: bytes, code: int) -> None:
    with web_running(Echo()) as run, run.websocket() as client:
        client.sock.sendall(data)
        assert client.hear_close() == code
        assert reason_of(run.run) == DisconnectReason.PROTOCOL_ERROR
        assert run.sink.named("protocol_broken")


@pytest.mark.parametrize(("data", "code"), [(b"", 1000), (b"\x03\xe8", 1000), (b"\x0f\xa1gone", 4001)])
def test_a_close_frame_is_answered(data: bytes, code: int) -> None:
    with web_running(Echo()) as run, run.websocket() as client:
        client.sock.sendall(encode_client_frame(b"last") + encode_client_frame(data, CLOSE) + b"junk")
        assert client.receive() == (TEXT, b"last")
        assert client.hear_close() == (code if data else 1005)
        assert receive_all(client.sock) == b""
        assert reason_of(run.run) == DisconnectReason.CLIENT_EXIT


def test_a_message_has_a_deadline() -> None:
    with web_running(Echo(), timeouts=Timeouts(frame_s=0.2, linger_s=0.2)) as run, run.websocket() as client:
        client.send(b"begun", fin=False)
        assert client.hear_close() == 1008
        assert reason_of(run.run) == DisconnectReason.PROTOCOL_ERROR


def test_the_end_of_the_input_ends_the_connection() -> None:
    with web_running(Echo()) as run:
        with run.websocket() as client:
            client.send(b"a")
            client.receive()
        assert reason_of(run.run) in {DisconnectReason.CLIENT_CLOSED, DisconnectReason.CLIENT_RESET}


def test_a_stopping_server_answers_and_closes() -> None:
    with web_running(Echo()) as run, run.websocket() as client:
        client.send(b"a")
        assert client.receive() == (TEXT, b"a")
        run.run.stop()
        assert client.hear_close() == 1001


def test_many_small_messages_let_others_have_their_turn() -> None:
    with web_running(Echo()) as run, run.websocket() as client, run.websocket() as other:
        count = 30_000
        frame = encode_client_frame(b"x")
        sender = threading.Thread(target=client.sock.sendall, args=(frame * count,))
        sender.start()
        other.send(b"y")
        assert other.receive() == (TEXT, b"y")
        for _ in range(count):
            assert client.receive() == (TEXT, b"x")
        sender.join()


@pytest.mark.parametrize("drip", [(b" ", CONTINUATION), (b"?", PING)])
def test_the_deadline_of_a_message_is_that_of_all_its_fragments(drip: tuple[bytes, int]) -> None:
    with web_running(Echo(), timeouts=Timeouts(frame_s=0.5, linger_s=0.2)) as run, run.websocket() as client:
        client.send(b"a", fin=False)
        assert drip_until_closed(client, *drip) == 1008


def test_few_large_messages_are_kept_at_once() -> None:
    """What is announced takes no memory: a place is taken by what has come, and given back with the connection."""
    begun = encode_client_frame(b"x" * (2 * SMALL_BYTES), fin=False)
    with web_running(Echo(), limits=Limits(max_clients_per_address=64)) as run, contextlib.ExitStack() as undo:
        keepers = [undo.enter_context(run.websocket()) for _ in range(LARGE_MESSAGES)]
        for client in keepers:
            client.sock.sendall(begun)
            client.send(b"?", PING)
            assert client.receive() == (PONG, b"?")  # so all of it has been read
        with run.websocket() as other:
            other.send(b"y" * SMALL_BYTES)
            assert other.receive() == (TEXT, b"y" * SMALL_BYTES)
            other.sock.sendall(begun)
            assert other.hear_close() == 1013
        keepers[0].send(b"z", CONTINUATION)
        assert keepers[0].receive() == (TEXT, b"x" * (2 * SMALL_BYTES) + b"z")
        keepers[1].sock.close()
        run.sink.wait_for("client_disconnected", 2)
        with run.websocket() as other:
            other.send(b"y" * (2 * SMALL_BYTES))
            assert other.receive() == (TEXT, b"y" * (2 * SMALL_BYTES))
