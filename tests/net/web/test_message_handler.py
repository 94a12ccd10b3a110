"""Services of messages over WebSocket: reactions, conversations, limits, close codes, and fan-out."""

import json
import socket
import statistics
import time
from collections.abc import Callable

import pytest

from sockctl.events.reasons import DisconnectReason, Reason
from sockctl.net.input_budget import InputRates
from sockctl.net.limits import Limits, Timeouts
from sockctl.net.peer import Peer, post_to_all
from sockctl.net.sending_side import OUTBOX_BYTES
from sockctl.protocol.frames import encode_frame
from sockctl.protocol.messages import encode_message, make_message
from sockctl.protocol.web_frames import BINARY, CLOSE, CONTINUATION, PING, PONG
from tests.support.message_services import Doorman, Parrot, reason_of
from tests.support.running import TIMEOUT_S, receive_all, wait_until
from tests.support.web import (
    UPGRADE,
    WebClient,
    drip_until_closed,
    encode_client_frame,
    make_request,
    receive_answer,
    web_running,
)


def test_messages_come_and_go() -> None:
    with web_running(Parrot()) as run, run.websocket() as client:
        assert client.hear() == {"kind": "welcome", "text": "Hello."}
        client.say("line", "grüß dich")
        assert client.hear()["text"] == "grüß dich"
        client.send(b'{"kind":"line",', fin=False)
        client.send(b"?", PING)
        assert client.receive() == (PONG, b"?")
        client.send(b'"text":"in parts"}', CONTINUATION)
        assert client.hear()["text"] == "in parts"
        client.say("bye")
        assert client.hear_close() == 1000
        assert reason_of(run.run) == DisconnectReason.CLIENT_EXIT


def test_a_conversation_holds_over_websocket() -> None:
    doorman = Doorman()
    with web_running(doorman) as run, run.client() as sock:
        ahead = encode_client_frame(b'{"kind":"answer","field":"name","text":"stay"}')
        sock.sendall(make_request("/", *UPGRADE) + ahead)  # sent ahead of the question
        receive_answer(sock, has_body=False)
        client = WebClient(sock)
        assert client.hear()["field"] == "name"
        assert client.hear()["secret"] is True
        client.send(b"!", PING)
        assert client.receive() == (PONG, b"!")
        client.say("answer", "word", field="password")
        assert client.hear()["text"] == "Hello, stay."
        client.say("line", "hi")
        assert client.hear()["text"] == "HI"
        assert doorman.answers == ["stay", "word"]


@pytest.mark.parametrize(
    ("data", "opcode", "code", "word"),
    [
        (b'{"kind":"line","text":"' + b"x" * 65_536 + b'"}', 1, 1009, "too_large"),
        (b"{}", BINARY, 1003, "binary"),
        (b"\xff", 1, 1007, "bad_utf8"),
        (b"nonsense", 1, 1007, "bad_message"),
        (b"", CONTINUATION, 1002, "websocket"),
    ],
)
def test_what_breaks_the_protocol_is_told_and_closed_with_a_code(
    data: bytes, opcode: int, code: int, word: str
) -> None:
    with web_running(Parrot()) as run, run.websocket() as client:
        client.hear()
        client.send(data, opcode)
        error = client.hear()
        assert (error["kind"], error["code"]) == ("error", word)
        assert client.hear_close() == code
        assert reason_of(run.run) == DisconnectReason.PROTOCOL_ERROR


def test_who_types_is_led_to_the_port_for_lines() -> None:
    with web_running(Parrot()) as run, run.websocket() as client:
        client.hear()
        client.send(b"hello")
        text = client.hear()["text"]
        assert text.startswith("A message holds no JSON")
        assert "sockctl connect sockctl://HOST:PORT" in text


def test_before_the_login_the_limit_is_lower() -> None:
    with web_running(Doorman()) as run, run.websocket() as client:
        client.hear()
        client.say("answer", "x" * 100, field="name")
        assert client.hear()["code"] == "too_large"
        assert client.hear_close() == 1009


def test_a_message_has_a_deadline() -> None:
    with web_running(Parrot(), timeouts=Timeouts(frame_s=0.2, linger_s=0.2)) as run, run.websocket() as client:
        client.hear()
        client.send(b"{", fin=False)
        assert client.hear()["code"] == "timeout"
        assert client.hear_close() == 1008


def test_a_close_frame_is_answered() -> None:
    parrot = Parrot()
    with web_running(parrot) as run, run.websocket() as client:
        client.hear()
        client.send(b"\x0f\xa0done", CLOSE)
        assert client.hear_close() == 4000
        assert receive_all(client.sock) == b""
        wait_until(lambda: parrot.gone == [DisconnectReason.CLIENT_EXIT])
        assert run.sink.wait_for("client_disconnected")


def test_an_end_without_a_close_frame() -> None:
    parrot = Parrot()
    with web_running(parrot) as run:
        with run.websocket() as client:
            client.hear()
        wait_until(lambda: bool(parrot.gone))


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (lambda peer: peer.close(Reason("kicked", "", "You were put out.", close_code=4001)), 4001),
        (lambda peer: peer.close(Reason("banned", close_code=4002)), 4002),
        (lambda peer: peer.close(DisconnectReason.LOGIN_TIMEOUT), 1008),
        (lambda peer: peer.close(DisconnectReason.SLOW_READER), 1008),
        (lambda peer: peer.close(), 1000),
    ],
)
def test_the_reason_of_the_server_is_the_code(end: Callable[[Peer], None], code: int) -> None:
    parrot = Parrot()
    with web_running(parrot) as run, run.websocket() as client:
        client.hear()
        end(parrot.peers[0])
        assert client.hear_close() == code


def test_a_stopping_server_says_so() -> None:
    with web_running(Parrot()) as run, run.websocket() as client:
        client.hear()
        run.run.server.stop(1.0)
        run.run.stopped = True
        assert client.hear()["reason"] == "server_stopping"
        assert client.hear_close() == 1001


def test_a_slow_reader_is_dropped_and_the_others_hear() -> None:
    parrot = Parrot()
    with web_running(parrot) as run, run.websocket() as slow, run.websocket() as quick:
        quick.hear()
        wait_until(lambda: len(parrot.peers) == 2)
        peers = sorted(parrot.peers, key=lambda peer: peer.number)
        data = encode_frame(encode_message(make_message("say", "x" * 50_000)))
        until = time.monotonic() + TIMEOUT_S
        waits: list[float] = []
        while not run.sink.named("slow_reader_dropped"):
            began = time.monotonic()
            post_to_all(peers, data)
            assert quick.hear()["text"] == "x" * 50_000
            waits.append(time.monotonic() - began)
            assert time.monotonic() < until
        assert statistics.median(waits) < 1.0
        assert run.sink.named("slow_reader_dropped")[0].queued_bytes <= OUTBOX_BYTES
        assert slow.hear_close() == 1008
        post_to_all(peers, data)
        assert quick.hear()["kind"] == "say"


def test_a_message_for_all_goes_over_each_wire() -> None:
    parrot = Parrot()
    with web_running(parrot) as run, run.websocket() as client, run.run.client() as lines:
        client.hear()
        lines.sendall(b"hi\n")
        wait_until(lambda: len(parrot.peers) == 2)
        web = next(peer for peer in parrot.peers if peer.web_outlet is not None)
        data = encode_frame('{"kind":"say","text":"a"}') + encode_frame('{"kind":"say","text":"b"}')
        post_to_all([web], data)
        web.post_encoded(data)
        web.send_encoded(data)
        assert [client.hear()["text"] for _ in range(6)] == ["a", "b"] * 3
        web.tell("ping")
        assert client.receive() == (PING, b"")
        assert client.hear()["kind"] == "ping"
        web.post(make_message("say", "c"))
        assert client.hear()["text"] == "c"


def test_a_flood_of_pings_is_held() -> None:
    """Control frames cost their client as messages do: the others' messages go on."""
    with web_running(Parrot(), limits=Limits()) as run, run.websocket() as flooder, run.websocket() as polite:
        polite.hear()
        flooder.hear()
        flooder.sock.sendall(encode_client_frame(b"", PING) * 10_000)
        began = time.monotonic()
        polite.say("line", "hi")
        assert polite.hear()["text"] == "hi"
        assert time.monotonic() - began < TIMEOUT_S
        for _ in range(10_000):
            assert flooder.receive() == (PONG, b"")


def test_json_is_utf8() -> None:
    with web_running(Parrot()) as run, run.websocket() as client:
        client.hear()
        client.send(json.dumps({"kind": "line", "text": "ü\u202e"}).encode())
        assert client.hear()["text"] == "ü"


@pytest.mark.parametrize("drip", [(b" ", CONTINUATION), (b"?", PING)])
def test_the_deadline_of_a_message_is_that_of_all_its_fragments(drip: tuple[bytes, int]) -> None:
    with web_running(Parrot(), timeouts=Timeouts(frame_s=0.5, linger_s=0.2)) as run, run.websocket() as client:
        client.hear()
        client.send(b"{", fin=False)
        assert drip_until_closed(client, *drip) == 1008
        assert run.sink.wait_for("protocol_broken")[0].code == "timeout"


def test_many_messages_one_after_the_other_have_a_deadline_each() -> None:
    with web_running(Parrot(), timeouts=Timeouts(frame_s=3.0, linger_s=0.2)) as run, run.websocket() as client:
        client.hear()
        one = encode_client_frame(b'{"kind":"line","text":"hi"}')
        client.sock.sendall(one[:9])
        began = time.monotonic()
        while time.monotonic() - began < 4:  # no read ends with a frame
            client.sock.sendall(one[9:] + one[:9])
            assert client.hear()["text"] == "hi"


def test_pongs_that_a_client_doesnt_read_are_dropped() -> None:
    any_ = InputRates(rate=1e6, burst_s=1e6, address_rate=1e6, address_burst_s=1e6, flooding_s=1e6)
    pings = encode_client_frame(b"x" * 125, PING) * 1_000
    with web_running(Doorman(), limits=Limits(stranger_input=any_)) as run, run.websocket() as client:
        client.hear()
        for _ in range(80):
            client.sock.sendall(pings)
        client.sock.shutdown(socket.SHUT_WR)
        assert len(receive_all(client.sock)) < 80 * 1_000 * 127  # what the kernel kept, and 256 KiB more
