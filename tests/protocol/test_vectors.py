"""The vectors in data/wire, with which a client in another language can be checked: ours must agree with them."""

import json
from pathlib import Path
from typing import Any

import pytest

from sockctl.errors import BadMessageError, ProtocolError
from sockctl.protocol.client_wire import ClientWire
from sockctl.protocol.frames import FrameDecoder
from sockctl.protocol.lines import LineDecoder
from sockctl.protocol.messages import Message, as_line, decode_message
from sockctl.protocol.server_wire import ServerWire

WIRE = Path(__file__).parents[2] / "data" / "wire"
Vector = dict[str, Any]


def vectors(name: str, side: str = "") -> pytest.MarkDecorator:
    """Return a file's vectors as parameters; a file without any is an error."""
    found = [one for one in json.loads((WIRE / name).read_text())["vectors"] if one.get("side", "") == side]
    assert found, f"{name} holds no vectors"
    return pytest.mark.parametrize("vector", found, ids=[one["name"] for one in found])


def check_decoder(decoder: FrameDecoder | LineDecoder, vector: Vector, size: int) -> None:
    data = bytes.fromhex(vector["bytes"])
    texts: list[str] = []
    error = None
    try:
        for start in range(0, len(data), size):
            decoder.feed(data[start : start + size])
            while some := decoder.take():
                texts += some
        if vector["end"] and (last := decoder.end()) is not None:
            texts.append(last)
    except ProtocolError as caught:
        error = caught.code
    assert texts == vector["texts"]
    assert error == vector.get("error")


@pytest.mark.parametrize("size", [1, 1000])
@vectors("frames.json")
def test_frames(vector: Vector, size: int) -> None:
    check_decoder(FrameDecoder(limit_bytes=vector["limit_bytes"]), vector, size)


@pytest.mark.parametrize("size", [1, 1000])
@vectors("lines.json")
def test_lines(vector: Vector, size: int) -> None:
    check_decoder(LineDecoder(limit_bytes=vector["limit_bytes"]), vector, size)


@vectors("messages.json")
def test_messages(vector: Vector) -> None:
    if "error" in vector:
        with pytest.raises(BadMessageError) as caught:
            decode_message(vector["frame"])
        assert caught.value.code == vector["error"]
        return
    one = decode_message(vector["frame"])
    assert one.fields == vector["fields"]
    if "line" in vector:
        assert as_line(one) == vector["line"]


@vectors("choice.json", "server")
def test_the_choice_of_a_server(vector: Vector) -> None:
    wire = ServerWire("test")
    assert wire.greeting.hex() == json.loads((WIRE / "choice.json").read_text())["greeting"]
    for fields in vector["said"]:
        wire.encode(Message(fields))
    data = bytes.fromhex(vector["bytes"])
    reply = wire.choose(data) if data else b""
    wire.feed(data)
    heard: list[Message] = []
    error = None
    try:
        while some := wire.take():
            heard += some
    except ProtocolError as caught:
        error = caught.code
    assert wire.choice.name.lower() == vector["wire"]
    assert reply.hex() == vector["reply"]
    assert [one.fields | {"text": one.text} for one in heard] == [{"text": "", **one} for one in vector["messages"]]
    assert error == vector.get("error")


@vectors("choice.json", "client")
def test_the_choice_of_a_client(vector: Vector) -> None:
    wire = ClientWire(insist=vector["insist"])
    shown = b""
    error = None
    try:
        shown = wire.feed(bytes.fromhex(vector["bytes"]))
    except ProtocolError as caught:
        error = caught.code
    assert error == vector.get("error")
    assert wire.phase.name.lower() == vector["phase"]
    assert shown.hex() == vector["shown"]
    assert [one.fields for one in wire.take()] == vector["messages"]
