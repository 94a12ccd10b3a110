"""The load for rooms on several nodes, and its WebSocket."""

import json

import pytest

from sockctl.errors import NotGreetedError
from sockctl.protocol.messages import Message, make_message
from tests.benchmarks.peers.dialects import IN, OTHER, REPLY, SAY, SocketIo
from tests.benchmarks.peers.room_load import find_faults
from tests.benchmarks.peers.rooms import Load, list_peers, measure_peer
from tests.benchmarks.peers.websocket_wire import WebSocketWire, encode_frame, encode_server_frame, make_request
from tests.support.bench import said
from tests.support.tools import tool

ACCEPTED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"


@pytest.mark.parametrize(
    ("second", "faults"),
    [
        ([(0, 0), (1, 0), (0, 1)], {}),
        ([(0, 0), (0, 1)], {"lost": 1}),
        ([(0, 0), (1, 0), (1, 0), (0, 1)], {"repeated": 1}),
        ([(1, 0), (0, 0), (0, 1)], {"reordered": 1}),
        ([(0, 1), (0, 0), (1, 0)], {"reordered": 2, "own_reordered": 1}),
        ([], {"lost": 3}),
    ],
)
def test_each_fault_is_counted(second: list[tuple[int, int]], faults: dict[str, int]) -> None:
    assert find_faults([said((0, 0), (1, 0), (0, 1)), said(*second)], 3) == faults


@pytest.mark.parametrize("piece", [1, 7, 100_000])
def test_texts_cut_anywhere(piece: int) -> None:
    texts = ["", "ä" * 60, "x" * 126, "y" * 70_000]
    data = ACCEPTED + b"".join(map(encode_server_frame, texts)) + b"\x89\x01p"
    wire = WebSocketWire(lambda text: make_message("say", text))
    came: list[Message] = []
    for at in range(0, len(data), piece):
        wire.feed(data[at : at + piece])
        came += wire.decode_all()
    assert [one.text for one in came] == texts
    assert wire.take_rest() == b""
    assert bytes(wire.outgoing) == encode_frame(b"p", 10)
    wire.feed(b"\x88\0")
    assert [one.kind for one in wire.decode_all()] == ["bye"]
    wire.feed(b"\x81\x05a")
    assert list(wire.decode_all()) == []
    assert wire.take_rest() == b"\x81\x05a"


def test_a_server_without_websockets_is_told() -> None:
    wire = WebSocketWire(make_message)
    with pytest.raises(NotGreetedError):
        wire.feed(b"HTTP/1.1 404 Not Found\r\n\r\n")


def test_a_client_asks_and_masks() -> None:
    assert make_request("/x", "h:1").startswith(b"GET /x HTTP/1.1\r\nHost: h:1\r\n")
    assert encode_frame("ab") == b"\x81\x82\0\0\0\0ab"
    assert encode_frame("a" * 300)[:4] == b"\x81\xfe\x01\x2c"
    assert encode_server_frame("ab") == b"\x81\x02ab"
    assert encode_frame("a" * 70_000)[:10] == b"\x81\xff" + (70_000).to_bytes(8)


def test_what_socket_io_says() -> None:
    dialect = SocketIo()
    kinds = [
        dialect.decode(text).kind for text in ('0{"sid":"x"}', '40{"sid":"y"}', '42["joined"]', '42["say","a"]', "2")
    ]
    assert kinds == [REPLY, OTHER, IN, SAY, REPLY]
    assert dialect.decode('42["say","a"]').text == "a"
    assert json.loads(dialect.encode_say("a")[2:]) == ["say", "a"]


def test_the_peers_that_are_installed_are_measured() -> None:
    tool("redis-server", "redis-server")
    for name, peer in list_peers().items():
        if peer.dialect and peer.is_there:
            found = measure_peer(peer, Load(4, 2, 0.3, 2, None), nodes=2, engine="everysec")
            assert (found["joined"], found["lost"]) == (4, 0), name
            assert found["answered"] > 0, name
