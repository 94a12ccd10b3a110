"""The texts of a measurement's messages, which carry their own checksum."""

import zlib

from sockctl.bench.said import Said, decode_said, encode_said
from tests.support.bench import RUN


def test_a_text_is_understood_only_unchanged() -> None:
    for size in (1, 64, 300):
        text = encode_said(RUN, 3, 17, 12.5, size)
        assert decode_said(RUN, text) == Said(3, 17, 12.5, max(size, len(text)))
        assert len(text) == size or size == 1
        assert decode_said("other", text) is None
        for number in range(len(text)):
            assert decode_said(RUN, f"{text[:number]}_{text[number + 1 :]}") is None
    assert decode_said(RUN, "hello") is None
    for due in ("inf", "nan", "abc", "1e12"):
        body = f"{RUN},3,17,{due},abc,"
        assert decode_said(RUN, f"{body}{zlib.crc32(body.encode()):08x}") is None
    assert encode_said(RUN, 0, 1, 0, 200)[:-9][-20:] != encode_said(RUN, 0, 2, 0, 200)[:-9][-20:], "not all are alike"
