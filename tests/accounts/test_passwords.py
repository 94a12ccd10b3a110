"""Hashes of passwords: what they are, what they cost, and which ones are refused."""

import re

import argon2
import pytest
from argon2.exceptions import HashingError, VerificationError

from sockctl.accounts.passwords import DEFAULT, Hasher, HashParameters, make_dummy_hash, parse_parameters
from sockctl.errors import HashFailedError
from tests.support.accounts import CHEAPEST, OTHER, PASSWORD


def test_the_default_is_rfc_9106s_second_recommended_option() -> None:
    hashed = Hasher(DEFAULT).hash(PASSWORD)
    assert re.fullmatch(r"\$argon2id\$v=19\$m=65536,t=3,p=4\$[\w+/]{22}\$[\w+/]{43}", hashed, re.ASCII), hashed
    parse_parameters(hashed)


def test_a_password_is_verified() -> None:
    hasher = Hasher(CHEAPEST)
    hashed = hasher.hash(PASSWORD)
    assert hasher.verify(hashed, PASSWORD)
    assert not hasher.verify(hashed, OTHER)
    assert hasher.hash(PASSWORD) != hashed, "each has a salt of its own"


def test_a_dummy_is_a_hash_of_no_password_and_costs_what_is_asked() -> None:
    parameters = HashParameters(time_cost=2, memory_kib=32, parallelism=2)
    dummies = {make_dummy_hash(parameters) for _ in range(50)}
    assert len(dummies) == 50
    for dummy in dummies:
        parse_parameters(dummy)
        assert parse_parameters(dummy) == parameters
        assert len(dummy) == len(Hasher(parameters).hash(PASSWORD))
    assert not Hasher(CHEAPEST).verify(dummies.pop(), PASSWORD)


def test_other_parameters_make_a_hash_outdated() -> None:
    hashed = Hasher(CHEAPEST).hash(PASSWORD)
    assert not Hasher(CHEAPEST).is_outdated(hashed)
    for other in ({"time_cost": 2}, {"memory_kib": 16}, {"memory_kib": 16, "parallelism": 2}):
        costs = {"time_cost": 1, "memory_kib": 8, "parallelism": 1, **other}
        assert Hasher(HashParameters(**costs)).is_outdated(hashed)
        assert Hasher(HashParameters(**costs)).verify(hashed, PASSWORD), "it is verified with its own"


SALT_AND_HASH = "$c2FsdHNhbHRzYWx0c2E$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNo"


@pytest.mark.parametrize(
    "head",
    [
        "$argon2id$v=19$m=4194304,t=1,p=1",  # 4 GiB
        "$argon2id$v=19$m=65536,t=1000,p=1",
        "$argon2id$v=19$m=2097152,t=3,p=1",
        "$argon2id$v=19$m=65536,t=3,p=200",
        "$argon2id$v=19$m=8,t=1,p=2",  # less than argon2 needs
        "$argon2id$v=19$m=65536,t=0,p=1",
        "$argon2id$v=16$m=65536,t=3,p=1",
        "$argon2i$v=19$m=65536,t=3,p=1",
        "$argon2d$v=19$m=65536,t=3,p=1",
        "$2b$12",
        "",
    ],
)
def test_a_hash_that_asks_for_absurd_costs_or_is_none_is_refused(head: str) -> None:
    with pytest.raises(ValueError, match=r"argon2id|memory|passes|parallelism") as caught:
        parse_parameters(head + SALT_AND_HASH)
    assert "c2Fsd" not in str(caught.value), "a hash is nobody's business"


@pytest.mark.parametrize("head", ["$argon2id$v=19$m=2097152,t=1,p=4", "$argon2id$v=19$m=65536,t=64,p=16"])
def test_a_hash_at_the_limits_will_do(head: str) -> None:
    parse_parameters(head + SALT_AND_HASH)


@pytest.mark.parametrize(
    "tail", ["", "$$", "$c2FsdHNhbHRzYWx0c2E$aGFzaA", "$c2E$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNo", "x"]
)
def test_what_has_no_salt_or_too_short_a_hash_is_refused(tail: str) -> None:
    with pytest.raises(ValueError, match="PHC"):
        parse_parameters("$argon2id$v=19$m=65536,t=3,p=4" + tail)


@pytest.mark.parametrize("change", ["cut", "bits"])
def test_a_hash_that_argon2_could_not_decode_is_refused(change: str) -> None:
    hashed = Hasher(CHEAPEST).hash(PASSWORD)
    spoiled = hashed[:-2] if change == "cut" else hashed[:-1] + chr(ord(hashed[-1]) + 1)
    with pytest.raises(HashFailedError, match="Decoding failed"):
        Hasher(CHEAPEST).verify(spoiled, PASSWORD)
    with pytest.raises(ValueError, match="PHC"):
        parse_parameters(spoiled)


def test_too_little_memory_is_no_wrong_password(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def __init__(self, **_: int) -> None:
            pass

        def hash(self, _: str) -> str:
            raise HashingError("Memory allocation error")

        def verify(self, _: str, __: str) -> bool:
            raise VerificationError("Memory allocation error")

    monkeypatch.setattr(argon2, "PasswordHasher", Full)
    hasher = Hasher(CHEAPEST)
    with pytest.raises(HashFailedError, match=r"Memory allocation error.*settings\.json"):
        hasher.hash(PASSWORD)
    with pytest.raises(HashFailedError, match="Memory allocation error"):
        hasher.verify("", PASSWORD)
