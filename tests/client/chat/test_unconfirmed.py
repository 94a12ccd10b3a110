from sockctl.client.chat.unconfirmed import REMEMBERED, NumberedTexts


def test_each_text_is_found_once() -> None:
    texts = NumberedTexts()
    assert [texts.add("a"), texts.add("b")] == [1, 2]
    assert [texts.take(number) for number in (1, 1, 3, True, 2.0, "2", None, [2])] == ["a"] + [None] * 7
    assert texts.take(2) == "b"


def test_the_oldest_are_forgotten() -> None:
    texts = NumberedTexts()
    numbers = [texts.add("x") for _ in range(REMEMBERED + 1)]
    assert texts.take(numbers[0]) is None
    assert texts.take(numbers[1]) == "x"
