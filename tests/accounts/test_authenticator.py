"""The gate: who gets in, what the others learn (nothing), and what is written of it."""

import bisect
import contextlib
import datetime
import errno
import fcntl
import json
import math
import os
import random
import subprocess
import time
import unicodedata
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import argon2
import pytest
from argon2.exceptions import HashingError

from sockctl.accounts import authenticator as module
from sockctl.accounts.accounts import Accounts
from sockctl.accounts.active_logins import ActiveLogins
from sockctl.accounts.authenticator import Authenticator, Login
from sockctl.accounts.hash_queue import HashQueue
from sockctl.accounts.local_throttle import LocalThrottle
from sockctl.accounts.passwords import HashParameters, parse_parameters
from sockctl.accounts.session_tokens import REPLACED_S
from sockctl.accounts.throttle import PENALTIES, SIGNUP_BURST, Penalties
from sockctl.errors import (
    LoginFailedError,
    NameRefusedError,
    NameTakenError,
    PasswordRefusedError,
    SockctlError,
    StoreReadError,
    ThrottledError,
    TokenRefusedError,
    TokenReusedError,
    UnknownUserError,
)
from sockctl.stores.json_store import LOCK_TIMEOUT_S
from sockctl.stores.steady_clock import SteadyClock
from tests.support.accounts import OTHER, PASSWORD, accounts_at, fill_disk_of_sessions, make_cheap
from tests.support.clock import NOON, Clock

HERE = "192.0.2.7"
STRANGER = "198.51.100.9"
TIMEOUT_S = 20.0


def authenticator_at(
    accounts: Accounts, *, floor_s: float = 0.001, slots: int = 2, penalties: Penalties = PENALTIES
) -> Authenticator:
    """Return a gate whose throttle sees no time pass."""
    queue = HashQueue(slots=slots, throttle=LocalThrottle(lambda: 1000.0, penalties))
    return Authenticator(accounts, queue=queue, floor_s=floor_s)


def let_in(
    authenticator: Authenticator,
    name: str = "ann",
    password: str = PASSWORD,
    address: str = HERE,
    *,
    shown: Sequence[str] = (),
) -> Login:
    return authenticator.log_in(name, password, address, with_token=True, shown=shown)


def fail(authenticator: Authenticator, address: str, name: str = "ann") -> None:
    with pytest.raises(LoginFailedError):
        let_in(authenticator, name, OTHER, address)


def token_of(login: Login) -> str:
    assert login.session.token is not None
    return login.session.token


def test_the_right_password_gets_in(tmp_path: Path) -> None:
    accounts = accounts_at(tmp_path, "ann")
    login = let_in(authenticator_at(accounts), " Ann ")
    assert (login.user, login.kept, login.problem) == ("ann", True, "")
    assert [session.id for session in accounts.list_sessions("ann")] == [login.session.id]


def test_unknown_disabled_and_wrong_end_in_the_same_words(tmp_path: Path) -> None:
    accounts = accounts_at(tmp_path, "ann", "bob")
    accounts.disable("bob")
    authenticator = authenticator_at(accounts)
    failures = []
    for number, (name, password) in enumerate(
        [
            ("ann", OTHER),
            ("bob", PASSWORD),
            ("carl", PASSWORD),
            ("a b\x00", PASSWORD),
            ("", ""),
            ("ann", "\x07"),
            ("ann", ""),
        ]
    ):
        with pytest.raises(LoginFailedError) as caught:
            let_in(authenticator, name, password, f"192.0.2.{number}")
        failures.append((type(caught.value), str(caught.value), caught.value.code, caught.value.retry_after_s))
        assert PASSWORD not in str(caught.value) + repr(caught.value)
    assert len(set(failures)) == 1


def test_the_operator_learns_a_name_only_if_it_is_one(tmp_path: Path) -> None:
    authenticator = authenticator_at(accounts_at(tmp_path, "ann"))
    users = []
    for name in ("ann", "hunter2hunter2"):
        with pytest.raises(LoginFailedError) as caught:
            let_in(authenticator, name, OTHER)
        users.append(caught.value.user)
    assert users == ["ann", None], "it may be a password, typed at the wrong question"


def test_passwords_are_compared_as_text_not_as_bytes(tmp_path: Path) -> None:
    accounts = accounts_at(tmp_path)
    composed = "Zoë schläft unter der Brücke"
    accounts.add("ann", unicodedata.normalize("NFC", composed))
    accounts.add("bob", unicodedata.normalize("NFD", composed))
    authenticator = authenticator_at(accounts)
    for name in ("ann", "bob"):
        for form in ("NFC", "NFD"):
            let_in(authenticator, name, unicodedata.normalize(form, composed))
        let_in(authenticator, name, composed.replace(" ", "\N{NO-BREAK SPACE}"))
        with pytest.raises(LoginFailedError):
            let_in(authenticator, name, composed.lower())


def test_a_password_of_1025_bytes(tmp_path: Path) -> None:
    accounts = accounts_at(tmp_path)
    longest = "".join(random.Random(1).choices("abcdefghijkmnpqrstuvwxyz ", k=1023)) + "x"
    accounts.add("ann", longest)
    authenticator = authenticator_at(accounts)
    let_in(authenticator, "ann", longest)
    with pytest.raises(LoginFailedError):
        let_in(authenticator, "ann", longest + "y")
    with pytest.raises(PasswordRefusedError, match=r"1,?024"):
        accounts.add("bob", longest + "y")


def kolmogorov_smirnov(first: list[float], second: list[float]) -> float:
    """Return the p-value of the two-sample test (asymptotic; Numerical Recipes, section 14.3)."""
    first, second = sorted(first), sorted(second)
    distance: float = max(
        abs(bisect.bisect_right(first, x) / len(first) - bisect.bisect_right(second, x) / len(second))
        for x in first + second
    )
    effective = math.sqrt(len(first) * len(second) / (len(first) + len(second)))
    x = (effective + 0.12 + 0.11 / effective) * distance
    terms = (math.exp(-2 * k * k * x * x) * (1 if k % 2 else -1) for k in range(1, 101))
    return min(1.0, max(0.0, 2 * math.fsum(terms)))


def test_the_test_of_the_times_sees_a_difference() -> None:
    chance = random.Random(7)
    times = [chance.gauss(5, 0.1) for _ in range(3000)]
    assert kolmogorov_smirnov(times[:1000], times[1000:2000]) > 0.001
    assert kolmogorov_smirnov(times[:1000], [time + 0.03 for time in times[1000:2000]]) < 0.001


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_unknown_disabled_and_wrong_take_the_same_time(tmp_path: Path) -> None:
    accounts = accounts_at(tmp_path, "ann", "bob")
    accounts.disable("bob")
    tries = [name for name in ("ann", "bob", "carl") for _ in range(1000)]
    now = 0.0
    authenticator = Authenticator(
        accounts, queue=HashQueue(slots=1, throttle=LocalThrottle(lambda: now)), floor_s=0.004
    )
    p_values = []
    for seed in range(3):  # on a machine that others use, one disturbance may fall on one of the three kinds
        took_s: dict[str, list[float]] = {"ann": [], "bob": [], "carl": []}
        random.Random(seed).shuffle(tries)
        for name in tries:
            now += 100_000  # the throttle forgets
            began = time.perf_counter()
            with pytest.raises(LoginFailedError):
                authenticator.log_in(name, OTHER, HERE, with_token=True)
            took_s[name].append(time.perf_counter() - began)
        p_values = [
            kolmogorov_smirnov(took_s[one], took_s[other])
            for one, other in (("ann", "bob"), ("ann", "carl"), ("bob", "carl"))
        ]
        if min(p_values) > 0.001:
            return
    pytest.fail(f"the times differ: {p_values}")


def test_a_failure_is_answered_at_the_floor_and_a_success_at_once(tmp_path: Path) -> None:
    accounts = accounts_at(tmp_path, "ann")
    began = time.monotonic()
    let_in(authenticator_at(accounts, floor_s=60.0))
    assert time.monotonic() - began < 30.0
    authenticator = authenticator_at(accounts, floor_s=1.0)
    took_s = 2.0
    for number in range(3):  # a busy machine may be late now and then
        began = time.monotonic()
        with pytest.raises(LoginFailedError):
            let_in(authenticator, password=OTHER, address=f"192.0.2.{number}")
        took_s = time.monotonic() - began
        assert took_s >= 1.0
        if took_s < 1.9:
            break
    assert took_s < 1.9


def test_nobody_sleeps_in_a_slot(tmp_path: Path) -> None:
    names = [f"user{number}" for number in range(20)]
    authenticator = authenticator_at(accounts_at(tmp_path, *names), floor_s=1.0, slots=1)
    began = time.monotonic()
    with ThreadPoolExecutor(20) as pool:
        tries = enumerate(names)
        ends = [pool.submit(let_in, authenticator, name, OTHER, f"192.0.2.{number}") for number, name in tries]
        assert all(isinstance(end.exception(TIMEOUT_S), LoginFailedError) for end in ends)
    assert time.monotonic() - began < 1.0 * 20 - 0.5


def test_twenty_guesses_in_parallel(tmp_path: Path) -> None:
    accounts = accounts_at(tmp_path, "ann")
    authenticator = authenticator_at(accounts, floor_s=0.2, slots=4)
    let_in(authenticator, address="203.0.113.9")

    with ThreadPoolExecutor(20) as pool:
        ends = [pool.submit(let_in, authenticator, "ann", f"{OTHER} {n}", STRANGER) for n in range(20)]
        kinds = [type(end.exception(TIMEOUT_S)) for end in ends]
        assert kinds.count(LoginFailedError) == 3
        assert kinds.count(ThrottledError) == 17
    with pytest.raises(ThrottledError):
        let_in(authenticator, address=STRANGER)
    let_in(authenticator)


def test_sixty_strangers_keep_nobody_out(tmp_path: Path) -> None:
    authenticator = authenticator_at(accounts_at(tmp_path, "ann"), penalties=Penalties(failure_s=0.0))
    for number in range(60):
        for _ in range(5):
            fail(authenticator, f"198.51.100.{number}")
        with pytest.raises(ThrottledError):
            let_in(authenticator, address=f"198.51.100.{number}")
    let_in(authenticator, address="203.0.113.77")


def test_a_hostile_neighbour_holds_up_no_known_network(tmp_path: Path) -> None:
    accounts = accounts_at(tmp_path, "ann", "bob")
    let_in(authenticator_at(accounts))
    authenticator = authenticator_at(Accounts(tmp_path))  # it is known from its session, after a restart as well
    for _ in range(3):
        fail(authenticator, HERE, "bob")
    with pytest.raises(ThrottledError):
        let_in(authenticator, "bob")
    let_in(authenticator)


@pytest.mark.parametrize("state", ["expired", "revoked", "used up", "of another password"])
def test_a_device_that_shows_a_token_of_the_account_goes_ahead(tmp_path: Path, state: str) -> None:
    clock = Clock()
    accounts = accounts_at(tmp_path, "ann", "bob", clock=clock)
    authenticator = authenticator_at(accounts)
    login = let_in(authenticator, address="203.0.113.9")
    token = token_of(login)
    match state:
        case "expired":
            clock.now += datetime.timedelta(days=31)
        case "revoked":
            accounts.sessions.end(login.session.id)
        case "used up":
            authenticator.resume(token_of(authenticator.resume(token, HERE)), HERE)
        case "of another password":
            accounts.set_password("ann", PASSWORD)
    authenticator = authenticator_at(Accounts(tmp_path, clock=clock))  # after a restart
    for _ in range(3):
        fail(authenticator, STRANGER, "bob")
    with pytest.raises(ThrottledError):
        let_in(authenticator, address=STRANGER)
    with pytest.raises(ThrottledError):
        let_in(authenticator, "bob", address=STRANGER, shown=[token])
    with pytest.raises(ThrottledError):
        let_in(authenticator, address=STRANGER, shown=["", "junk", f"{token[:-1]}?", token.swapcase()])
    let_in(authenticator, address=STRANGER, shown=["junk", token])


def test_a_stolen_token_makes_guessing_no_faster(tmp_path: Path) -> None:
    authenticator = authenticator_at(accounts_at(tmp_path, "ann"), penalties=Penalties(failure_s=0.0))
    token = token_of(let_in(authenticator))
    for number in range(5):
        with pytest.raises(LoginFailedError):
            let_in(authenticator, password=OTHER, address=f"198.51.100.{number}", shown=[token])
    with pytest.raises(ThrottledError):
        let_in(authenticator, address="198.51.100.99", shown=[token])
    let_in(authenticator)


def test_a_device_counts_as_unknown_where_the_key_can_not_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts = accounts_at(tmp_path, "ann")
    authenticator = authenticator_at(accounts)
    token = token_of(let_in(authenticator, address="203.0.113.9"))

    def unreadable(*_: object) -> None:
        raise StoreReadError("settings.json can't be read")

    monkeypatch.setattr(accounts.device_tokens, "find_device", unreadable)
    let_in(authenticator, shown=[token])


def test_an_ipv6_network_has_the_prefix_that_was_chosen(tmp_path: Path) -> None:
    accounts = accounts_at(tmp_path, "ann", "bob", "carl")
    for prefix, other in ((64, "2001:db8:0:1::1"), (48, "2001:db8:1::1")):
        queue = HashQueue(slots=2, throttle=LocalThrottle(lambda: 1000.0))
        authenticator = Authenticator(accounts, queue=queue, floor_s=0.001, ipv6_prefix=prefix)
        for number in range(3):
            fail(authenticator, f"2001:db8::{number}", "bob")
        with pytest.raises(ThrottledError):
            let_in(authenticator, address="2001:db8::9")
        let_in(authenticator, "carl", address=other)


@dataclass
class Hashed:
    """What was hashed: the parameters of each verification, and its password."""

    parameters: list[HashParameters]

    def of(self, authenticator: Authenticator, name: str, password: str = OTHER) -> list[HashParameters]:
        """Return in which order what was hashed by a try that fails."""
        self.parameters.clear()
        with pytest.raises(LoginFailedError):
            let_in(authenticator, name, password)
        return sorted(self.parameters, key=lambda one: one.memory_kib)


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> Hashed:
    verify, one = argon2.PasswordHasher.verify, Hashed([])

    def counted(self: argon2.PasswordHasher, stored: str, password: str) -> bool:
        one.parameters.append(parse_parameters(stored))
        return verify(self, stored, password)

    monkeypatch.setattr(argon2.PasswordHasher, "verify", counted)
    return one


COSTS = [HashParameters(time_cost=1, memory_kib=memory_kib, parallelism=1) for memory_kib in (8, 16, 32)]


def with_costs(data_dir: Path) -> Accounts:
    """Return accounts whose users have hashes of three costs, of which none is that of new hashes."""
    accounts_at(data_dir, "cheap", "locked")
    make_cheap(data_dir, memory_kib=16)
    Accounts(data_dir).add("middle", PASSWORD)
    make_cheap(data_dir, memory_kib=32)
    Accounts(data_dir).add("slow", PASSWORD)
    make_cheap(data_dir, memory_kib=64)
    accounts = Accounts(data_dir)
    accounts.disable("locked")
    return accounts


def test_every_refusal_hashes_with_the_same_costs(tmp_path: Path, hashed: Hashed) -> None:
    authenticator = authenticator_at(with_costs(tmp_path), penalties=Penalties(failure_s=0.0))
    for name in ("cheap", "middle", "slow", "nobody", "locked", ""):
        assert hashed.of(authenticator, name) == COSTS, name
    assert hashed.of(authenticator, "cheap", "\x07") == COSTS, "what can't be a password"
    assert hashed.of(authenticator, "locked", PASSWORD) == COSTS
    hashed.parameters.clear()
    let_in(authenticator, "cheap")
    assert hashed.parameters == COSTS[:1], "who gets in doesn't wait for it"


def test_the_costs_of_a_refusal_follow_the_users(tmp_path: Path, hashed: Hashed) -> None:
    accounts = with_costs(tmp_path)
    authenticator = authenticator_at(accounts, penalties=Penalties(failure_s=0.0))
    accounts.remove("slow")
    assert hashed.of(authenticator, "nobody") == COSTS[:2]
    let_in(authenticator, "middle")  # which makes its hash anew
    assert [one.memory_kib for one in hashed.of(authenticator, "nobody")] == [8, 64]
    for name in ("cheap", "middle", "locked"):
        accounts.remove(name)
    assert [one.memory_kib for one in hashed.of(authenticator, "nobody")] == [64], (
        "without users, what a new hash costs"
    )


def test_a_login_makes_an_outdated_hash_anew(tmp_path: Path) -> None:
    before = accounts_at(tmp_path, "ann").users.get("ann")
    make_cheap(tmp_path, memory_kib=16)
    accounts = Accounts(tmp_path)
    with pytest.raises(LoginFailedError):
        let_in(authenticator_at(accounts), password=OTHER)
    assert accounts.users.get("ann") == before
    first = let_in(authenticator_at(accounts))
    after = accounts.users.get("ann")
    assert "m=16," in after.hash
    assert after.credential_generation == before.credential_generation, "sessions stay"
    assert accounts.is_current(first.session)
    let_in(authenticator_at(accounts))
    assert accounts.users.get("ann") == after, "once"


def test_a_disk_that_is_full_keeps_nobody_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    accounts_at(tmp_path, "ann")
    make_cheap(tmp_path, memory_kib=16)
    accounts = Accounts(tmp_path)
    accounts.settings.read_server_id()
    authenticator = authenticator_at(accounts)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", full)
    fill_disk_of_sessions(monkeypatch)
    login = let_in(authenticator)
    assert login.user == "ann"
    assert not login.kept
    assert login.session.token is None
    assert "No space left" in login.problem
    monkeypatch.undo()
    assert accounts.users.get("ann").hash.count("m=8,") == 1, "the old hash does as well"


def test_a_rehash_that_can_not_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    accounts_at(tmp_path, "ann")
    make_cheap(tmp_path, memory_kib=16)
    accounts = Accounts(tmp_path)
    replace = os.replace

    def full(source: str, target: str) -> None:
        if str(target).endswith("users.json"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        replace(source, target)

    authenticator = authenticator_at(accounts)
    monkeypatch.setattr(os, "replace", full)
    login = let_in(authenticator)
    assert login.kept
    assert login.session.token is not None
    assert "users.json can't be written: No space left" in login.problem


def test_a_rehash_without_memory_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    accounts_at(tmp_path, "ann")
    make_cheap(tmp_path, memory_kib=16)
    accounts = Accounts(tmp_path)
    authenticator = authenticator_at(accounts)

    def full(*_: object) -> str:
        raise HashingError("Memory allocation error")

    monkeypatch.setattr(argon2.PasswordHasher, "hash", full)
    assert let_in(authenticator).problem == ""


def test_a_token_gets_in_and_is_another_one_afterwards(tmp_path: Path) -> None:
    clock = Clock()
    authenticator = authenticator_at(accounts_at(tmp_path, "ann", clock=clock))
    first = token_of(let_in(authenticator))
    second = authenticator.resume(first, HERE)
    assert second.user == "ann"
    clock.now += datetime.timedelta(seconds=REPLACED_S)
    third = authenticator.resume(token_of(second), HERE)
    clock.now += datetime.timedelta(seconds=REPLACED_S)
    with pytest.raises(TokenReusedError):
        authenticator.resume(first, HERE)
    with pytest.raises(TokenRefusedError):
        authenticator.resume(token_of(third), HERE)


@pytest.mark.parametrize("change", ["password", "disable", "remove", "again", "revoke", "revoke all", "log out"])
def test_a_token_is_replayed_after(tmp_path: Path, change: str) -> None:
    accounts = accounts_at(tmp_path, "ann", "bob")
    authenticator = authenticator_at(accounts)
    login, others = let_in(authenticator), let_in(authenticator, "bob")
    commands = Accounts(tmp_path)  # as another process has it
    match change:
        case "password":
            commands.set_password("ann", OTHER)
        case "disable":
            commands.disable("ann")
            commands.users.enable("ann")
        case "remove":
            commands.remove("ann")
        case "again":
            commands.remove("ann")
            commands.add("ann", PASSWORD)
        case "revoke" | "log out":
            commands.sessions.end(login.session.id)
        case "revoke all":
            commands.sessions.end_all("ann")
    with pytest.raises(TokenRefusedError):
        authenticator.resume(token_of(login), HERE)
    authenticator.resume(token_of(others), HERE)
    with pytest.raises(TokenRefusedError):
        authenticator_at(Accounts(tmp_path)).resume(token_of(login), HERE)


def test_sessions_that_could_not_be_dropped_are_void_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts = accounts_at(tmp_path, "ann")
    authenticator = authenticator_at(accounts)
    login = let_in(authenticator)
    with monkeypatch.context() as patch:
        fill_disk_of_sessions(patch)
        Accounts(tmp_path).set_password("ann", OTHER)
    assert accounts.sessions.find(login.session.id) is not None
    assert accounts.list_sessions() == []
    with pytest.raises(TokenRefusedError):
        authenticator.resume(token_of(login), HERE)


def test_signing_up(tmp_path: Path) -> None:
    accounts = accounts_at(tmp_path, "ann")
    authenticator = authenticator_at(accounts)
    login = authenticator.sign_up("Zoe", OTHER, HERE, with_token=True)
    assert login.user == "zoe"
    assert let_in(authenticator, "zoe", OTHER).user == "zoe"
    for name, password, error in (
        ("Ann", OTHER, NameTakenError),
        ("root", OTHER, NameRefusedError),
        ("a b", OTHER, NameRefusedError),
        ("carl", "short", PasswordRefusedError),
        ("carl", "password1234", PasswordRefusedError),
    ):
        with pytest.raises(error):
            authenticator.sign_up(name, password, HERE, with_token=True)
    assert [user.name for user in accounts.users.list_all()] == ["ann", "zoe"]


def test_who_signs_up_under_the_same_name_later_ends_no_session(tmp_path: Path) -> None:
    accounts = accounts_at(tmp_path)

    @contextlib.contextmanager
    def meanwhile() -> Iterator[None]:
        user = accounts.users.add("zoe", accounts.hasher.hash(PASSWORD))
        accounts.sessions.begin(user, HERE, with_token=True)
        yield

    with pytest.raises(NameTakenError):
        accounts.add("zoe", OTHER, turn=meanwhile)
    assert len(accounts.list_sessions("zoe")) == 1


def test_nobody_waits_in_a_slot_for_a_file(tmp_path: Path) -> None:
    accounts = accounts_at(tmp_path, "ann", "bob")
    authenticator = authenticator_at(accounts, slots=1)
    user = authenticator.confirm("bob", PASSWORD, HERE)
    with ThreadPoolExecutor(2) as pool:
        with (tmp_path / "users.json.lock").open() as lock:  # as another process does that was stopped
            fcntl.flock(lock, fcntl.LOCK_EX)
            ends: list[Future[Any]] = [
                pool.submit(authenticator.sign_up, "zoe", OTHER, HERE, with_token=True),
                pool.submit(authenticator.set_password, user, OTHER, HERE),
            ]
            began = time.monotonic()
            while time.monotonic() - began < 1:
                let_in(authenticator)
            assert not any(end.done() for end in ends)
        for end in ends:
            end.result(TIMEOUT_S)


def test_who_has_signed_up_is_known(tmp_path: Path) -> None:
    authenticator = authenticator_at(accounts_at(tmp_path, "bob"))
    authenticator.sign_up("zoe", OTHER, HERE, with_token=True)
    for _ in range(3):
        fail(authenticator, HERE, "bob")
    with pytest.raises(ThrottledError):
        let_in(authenticator, "bob")
    let_in(authenticator, "zoe", OTHER)


def test_signing_up_is_limited_by_address(tmp_path: Path) -> None:
    authenticator = authenticator_at(accounts_at(tmp_path))
    for _ in range(SIGNUP_BURST):
        assert authenticator.may_sign_up(HERE)
        assert authenticator.count_signup(HERE)
    assert not authenticator.may_sign_up(HERE)
    assert not authenticator.count_signup(HERE)
    assert authenticator.count_signup("192.0.2.8")


def test_another_password(tmp_path: Path) -> None:
    accounts = accounts_at(tmp_path, "ann")
    authenticator = authenticator_at(accounts)
    with pytest.raises(LoginFailedError):
        authenticator.confirm("ann", OTHER, HERE)
    user = authenticator.confirm("ann", PASSWORD, HERE)
    with pytest.raises(PasswordRefusedError):
        authenticator.set_password(user, "qwertyuiop12", HERE)
    authenticator.set_password(user, OTHER, HERE)
    let_in(authenticator, password=OTHER)
    with pytest.raises(UnknownUserError, match="changed meanwhile"):
        authenticator.set_password(user, PASSWORD, HERE)


def test_accounts_know_who_has_which_password(tmp_path: Path) -> None:
    accounts = accounts_at(tmp_path, "ann")
    assert accounts.verify(accounts.users.get("ann"), PASSWORD)
    assert not accounts.verify(accounts.users.get("ann"), OTHER)
    assert not accounts.verify(accounts.users.get("ann"), "\x00")
    with pytest.raises(UnknownUserError):
        accounts.set_password("bob", OTHER)


def test_no_secret_is_in_any_file_or_repr(tmp_path: Path) -> None:
    accounts = accounts_at(tmp_path, "ann")
    authenticator = authenticator_at(accounts)
    first = let_in(authenticator)
    second = authenticator.resume(token_of(first), HERE)
    secrets = [PASSWORD, *(token_of(one).partition(".")[2] for one in (first, second))]
    shown = "".join(map(repr, (first, second, accounts.users.get("ann"), accounts, authenticator)))
    command = ["cat", *map(str, tmp_path.iterdir())]  # another process: reading here would end SQLite's locks
    kept = subprocess.run(command, capture_output=True, check=True, timeout=TIMEOUT_S).stdout
    assert first.session.id.encode() in kept
    for secret in secrets:
        assert secret not in shown
        assert secret.encode() not in kept


class Live:
    """Logins that are open, and what became of them."""

    def __init__(self, accounts: Accounts, *, tidy_after_s: float = 3_600) -> None:
        self.live = ActiveLogins(accounts, tidy_after_s=tidy_after_s)
        self.ended: list[str] = []

    def enter(self, name: str, login: Login) -> None:
        self.live.add(name, login, lambda: self.ended.append(name))


@pytest.mark.parametrize("change", ["password", "disable", "remove", "revoke", "expire", "expire for good"])
def test_a_change_ends_who_is_in(tmp_path: Path, change: str) -> None:
    clock = Clock()
    accounts = accounts_at(tmp_path, "ann", "bob", clock=clock)
    authenticator, live = authenticator_at(accounts), Live(accounts)
    login = let_in(authenticator)
    live.enter("ann", login)
    live.enter("unkept", Login(login.session, kept=False))
    live.live.look()
    assert live.ended == []
    commands = Accounts(tmp_path, clock=clock)
    match change:
        case "password":
            commands.set_password("ann", OTHER)
        case "disable":
            commands.disable("ann")
        case "remove":
            commands.remove("ann")
        case "revoke":
            commands.sessions.end(login.session.id)
        case "expire":
            clock.now += datetime.timedelta(days=1)
        case "expire for good":
            clock.now += datetime.timedelta(days=30)
    live.enter("bob", let_in(authenticator, "bob"))
    live.live.look()
    live.live.look()
    unkept = ["unkept"] if change in {"password", "disable", "remove"} else []
    assert live.ended == ["ann", *unkept], "once"


def test_a_quiet_connection_keeps_its_session(tmp_path: Path) -> None:
    clock = Clock()
    accounts = accounts_at(tmp_path, "ann", clock=clock)
    live = Live(accounts)
    live.enter("ann", let_in(authenticator_at(accounts)))
    for _ in range(30):
        clock.now += datetime.timedelta(hours=1)
        live.live.look()
    assert live.ended == []


def test_what_is_said_and_left_is_written_later_by_one_thread(tmp_path: Path) -> None:
    clock = Clock()
    accounts = accounts_at(tmp_path, "ann", clock=clock)
    authenticator, live = authenticator_at(accounts), Live(accounts)
    kept, passing = let_in(authenticator), authenticator.log_in("ann", PASSWORD, HERE, with_token=False)
    live.enter("kept", kept)
    live.enter("passing", passing)
    clock.now += datetime.timedelta(minutes=2)
    before = accounts.list_sessions()
    live.live.note_use("kept")
    live.live.note_use("nobody")
    live.live.remove("passing")
    live.live.remove("nobody")
    assert accounts.list_sessions() == before
    live.live.look()
    (left,) = accounts.list_sessions()
    assert (left.id, left.last_used) == (kept.session.id, clock.now), "what nobody can resume has ended"


def test_live_logins_have_a_thread_of_their_own(tmp_path: Path) -> None:
    accounts = accounts_at(tmp_path, "ann")
    live = Live(accounts)
    live.live.start()
    try:
        live.enter("ann", let_in(authenticator_at(accounts)))
        began = time.monotonic()
        Accounts(tmp_path).disable("ann")
        while not live.ended:
            assert time.monotonic() - began < TIMEOUT_S
            time.sleep(0.01)
    finally:
        live.live.stop()


def test_a_file_that_is_locked_delays_no_end(tmp_path: Path) -> None:
    accounts = accounts_at(tmp_path, "ann", "bob")
    authenticator, live = authenticator_at(accounts), Live(accounts)
    live.enter("ann", let_in(authenticator))
    live.enter("passing", authenticator.log_in("bob", PASSWORD, HERE, with_token=False))
    with (tmp_path / "sessions.db.lock").open() as lock:  # as another process does that was stopped
        fcntl.flock(lock, fcntl.LOCK_EX)
        live.live.remove("passing")
        began = time.monotonic()
        live.live.look()
        accounts.users.disable("ann")
        live.live.look()
        assert live.ended == ["ann"]
        assert time.monotonic() - began < LOCK_TIMEOUT_S - 0.5
    assert len(accounts.sessions.list_all()) == 2
    live.live.look()
    assert [session.user for session in accounts.sessions.list_all()] == ["ann"], "the other one has ended after all"


def test_files_that_can_not_be_read_end_nobody(tmp_path: Path) -> None:
    accounts = accounts_at(tmp_path, "ann")
    live = Live(accounts)
    live.enter("ann", let_in(authenticator_at(accounts)))
    (tmp_path / "users.json").write_text("")
    live.live.look()
    accounts.sessions.close()
    (tmp_path / "sessions.db").write_text("oops")
    live.live.look()
    live.live.remove("ann")
    live.live.look()
    assert live.ended == []


def test_a_clock_that_was_wrong_for_a_moment_ends_no_session(tmp_path: Path) -> None:
    system, steady = Clock(), [0.0]
    accounts_at(tmp_path, "ann")
    accounts = Accounts(tmp_path, clock=SteadyClock(system=system, steady=lambda: steady[0], lasting_s=600))
    authenticator = authenticator_at(accounts)
    live = Live(accounts, tidy_after_s=0)
    kept = let_in(authenticator)
    live.enter("kept", kept)
    for wrong in (datetime.timedelta(days=40), -datetime.timedelta(days=40)):
        system.now += wrong
        for _ in range(4):
            system.now += datetime.timedelta(seconds=0.5)
            steady[0] += 0.5
            live.live.look()
        assert Accounts(tmp_path, clock=system).sessions.end_all("bob") == [], "a command changes something meanwhile"
        kept = authenticator.resume(token_of(kept), HERE)
        system.now -= wrong
        live.live.look()
        assert live.ended == []
        kept = authenticator.resume(token_of(kept), HERE)
    found = accounts.sessions.find(kept.session.id)
    assert found is not None
    assert found.created == NOON, "nor does it last longer"


def test_what_has_expired_is_forgotten_in_time(tmp_path: Path) -> None:
    clock = Clock()
    accounts = accounts_at(tmp_path, "ann", clock=clock)
    authenticator = authenticator_at(accounts)
    let_in(authenticator)
    clock.now += datetime.timedelta(days=1)
    Live(accounts).live.look()
    earlier = Accounts(tmp_path, clock=Clock())
    assert len(earlier.sessions.list_all()) == 1, "not soon after the start"
    Live(accounts, tidy_after_s=0).live.look()
    assert earlier.sessions.list_all() == []


def test_a_gate_needs_files_that_can_be_used(tmp_path: Path) -> None:
    accounts_at(tmp_path, "ann")
    path = tmp_path / "users.json"
    content = json.loads(path.read_text())
    content["users"]["ann"]["hash"] = content["users"]["ann"]["hash"].replace("m=8,", "m=4194304,")
    path.write_text(json.dumps(content))
    with pytest.raises(SockctlError, match=r"users\.ann\.hash can't be used: a memory of 4,194,304 KiB"):
        Authenticator(Accounts(tmp_path))
    assert module.FLOOR_S == 0.5
