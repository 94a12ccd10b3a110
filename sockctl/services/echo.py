"""The echo service (RFC 862): sends back each byte, or text in upper or lower case."""

import codecs
import enum
import functools
from collections.abc import Callable
from typing import ClassVar, final

from sockctl.net.raw_peer import RawPeer
from sockctl.net.service import RawService

CASED_BELOW = 0x20_000
"""No character from here on has another case (Unicode 16)."""


class Case(enum.StrEnum):
    """The case of the text that comes back."""

    UPPER = "upper"
    LOWER = "lower"


class CaseMapper:
    """Maps the case of UTF-8 text that comes in pieces, cut anywhere. Not thread-safe.

    The result doesn't depend on the cuts: the mapper keeps the beginning of a character until the rest comes, and maps
    a capital sigma always to the plain small one, since the next letter may be missing yet. Bytes that aren't UTF-8
    pass unchanged.
    """

    __slots__ = ("_case", "_decoder")

    def __init__(self, case: Case) -> None:
        self._case = case
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")

    def feed(self, data: bytes, *, final: bool = False) -> bytes:
        """Return the characters that `data` completes, mapped; with `final` also an incomplete one."""
        if data.isascii() and not self._decoder.getstate()[0]:
            return data.upper() if self._case is Case.UPPER else data.lower()
        text = self._decoder.decode(data, final)
        mapped = text.upper() if self._case is Case.UPPER else text.replace("Σ", "σ").lower()  # noqa: RUF001
        return mapped.encode("utf-8", "surrogateescape")


def map_datagram(case: Case, datagram: memoryview) -> bytes:
    """Return a datagram with its text mapped; a character that would get longer stays as it is.

    So the answer is no longer than the datagram, and a forged source gets no more bytes than its forger has sent.
    """
    data = bytes(datagram)
    if data.isascii():
        return data.upper() if case is Case.UPPER else data.lower()
    return data.decode("utf-8", "surrogateescape").translate(_make_table(case)).encode("utf-8", "surrogateescape")


@functools.cache
def _make_table(case: Case) -> dict[int, str]:
    """Return what each character becomes whose mapping has no more bytes of UTF-8."""
    mapped = ((char, char.upper() if case is Case.UPPER else char.lower()) for char in map(chr, range(CASED_BELOW)))
    return {ord(char): other for char, other in mapped if other != char and len(other.encode()) <= len(char.encode())}


@final
class Echo(RawService):
    """Sends back each byte."""

    name: ClassVar[str] = "echo"

    @property
    def does(self) -> str:
        """Say what the service does, in a sentence or two."""
        return "It serves echo (RFC 862): what a client sends comes back."

    def make_reaction(self, peer: RawPeer) -> Callable[[memoryview], object]:
        """Send back each batch: no call stands between reading and sending."""
        return peer.post


class CaseEcho(RawService):
    """Sends back text in another case.

    Args:
        case: The case.
    """

    name: ClassVar[str] = Echo.name

    def __init__(self, case: Case) -> None:
        self._case = case

    @property
    def does(self) -> str:
        """Say what the service does, in a sentence or two."""
        return f"It serves echo: what a client sends comes back in {self._case} case."

    def received(self, peer: RawPeer, data: memoryview) -> None:
        """Send back the complete characters."""
        if not isinstance(peer.state, CaseMapper):
            peer.state = CaseMapper(self._case)
        if mapped := peer.state.feed(bytes(data)):
            peer.post(mapped)

    def ended(self, peer: RawPeer) -> None:
        """Send back the bytes of a last, incomplete character."""
        if isinstance(peer.state, CaseMapper) and (rest := peer.state.feed(b"", final=True)):
            peer.post(rest)
