"""The user's name as a word in a text."""

import pytest

from sockctl.client.chat.mention import compile_mention


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("ann", "Ann: hi"),
        ("ann", "hi ann."),
        ("ann", "привет,ann!"),
        ("Иван", "иван, привет"),
        ("Иван", "(ИВАН)"),
        ("José", "hola jose\u0301!"),
        ("josé", "JOSÉ"),
        ("小明", "小明你好"),
        ("小明", "你好小明。"),
        ("小明2", "你好小明2你好"),
        ("さくら", "さくらさん"),
        ("ไทย", "สวัสดีไทยครับ"),
        ("민수", "민수야, 안녕"),
        ("नमन", "अरे नमन!"),
        ("מיכל", "שלום מיכל."),
        ("a.b", "a.b"),
    ],
)
def test_mentioned(name: str, text: str) -> None:
    assert compile_mention(name).search(text)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("ann", "anna"),
        ("ann", "joann"),
        ("ann", "ann-marie"),
        ("ann", "annя"),
        ("Иван", "Иванов"),
        ("Иван", "Диван"),
        ("Иван", "Иван-чай"),
        ("José", "Josés"),
        ("Jose", "José"),
        ("小明2", "小明23"),
        ("민수", "김민수"),
        ("नम", "नमी"),
        ("नम", "नम\u094d"),
        ("a.b", "axb"),
    ],
)
def test_not_mentioned(name: str, text: str) -> None:
    assert not compile_mention(name).search(text)
