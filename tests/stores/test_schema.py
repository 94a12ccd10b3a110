"""The forms of JSON files as tables: what is refused, and which place the refusal names."""

import re
from typing import Any

import pytest

from sockctl.errors import StoreFormatError
from sockctl.stores.schema import (
    array,
    flag,
    format_place,
    mapping,
    nullable,
    parsed,
    record,
    text,
    timestamp,
    unless,
    whole_number,
)

FORM = record(
    {
        "name": text(unless(str.isalpha, "is no word")),
        "age": whole_number("is no age", least=0, most=150),
        "here": flag,
        "at": timestamp,
        "until": nullable(timestamp),
        "pets": array(text(), unless(lambda pets: len(pets) < 3, "are too many")),
        "keys": mapping(text(parsed(bytes.fromhex, "is no hex: {error}")), key=unless(str.islower, "has a loud name")),
    },
    unless(lambda person: person["name"] != "ann" or person["age"] > 5, "is too young"),
    optional={"size": record({"x": flag}, closed=True, problem="is no object with x alone")},
)
GOOD: dict[str, Any] = {
    "name": "ann",
    "age": 6,
    "here": True,
    "at": "2026-01-31T12:00:00Z",
    "until": None,
    "pets": ["cat"],
    "keys": {"door": "00ff"},
}


@pytest.mark.parametrize(
    "change",
    [{}, {"size": {"x": False}}, {"until": "2026-01-31T14:00:00+02:00"}, {"another": 1}, {"pets": [], "keys": {}}],
)
def test_the_right_form(change: dict[str, Any]) -> None:
    FORM(GOOD | change)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"name": None}, "name is no text"),
        ({"name": "a b"}, "name is no word"),
        ({"age": True}, "age is no age"),
        ({"age": 6.0}, "age is no age"),
        ({"age": -1}, "age is no age"),
        ({"age": 151}, "age is no age"),
        ({"age": 5}, "is too young"),
        ({"here": 1}, "here is neither true nor false"),
        ({"at": "2026-01-31T12:00:00"}, "at is no time, such as 2026-01-31T12:00:00Z"),
        ({"at": 5}, "at is no time, such as 2026-01-31T12:00:00Z"),
        ({"until": ""}, "until is no time, such as 2026-01-31T12:00:00Z"),
        ({"pets": {}}, "pets is no array"),
        ({"pets": ["cat", 1]}, "pets[1] is no text"),
        ({"pets": ["cat", "dog", "cow"]}, "pets are too many"),
        ({"keys": []}, "keys is no object"),
        ({"keys": {"DOOR": "00"}}, "keys.DOOR has a loud name"),
        ({"keys": {"a b": "0"}}, 'keys["a b"] is no hex: '),
        ({"size": None}, "size is no object with x alone"),
        ({"size": {"x": True, "y": True}}, "size is no object with x alone"),
        ({"size": {"x": 0}}, "size.x is neither true nor false"),
    ],
)
def test_the_first_value_that_will_not_do_is_named(change: dict[str, Any], problem: str) -> None:
    with pytest.raises(StoreFormatError, match=f"^{re.escape(problem)}"):
        FORM(GOOD | change)


def test_a_key_that_is_missing_is_named() -> None:
    with pytest.raises(StoreFormatError, match=r"^here is neither true nor false$"):
        FORM({key: value for key, value in GOOD.items() if key != "here"})


def test_a_text_in_another_than_the_usual_form() -> None:
    check = text(parsed(str.lower, "", unusual="is not in lower case"))
    check("ann")
    with pytest.raises(StoreFormatError, match=r"^users\[0\] is not in lower case$"):
        check("Ann", ("users", 0))


@pytest.mark.parametrize(
    ("keys", "place"),
    [
        (("clients", "127.0.0.1", "name"), 'clients["127.0.0.1"].name'),
        (("users", 0), "users[0]"),
        (("a b",), '["a b"]'),
        (("x", 'a"\x1b[2J\u202e\n'), 'x["a\\"\\u001b[2J\ufffd\\n"]'),
    ],
)
def test_places_in_a_document(keys: tuple[str | int, ...], place: str) -> None:
    assert format_place(*keys) == place
