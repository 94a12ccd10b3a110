"""How long a text may be, and how its length is told."""

import pytest

from sockctl.errors import TextTooLongError
from sockctl.services.chat.text_limits import MAX_TEXT_BYTES, fits, refuse_long, refuse_long_block


@pytest.mark.parametrize("text", ["x" * 4096, "я" * 2048, "🦜" * 1024, ""])
def test_a_text_that_fits(text: str) -> None:
    assert fits(text)
    assert not fits(text + "x" * (MAX_TEXT_BYTES + 1 - len(text.encode())))
    refuse_long(text)


def test_letters_of_two_bytes_are_counted_for_people() -> None:
    with pytest.raises(TextTooLongError) as caught:
        refuse_long("я" * 2600)
    assert str(caught.value) == (
        "Your text has 2,600 characters (5,200 bytes): 4,096 bytes fit, which is about 2,048 of such characters. It "
        "was not said."
    )
    assert caught.value.code == "too_long"


def test_a_block_is_told_both_limits() -> None:
    refuse_long_block(["x" * 81] * 199 + ["x" * 66])
    with pytest.raises(TextTooLongError) as caught:
        refuse_long_block(["я"] * 201)
    assert str(caught.value) == (
        "Your block has 201 lines and 401 characters (602 bytes): 200 lines and 16,384 bytes fit, which is about "
        "10,913 of such characters. It was not said."
    )
    with pytest.raises(TextTooLongError, match="2 lines and 16,385 characters: 200 lines and 16,384 characters fit"):
        refuse_long_block(["x" * 16_383, "y"])
