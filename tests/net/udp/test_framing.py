import os
import random

from sockctl.net.udp.framing import DATAGRAM, FAILURE, LONGEST_BYTES, find_frames, frame


def test_frames_come_back() -> None:
    sent = [b"", b"a", os.urandom(LONGEST_BYTES), b"\0" * 300]
    data = b"".join(map(frame, sent)) + frame(b"refused", FAILURE)
    found = [(kind, bytes(content)) for kind, content in find_frames(data)]
    assert found == [*((DATAGRAM, each) for each in sent), (FAILURE, b"refused")]


def test_a_frame_that_is_cut_is_left() -> None:
    data = frame(b"one") + frame(b"two")
    for end in range(len(data) + 1):
        found = [bytes(content) for _, content in find_frames(data[:end])]
        assert found == [b"one", b"two"][: end // 6]
    assert list(find_frames(random.Random(1).randbytes(2))) == []
