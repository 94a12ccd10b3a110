"""``text``: sockets carry bytes; a character may be cut between two reads."""

import codecs
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sockctl.explain.network import Network, connect_pair
from sockctl.explain.topic import Block, Table, Topic
from sockctl.text import format_count

TEXT = "Größe: 👋 世界"
PORTION_BYTES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Portion:
    """What one recv() returned.

    Attributes:
        hex: The bytes.
        alone: The text that they are alone; None where they are no whole characters.
        together: The text that a decoder adds, which keeps the rest of a character for the next bytes.
    """

    hex: str
    alone: str | None
    together: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """What was measured.

    Attributes:
        text: The text.
        characters: How many characters it has.
        sent_bytes: How many bytes it is in UTF-8, as send() counted them.
        refusal: The error of a send() that was given the text itself; empty for none.
        portions: What the receiver got.
    """

    text: str
    characters: int
    sent_bytes: int
    refusal: str
    portions: tuple[Portion, ...]

    @property
    def cut(self) -> int:
        """How many of the portions are no whole characters."""
        return sum(portion.alone is None for portion in self.portions)

    @property
    def joined(self) -> str:
        """The text that the decoder has made of all portions."""
        return "".join(portion.together for portion in self.portions)


def measure(network: Network) -> Text:
    """Send a text, and receive it in small portions."""
    client, server = connect_pair(network)
    with client, server:
        refusal = _send_unencoded(client)
        sent = client.send(TEXT.encode())
        decoder = codecs.getincrementaldecoder("utf-8")()
        portions = []
        left = sent
        while left:
            data = server.recv(min(left, PORTION_BYTES))
            left -= len(data)
            portions.append(Portion(hex=data.hex(" "), alone=_decode(data), together=decoder.decode(data)))
    return Text(text=TEXT, characters=len(TEXT), sent_bytes=sent, refusal=refusal, portions=tuple(portions))


def _send_unencoded(client: socket.socket) -> str:
    text: Any = TEXT
    try:
        client.send(text)
    except TypeError as error:
        return f"{type(error).__name__}: {error}"
    return ""


def _decode(data: bytes) -> str | None:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


def draw(measured: Text) -> Iterator[Block]:
    """Yield the portions."""
    yield Table(
        caption=(
            f"'{measured.text}' is {measured.characters} characters and, in UTF-8, {measured.sent_bytes} bytes. "
            f"Received by recv({PORTION_BYTES}):"
        ),
        titles=("bytes", "each alone", "one decoder for all"),
        rows=tuple(
            (one.hex, "not UTF-8" if one.alone is None else repr(one.alone), repr(one.together))
            for one in measured.portions
        ),
    )


def conclude(measured: Text) -> Iterator[str]:
    """Yield the two sentences."""
    refused = f"send() refused the text itself ({measured.refusal})" if measured.refusal else "send() took the text"
    yield f"{refused}: a socket carries bytes, so one side encodes, and the other one decodes the same way."
    portions = format_count(len(measured.portions), "portion")
    if measured.cut and measured.joined == measured.text:
        yield (
            f"{measured.cut} of {portions} were no whole characters; a decoder that keeps the rest for the next one "
            f"gave back every character."
        )
    elif measured.joined == measured.text:
        yield f"None of {portions} cut a character in this run; the next one may."
    else:
        yield f"The decoder gave back {measured.joined!r}, which is another text."


TOPIC = Topic(
    question="How does text travel over a socket?",
    guess=f"The text '{TEXT}' has {len(TEXT)} characters: how many bytes go over the network (a number)?",
    measure=measure,
    draw=draw,
    conclude=conclude,
    attempt="sockctl serve echo --port 9090, and beside it: printf 'ß' | sockctl connect localhost 9090 --hex",
)
