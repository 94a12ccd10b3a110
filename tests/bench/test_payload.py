"""The bytes that echo clients send."""

import pytest

from sockctl.bench.payload import Payload, diagnose


@pytest.mark.parametrize("size", [1, 2, 64, 1_000, 65_521, 65_536, 1_000_000])
def test_a_stream_is_of_lines_that_differ(size: int) -> None:
    stream = Payload(size)
    messages = [stream.block[at : at + size] for at in range(0, stream.length, size)]
    assert all(message.endswith(b"\n") for message in messages) or size == 1
    assert len(messages) >= 3
    assert len(set(messages)) == len(messages) or size < 4
    assert stream.find_start(1) != stream.find_start(0)
    assert stream.view[stream.length : stream.length + 9] == stream.view[:9], "it begins anew"


def test_what_is_wrong_is_recognised() -> None:
    stream = Payload(64)
    block = stream.block
    assert diagnose(stream, 0, block[:9] + block[10:80]) == "missing"
    assert diagnose(stream, 0, block[:9] + block[8:80]) == "doubled"
    assert diagnose(stream, 64, block[64:74] + b"\0" + block[75:99]) == "corrupt"
    assert diagnose(stream, 0, block[:8]) == "corrupt"
