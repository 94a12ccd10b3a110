"""Mutated HTTP heads and WebSocket frames against a server: an answer or an end for each, and no defect."""

import gc
import random
import resource
import socket
from typing import ClassVar

import pytest

from sockctl.events.base import Level
from sockctl.net.input_budget import InputRates
from sockctl.net.limits import Limits, Timeouts
from sockctl.net.peer import Peer
from sockctl.net.service import MessageService
from sockctl.protocol.messages import Message
from sockctl.protocol.web_frames import CLOSE, CONTINUATION, PING
from sockctl.services.echo import Echo
from tests.support.raw_services import handler_threads
from tests.support.running import TIMEOUT_S, receive_all, wait_until
from tests.support.web import UPGRADE, encode_client_frame, make_request, web_running

ANY = InputRates(rate=1e6, burst_s=1e6, address_rate=1e6, address_burst_s=1e6, flooding_s=1e6)
LIMITS = Limits(stranger_input=ANY, member_input=ANY)
HEADS = [
    make_request("/"),
    make_request("/page.js", 'If-None-Match: "2"', "Connection: close"),
    make_request("/", *UPGRADE),
    make_request("/", *UPGRADE, "Origin: http://localhost", "Sec-WebSocket-Protocol: a, b"),
    make_request("/", "Content-Length: 5", method="POST") + b"12345",
    make_request("/", "Transfer-Encoding: chunked", method="PUT") + b"3\r\nabc\r\n0\r\n\r\n",
]
FRAMES = [
    encode_client_frame(b'{"kind":"line","text":"hi"}'),
    encode_client_frame(b'{"kind":"li', fin=False) + encode_client_frame(b'ne"}', CONTINUATION),
    encode_client_frame(b"?", PING) + encode_client_frame(b"\x03\xe8", CLOSE),
    encode_client_frame(b"x" * 300),
]
BYTES = [0, 9, 10, 13, 32, 44, 58, 128, 129, 136, 255]


class Answering(MessageService):
    """Answers, and keeps nothing."""

    name: ClassVar[str] = "answering"
    does = "It answers."

    def received(self, peer: Peer, batch: list[Message]) -> None:
        for one in batch:
            peer.tell("say", one.text)


def mutate(rng: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.randint(0, 4)):
        at = rng.randrange(len(changed))
        match rng.randrange(5):
            case 0:
                changed[at] = rng.choice(BYTES)
            case 1:
                changed[at] = rng.randrange(256)
            case 2:
                del changed[at : at + rng.randint(1, 9)]
                changed += b"." * (not changed)
            case 3:
                changed[at:at] = changed[at : at + rng.randint(1, 30)]
            case _:
                changed[at:at] = bytes([rng.choice(BYTES)]) * rng.randint(1, 40)
    return bytes(changed)


def fuzz(count: int, seed: int) -> None:
    rng = random.Random(seed)
    for service in (Echo(), Answering()):
        timeouts = Timeouts(linger_s=0.05, head_s=TIMEOUT_S)
        with web_running(service, limits=LIMITS, timeouts=timeouts, level=Level.ERROR) as run:
            grown = 0
            for number in range(count // 2):
                if number == count // 20:
                    gc.collect()
                    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
                head = rng.choice(HEADS)
                data = mutate(rng, head)
                if head in HEADS[2:4] and rng.random() < 0.7:
                    data = head + mutate(rng, rng.choice(FRAMES) + rng.choice(FRAMES))
                with run.client() as sock:
                    sock.sendall(data)
                    sock.shutdown(socket.SHUT_WR)
                    try:
                        answer = receive_all(sock)
                    except ConnectionResetError:
                        continue  # it has sent more than the server wanted to read
                assert not answer or answer.startswith(b"HTTP/1.1 "), (data, answer)
            wait_until(lambda: not handler_threads())
            assert not run.sink.named("service_failed")
            assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - grown < 30_000, "KiB"


def test_mutated_requests_and_frames_get_an_answer_or_an_end() -> None:
    fuzz(1_000, 21)


@pytest.mark.slow
@pytest.mark.torture
@pytest.mark.timeout(1_800)
def test_two_hundred_thousand_mutated_requests_and_frames() -> None:
    fuzz(200_000, 22)
