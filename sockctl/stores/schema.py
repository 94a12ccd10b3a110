"""The forms of JSON files, as tables of checks: the keys, their values, and the sentence for a wrong value.

    FORM = record({"hosts": mapping(record({"port": whole_number("is no port", least=1)}), key=...)})

A table is a function of a document, and refuses the first wrong value. The error names the place of the value, such as
``hosts["::1"].port``. It shows the value only if the sentence includes the error of a parser.
"""

import json
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn

from sockctl.errors import SockctlError, StoreFormatError
from sockctl.stores.timestamps import parse_timestamp
from sockctl.text import make_visible

Place = tuple[str | int, ...]
"""The keys and positions that lead to a value."""
Rule = Callable[[Any], str]
"""Returns the problem with a value of the right type, as the end of a sentence; empty for none."""
Check = Callable[..., None]
"""Called with a value and its place, which is () for a whole document; raises a StoreFormatError for a wrong value."""


def format_place(*keys: str | int) -> str:
    """Return the place of a value in a document, for an error: ``clients["127.0.0.1"].name``, ``users[0]``.

    A key that is no plain name gets quotes, and is safe on a terminal.
    """
    parts: list[str] = []
    for key in keys:
        if isinstance(key, str) and key.isascii() and key.isidentifier():
            parts.append(f".{key}" if parts else key)
        else:
            parts.append(f"[{make_visible(json.dumps(key, ensure_ascii=False))}]")
    return "".join(parts)


def refuse(place: Place, problem: str) -> NoReturn:
    """Raise the error that names a place and the problem with its value.

    Raises:
        StoreFormatError: Always.
    """
    raise StoreFormatError(f"{format_place(*place)} {problem}".lstrip())


# Rules.


def unless(holds: Callable[[Any], object], problem: str) -> Rule:
    """Return the rule that `holds` must be true of a value."""
    return lambda value: "" if holds(value) else problem


def parsed(parse: Callable[[Any], object], problem: str, *, unusual: str = "") -> Rule:
    """Return the rule that `parse` must accept a value.

    Args:
        parse: Raises a ValueError or a SockctlError for a wrong value.
        problem: The problem with such a value; ``{error}`` in it stands for the error's text.
        unusual: The problem with a value that `parse` changes; empty if it may.
    """

    def rule(value: Any) -> str:
        try:
            usual = parse(value)
        except (ValueError, SockctlError) as error:
            return problem.format(error=error)
        return unusual if unusual and usual != value else ""

    return rule


# Values.


def _check_of(
    kind: type, problem: str, rules: Iterable[Rule], check_values: Callable[[Any, Place], None] | None = None
) -> Check:
    """Return the check of a value of exactly one type: JSON's true is no number."""

    def check(value: Any, place: Place = (), /) -> None:
        if type(value) is not kind:
            refuse(place, problem)
        if check_values is not None:
            check_values(value, place)
        _follow(rules, value, place)

    return check


def _follow(rules: Iterable[Rule], value: Any, place: Place) -> None:
    for rule in rules:
        if problem := rule(value):
            refuse(place, problem)


def text(*rules: Rule, problem: str = "is no text") -> Check:
    """Return the check of a text."""
    return _check_of(str, problem, rules)


def whole_number(problem: str, *, least: float, most: float = math.inf) -> Check:
    """Return the check of a whole number within bounds."""
    return _check_of(int, problem, [unless(lambda number: least <= number <= most, problem)])


def nullable(check: Check) -> Check:
    """Return the check of a value that may be null."""

    def check_value(value: Any, place: Place = (), /) -> None:
        if value is not None:
            check(value, place)

    return check_value


flag = _check_of(bool, "is neither true nor false", [])
_NO_TIME = "is no time, such as 2026-01-31T12:00:00Z"
timestamp = text(parsed(parse_timestamp, _NO_TIME), problem=_NO_TIME)
"""Checks a moment in the form of `format_timestamp`."""


# Values that hold others.


def record(
    fields: Mapping[str, Check],
    *rules: Rule,
    optional: Mapping[str, Check] | None = None,
    closed: bool = False,
    problem: str = "is no object",
) -> Check:
    """Return the check of an object with certain keys.

    Args:
        fields: The keys that must be there, with the checks of their values.
        rules: The rules for the whole object, checked after these keys.
        optional: The keys that may be there, checked last.
        closed: Whether to refuse other keys; otherwise the check ignores them.
        problem: The problem with a value that is no such object.
    """
    may_be_there = optional or {}

    def check_values(value: Any, place: Place) -> None:
        if closed and value.keys() != fields.keys():
            refuse(place, problem)
        for key, check in fields.items():
            check(value.get(key), (*place, key))
        _follow(rules, value, place)
        for key, check in may_be_there.items():
            if key in value:
                check(value[key], (*place, key))

    return _check_of(dict, problem, (), check_values)


def mapping(check: Check, *rules: Rule, key: Rule | None = None) -> Check:
    """Return the check of an object with any keys.

    Args:
        check: The check of each value.
        rules: The rules for the whole object.
        key: The rule for each key.
    """

    def check_values(value: Any, place: Place) -> None:
        for name, one in value.items():
            if key is not None and (problem := key(name)):
                refuse((*place, name), problem)
            check(one, (*place, name))

    return _check_of(dict, "is no object", rules, check_values)


def array(check: Check, *rules: Rule, problem: str = "is no array") -> Check:
    """Return the check of an array.

    Args:
        check: The check of each value.
        rules: The rules for the whole array.
        problem: The problem with a value that is no array.
    """

    def check_values(value: Any, place: Place) -> None:
        for number, one in enumerate(value):
            check(one, (*place, number))

    return _check_of(list, problem, rules, check_values)
