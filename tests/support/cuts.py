"""Bytes cut anywhere, as a stream brings them."""

import pytest
from hypothesis import strategies as st

from sockctl.errors import ProtocolError
from sockctl.protocol.frames import FrameDecoder
from sockctl.protocol.lines import LineDecoder

cuts = st.lists(st.integers(0, 30), max_size=40)


def pieces(data: bytes, sizes: list[int]) -> list[bytes]:
    """Return `data` cut into pieces of these sizes, and the rest."""
    cut = []
    for size in sizes:
        cut.append(data[:size])
        data = data[size:]
    return [*cut, data]


def check_junk(decoder: FrameDecoder | LineDecoder, junk: list[bytes], *, limit_bytes: int) -> None:
    """See that junk gives texts within the limit, or errors that stay."""
    failed = False
    for piece in junk:
        decoder.feed(piece)
        try:
            assert all(len(text.encode()) <= limit_bytes for text in decoder.decode())
        except ProtocolError:
            failed = True
        else:
            assert not failed, "after an error nothing is right again"
    if failed:
        for call in (decoder.decode_next, decoder.decode, decoder.end):
            with pytest.raises(ProtocolError):
                call()
