"""The vectors in data/wire, with which a client in another language can be checked: ours must agree with them."""

import json
from pathlib import Path
from typing import Any

import pytest

from sockctl.errors import BadMessageError, NameRefusedError, ProtocolError
from sockctl.protocol.client_wire import ClientWire
from sockctl.protocol.frames import FrameDecoder
from sockctl.protocol.lines import LineDecoder
from sockctl.protocol.look_alikes import LookAlikes
from sockctl.protocol.messages import Message, decode_message, format_line, split_block
from sockctl.protocol.names import check_name, make_name_key
from sockctl.protocol.server_wire import ServerWire

WIRE = Path(__file__).parents[2] / "data" / "wire"
Vector = dict[str, Any]
CHOICE: Vector = json.loads((WIRE / "choice.json").read_text())


def vectors(name: str, side: str = "") -> pytest.MarkDecorator:
    """Return a file's vectors as parameters; a file without any is an error."""
    found = [one for one in json.loads((WIRE / name).read_text())["vectors"] if one.get("side", "") == side]
    assert found, f"{name} holds no vectors"
    return pytest.mark.parametrize("vector", found, ids=[one["name"] for one in found])


def pieces(vector: Vector, size: int) -> list[bytes]:
    data = bytes.fromhex(vector["bytes"])
    return [data[start : start + size] for start in range(0, len(data), size)]


def check_decoder(decoder: FrameDecoder | LineDecoder, vector: Vector, size: int) -> None:
    texts: list[str] = []
    error = None
    try:
        for piece in pieces(vector, size):
            decoder.feed(piece)
            while some := decoder.decode():
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
        assert format_line(one, unmarked_room="#lobby") == vector["line"]
    if "singles" in vector:
        assert [single.fields for single in split_block(one)] == vector["singles"]


@pytest.mark.parametrize("size", [1, 100_000])
@vectors("choice.json", "server")
def test_the_choice_of_a_server(vector: Vector, size: int) -> None:
    wire = ServerWire("test", limit_bytes=CHOICE["limit_bytes"])
    assert wire.greeting.hex() == CHOICE["greeting"]
    for fields in vector["said"]:
        wire.encode(Message(dict(fields)))
    reply = b""
    heard: list[Message] = []
    error = None
    try:
        for piece in pieces(vector, size):
            reply += wire.choose(piece)
            wire.feed(piece)
            while some := wire.decode():
                heard += some
        if vector["end"] and (last := wire.end()) is not None:
            heard.append(last)
    except ProtocolError as caught:
        error = caught.code
    assert wire.choice.name.lower() == vector["wire"]
    assert reply.hex() == vector["reply"]
    assert [one.fields for one in heard] == vector["messages"]
    assert error == vector.get("error")


@pytest.mark.parametrize("size", [1, 100_000])
@vectors("choice.json", "client")
def test_the_choice_of_a_client(vector: Vector, size: int) -> None:
    wire = ClientWire(insist=vector["insist"])
    shown = b""
    heard: list[Message] = []
    error = None
    try:
        for piece in pieces(vector, size):
            shown += wire.feed(piece)
            while some := wire.decode():
                heard += some
        if vector["end"]:
            shown += wire.end()
    except ProtocolError as caught:
        error = caught.code
    assert error == vector.get("error")
    assert wire.phase.name.lower() == vector["phase"]
    assert shown.hex() == vector["shown"]
    assert [one.fields for one in heard] == vector["messages"]


def test_every_file_and_every_vector_is_read() -> None:
    assert {path.name for path in WIRE.iterdir()} == {
        "frames.json",
        "lines.json",
        "messages.json",
        "choice.json",
        "names.json",
    }
    for path in WIRE.iterdir():
        found = json.loads(path.read_text())
        assert found["about"]
        sides = {"server", "client"} if path.name == "choice.json" else {None}
        assert {one.get("side") for one in found["vectors"]} == sides
        names = [(one.get("side"), one["name"]) for one in found["vectors"]]
        assert len(set(names)) == len(names), f"{path.name} has a name twice"


def test_every_error_of_the_wire_has_a_vector() -> None:
    codes = {one.get("error") for path in WIRE.iterdir() for one in json.loads(path.read_text())["vectors"]}
    # Those of a clock, of an echo's memory, and of RFC 6455, which Autobahn's cases test.
    of_others = {"timeout", "busy", "websocket", "not_websocket", "binary"}
    assert codes - {None} == {error.code for error in ProtocolError.__subclasses__()} - of_others | {
        NameRefusedError.code
    }


@vectors("names.json")
def test_names(vector: Vector) -> None:
    if "error" in vector:
        with pytest.raises(NameRefusedError) as caught:
            check_name(vector["text"])
        assert caught.value.code == vector["error"]
        return
    name = check_name(vector["text"])
    assert (name, make_name_key(name)) == (vector["shown"], vector["key"])
    assert LookAlikes(["ann", vector.get("like", "bob")]).find(name) == vector.get("like", "")
