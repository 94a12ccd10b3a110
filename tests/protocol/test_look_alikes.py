"""Names that look alike."""

import itertools
import unicodedata

import pytest
from confusable_homoglyphs.confusables import confusables_data
from hypothesis import given, settings
from hypothesis import strategies as st

from sockctl.protocol.look_alikes import LookAlikes, compute_skeletons, list_scripts
from sockctl.protocol.names import check_name, make_name_key
from tests.support.names import NAMES


def look_alike(one: str, other: str) -> bool:
    return not compute_skeletons(one).isdisjoint(compute_skeletons(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("aca", "аса"),
        ("HET", "НЕТ"),
        ("HET", "Нет".upper()),
        ("pocc", "росс"),
        ("lan", "Іаn"),
        ("οδος", "οδοσ"),
        ("ло", "лo"),
        ("カ", "力"),
        ("へ", "ヘ"),
        ("jose\u0301", "jos\u00e9"),
        ("rn", "m"),
        ("می\u200cخ", "میخ"),
    ],
)
def test_alike(one: str, other: str) -> None:
    assert look_alike(one, other)


@pytest.mark.parametrize(("one", "other"), [("ann", "anna"), ("jose", "josé"), ("иван", "ivan"), ("нет", "het")])
def test_not_alike(one: str, other: str) -> None:
    assert not look_alike(one, other)


def test_the_prototypes_are_those_of_the_table() -> None:
    """Each entry of the table and its prototype look alike, and so do all that have the same prototype."""
    for key, alike in confusables_data.items():
        for other in alike:
            pair = [text.replace("\u200e", "") for text in (key, other["c"])]
            if all(unicodedata.is_normalized("NFD", text) for text in pair):  # the rule decomposes a text first
                assert look_alike(*pair), pair


def test_scripts() -> None:
    assert list_scripts("a1_ж\u0301小-") == ["LATIN", "CYRILLIC", "HAN"]
    assert list_scripts("1_.\u0301") == []


def test_names_in_ascii_are_never_alike() -> None:
    looks = LookAlikes(["rn", "l0", "ж"])
    assert not looks.find("m")
    assert not looks.find("IO")
    assert not looks.find("rn")


def test_finding() -> None:
    looks = LookAlikes(["aca", "bob"])
    assert looks.find("аса") == "aca"
    assert not looks.find("аса", but={"aca"})
    looks.remove("aca")
    assert not looks.find("аса")
    looks.add("аса")
    assert looks.find("aca") == "аса"
    assert not looks.find("АСА"), "a name in another case is no other name"
    looks.add("bоb".replace("b", "ь"))
    looks.remove("аса")
    assert not looks.find("aca")
    looks.remove("bob")
    looks.remove("ьоь")
    assert not looks.find("ЬОЬ")


@settings(deadline=None)
@given(st.lists(NAMES, max_size=12))
def test_no_two_names_look_alike(texts: list[str]) -> None:
    looks = LookAlikes()
    taken: dict[str, str] = {}
    for text in texts:
        name = check_name(text)
        if make_name_key(name) not in taken and not looks.find(name):
            looks.add(name)
            taken[make_name_key(name)] = name
    for one, other in itertools.combinations(taken.values(), 2):
        assert not look_alike(one, other) or (one.isascii() and other.isascii()), (one, other)
        assert one.casefold() != other.casefold()
        assert unicodedata.normalize("NFKC", one) != unicodedata.normalize("NFKC", other)
    for name in taken.values():
        looks.remove(name)
    assert not any(map(looks.find, taken.values()))
