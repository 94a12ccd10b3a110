import dataclasses

from sockctl.explain.network import Loopback
from sockctl.explain.topics.text import TEXT, TOPIC, Text


def test_characters_are_cut_and_put_together(loopback: Loopback) -> None:
    measured: Text = TOPIC.measure(loopback)
    assert measured.sent_bytes == len(TEXT.encode())
    assert bytes.fromhex(" ".join(portion.hex for portion in measured.portions)) == TEXT.encode()
    assert 0 < measured.cut < len(measured.portions)
    assert measured.joined == TEXT
    first, second = TOPIC.conclude(measured)
    assert "TypeError" in first
    assert f"{measured.cut} of {len(measured.portions)} portions" in second
    assert list(TOPIC.draw(measured))


def test_what_did_not_come_out_is_not_claimed(loopback: Loopback) -> None:
    measured: Text = TOPIC.measure(loopback)
    whole = tuple(dataclasses.replace(one, alone=one.together) for one in measured.portions)
    assert "None of" in list(TOPIC.conclude(dataclasses.replace(measured, portions=whole)))[1]
    assert "another text" in list(TOPIC.conclude(dataclasses.replace(measured, portions=whole[1:])))[1]
    assert "took the text" in next(iter(TOPIC.conclude(dataclasses.replace(measured, refusal=""))))
