"""Nicks and accounts, through sockets: no nick is the name of another user, past or to come."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from sockctl.accounts.accounts import Accounts
from sockctl.services.chat.service import Chat
from sockctl.services.chat.settings import ChatLimits, ChatRules
from tests.support.accounts import PASSWORD, accounts_at
from tests.support.chat_client import ChatClient, chat_of, client
from tests.support.logins import make_login
from tests.support.running import Running, running

SOON_S = 10.0
"""How soon a new user gets its name: within 2 s, on a machine that isn't busy."""
DEFAULT = ChatLimits()
NO_TICKS = ChatLimits(tick_s=600)


@contextlib.contextmanager
def served(
    data_dir: Path, *users: str, signup: bool = False, limits: ChatLimits = DEFAULT
) -> Iterator[tuple[Running, Accounts]]:
    accounts = accounts_at(data_dir, *users)
    login = make_login(data_dir, signup=signup)
    with running(Chat(data_dir, ChatRules(flood=None), login=login, limits=limits)) as run:
        yield run, accounts


@contextlib.contextmanager
def squatted(run: Running) -> Iterator[tuple[ChatClient, ChatClient]]:
    """Let carl in, and ann, who takes the name bob."""
    with client(run) as carl, client(run) as ann:
        carl.log_in("carl").ready()
        ann.log_in("ann").ready()
        ann.line("/nick Bob")
        carl.until("renamed", before="ann", name="Bob")
        yield ann, carl


def is_renamed(ann: ChatClient, carl: ChatClient) -> None:
    ann.until("renamed", before="Bob", name="ann")
    assert "Bob is the name of a user now" in ann.until("notice", code="renamed")["text"]
    carl.until("renamed", before="Bob", name="ann")


def is_taken(one: ChatClient, name: str) -> None:
    one.line(f"/nick {name}")
    one.until("error", code="name_taken")


def test_a_user_that_is_added_gets_its_name(tmp_path: Path) -> None:
    with served(tmp_path, "ann", "carl") as (run, accounts), squatted(run) as (ann, carl):
        accounts.add("bob", PASSWORD)
        ann.sock.settimeout(SOON_S)
        is_renamed(ann, carl)
        assert run.sink.wait_for("member_renamed", 2)[-1].name_now == "ann"
        is_taken(ann, "bob")
        ann.line("still here")
        carl.until("say", sender="ann", text="still here")


def test_a_squatter_in_no_room_is_renamed_as_well(tmp_path: Path) -> None:
    with served(tmp_path, "ann", "carl") as (run, accounts), squatted(run) as (ann, _), client(run) as again:
        again.log_in("ann")
        again.until("members")
        ann.line("/leave")
        ann.until("left")
        accounts.add("bob", PASSWORD)
        for chatter in (ann, again):
            chatter.until("renamed", before="Bob", name="ann")
            chatter.until("notice", code="renamed")


def test_a_user_that_logs_in_at_once_gets_its_name(tmp_path: Path) -> None:
    with (
        served(tmp_path, "ann", "carl", limits=NO_TICKS) as (run, accounts),
        squatted(run) as (ann, carl),
        client(run) as bob,
    ):
        accounts.add("bob", PASSWORD)
        bob.log_in("bob").ready()
        is_renamed(ann, carl)
        carl.until("joined", name="bob")


def test_a_user_that_signs_up_gets_its_name(tmp_path: Path) -> None:
    with (
        served(tmp_path, "ann", "carl", signup=True, limits=NO_TICKS) as (run, _),
        squatted(run) as (ann, carl),
        client(run) as bob,
    ):
        bob.expect("ask")
        bob.line("bob")
        bob.expect("notice")
        for _ in range(2):
            bob.expect("ask", field="password")
            bob.line(PASSWORD)
        bob.expect("token")
        bob.expect("welcome", name="bob")
        is_renamed(ann, carl)


def test_the_name_of_a_user_that_was_removed_stays_taken(tmp_path: Path) -> None:
    with served(tmp_path, "ann", "bob", signup=True) as (run, accounts), client(run) as ann:
        ann.log_in("ann").ready()
        accounts.remove("bob")
        is_taken(ann, "Bob")
        with client(run) as stranger:
            stranger.expect("ask")
            stranger.line("Bob")
            assert "There was a user bob" in stranger.expect("error", code="name_taken")["text"]
        accounts.add("bob", PASSWORD)
        with client(run) as bob:
            bob.log_in("bob").ready()


def test_nobody_is_renamed_while_users_change_otherwise(tmp_path: Path) -> None:
    with served(tmp_path, "ann", "carl") as (run, accounts), squatted(run) as (ann, carl):
        accounts.add("dora", PASSWORD)
        (tmp_path / "users.json").write_text("junk")
        chat = chat_of(run)
        chat.tick(0)
        ann.line("still Bob")
        carl.until("say", sender="Bob")


def test_a_nick_that_looks_like_a_user_to_come(tmp_path: Path) -> None:
    with served(tmp_path, "ann", "carl") as (run, accounts), client(run) as ann:
        ann.log_in("ann").ready()
        ann.line("/nick aca")
        ann.until("renamed", name="aca")
        accounts.add("\u0430\u0441\u0430", PASSWORD)
        ann.sock.settimeout(SOON_S)
        assert ann.until("renamed", before="aca")["name"] == "ann"
        text = ann.until("notice", code="renamed")["text"]
        assert text == "aca looks like \u0430\u0441\u0430, the name of a user now: you are ann from here on."
        is_taken(ann, "ACA")
        with client(run) as other:
            other.log_in("\u0430\u0441\u0430").ready()


def test_names_in_ones_own_letters(tmp_path: Path) -> None:
    with (
        served(tmp_path, "\u0438\u0432\u0430\u043d", "\u5c0f\u660e") as (run, _),
        client(run) as ivan,
        client(run) as ming,
    ):
        ivan.log_in("\u0438\u0432\u0430\u043d").ready()
        ming.log_in("\u5c0f\u660e").ready()
        ming.line("/msg \u0418\u0432\u0430\u043d \u4f60\u597d")
        ivan.until("say", private=True, sender="\u5c0f\u660e", text="\u4f60\u597d")
        for one in (ivan, ming):
            one.line("/join #\u0418\u0433\u0440\u044b")
            one.until("joined", room="#\u0438\u0433\u0440\u044b")
        ming.line("/join #\u0430\u0441\u0430")
        ming.until("joined", room="#\u0430\u0441\u0430")
        ivan.line("/join #aca")
        text = ivan.until("error")["text"]
        assert text == "#aca looks like #\u0430\u0441\u0430: join that one, or choose another name."
        ivan.line("/join #g\u0430me")
        assert "mixes Latin and Cyrillic letters" in ivan.until("error", code="bad_room")["text"]
