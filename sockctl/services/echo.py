"""The echo service (RFC 862): each byte comes back, if wanted in upper or lower case."""

import codecs
import enum
from collections.abc import Callable
from typing import ClassVar, final

from sockctl.net.peer import RawPeer
from sockctl.net.service import RawService


class Case(enum.StrEnum):
    """The case that text is mapped to."""

    UPPER = "upper"
    LOWER = "lower"


class CaseMapper:
    """Maps the case of UTF-8 text that comes in pieces, cut anywhere. Not thread-safe.

    The result doesn't depend on where the text was cut: a character that is split over two pieces is mapped when it is
    whole, and a capital sigma always becomes the plain small one (the text around it may not have come yet). Bytes that
    aren't UTF-8 pass as they are.
    """

    __slots__ = ("_case", "_decoder")

    def __init__(self, case: Case) -> None:
        self._case = case
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")

    def feed(self, data: bytes, *, final: bool = False) -> bytes:
        """Return the characters that are whole after `data`, mapped; with `final` also an incomplete one."""
        if data.isascii() and not self._decoder.getstate()[0]:
            return data.upper() if self._case is Case.UPPER else data.lower()
        text = self._decoder.decode(data, final)
        mapped = text.upper() if self._case is Case.UPPER else text.replace("Σ", "σ").lower()  # noqa: RUF001
        return mapped.encode("utf-8", "surrogateescape")


@final
class Echo(RawService):
    """Sends back each byte."""

    name: ClassVar[str] = "echo"

    @property
    def does(self) -> str:
        """Say what the service does, in a sentence or two."""
        return "It serves echo (RFC 862): what a client sends comes back."

    def reaction(self, peer: RawPeer) -> Callable[[memoryview], object]:
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
        """Send back the characters that are whole."""
        if not isinstance(peer.state, CaseMapper):
            peer.state = CaseMapper(self._case)
        peer.post(peer.state.feed(bytes(data)))

    def ended(self, peer: RawPeer) -> None:
        """Send back the bytes of a last, incomplete character."""
        if isinstance(peer.state, CaseMapper):
            peer.post(peer.state.feed(b"", final=True))
