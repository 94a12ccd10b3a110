"""Bans and mutes through sockets: whom they hold for, however the client comes back."""

import contextlib
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sockctl.protocol.messages import Message, make_message
from sockctl.services.chat.commands import PAGE_LINES
from sockctl.services.chat.member import FloodLimit
from sockctl.services.chat.service import Chat
from sockctl.services.chat.settings import ChatRules
from tests.support.accounts import accounts_at
from tests.support.chat_client import ChatClient, chat_of, client
from tests.support.logins import make_login
from tests.support.running import LATE_CHOICE, Running, running

HERE, THERE = "127.0.0.2", "127.0.0.3"


class Terminal:
    """The server's terminal: what the operator types, and what is shown."""

    def __init__(self, chat: Chat) -> None:
        self._answers: list[str] = []
        self._typing = 0
        self._type: Callable[[Message], None] = chat.open_console(self._show)

    def type(self, line: str) -> str:
        """Type a line, and return its answer; before it comes what had happened in the rooms."""
        return self.type_for_all(line)[-1]

    def type_for_all(self, line: str) -> list[str]:
        """Type a line, and return all that is shown of it."""
        self._answers.clear()
        self._typing = threading.get_ident()
        self._type(make_message("line", line))
        return self._answers[:]

    def _show(self, one: Message) -> None:
        if threading.get_ident() == self._typing:  # what members do is shown by other threads
            self._answers.append(one.text)


@contextlib.contextmanager
def served(data_dir: Path, *users: str, signup: bool = False) -> Iterator[tuple[Running, Terminal]]:
    """Serve a chat: for these users, or for guests where there are none."""
    login = None
    if users or signup:
        accounts_at(data_dir, *users)
        login = make_login(data_dir, signup=signup)
    chat = Chat(data_dir, ChatRules(flood=None, operators=frozenset({"ann"})), login=login)
    terminal = Terminal(chat)
    with running(chat, timeouts=LATE_CHOICE) as run:
        yield run, terminal


@contextlib.contextmanager
def member(run: Running, name: str, source: str = HERE, *, auth: bool = False) -> Iterator[ChatClient]:
    """Let a member come; at the end it has left."""
    left = len(run.sink.named("member_left"))
    with client(run, source=source) as one:
        yield (one.log_in(name) if auth else one.enter(name)).ready()
    run.sink.wait_for("member_left", left + 1)


def says(one: ChatClient, text: str) -> None:
    one.line(text)
    one.until("say", text=text)


def may_only_read(one: ChatClient) -> None:
    one.line("hello")
    assert "read only" in one.until("error", code="muted")["text"]


def refused(one: ChatClient) -> None:
    one.until("error", code="banned")
    one.until("bye", reason="banned")


def refused_from(run: Running, source: str) -> None:
    with client(run, source=source) as one:
        one.expect("error", code="banned")
        one.expect("bye", reason="banned")


def refused_user(run: Running, name: str, source: str) -> None:
    with client(run, source=source) as one:
        one.log_in(name, let_in=False)
        refused(one)


def called(one: ChatClient, name: str) -> None:
    one.line(f"/nick {name}")
    one.until("renamed", name=name)


UNTIL = re.compile(r"until (\d{4}-\d\d-\d\d) (\d\d:\d\d) UTC")


def test_a_refusal_says_until_when(tmp_path: Path) -> None:
    with served(tmp_path) as (run, terminal), member(run, "bert") as bert:
        terminal.type("/mute bert 2h")
        announced = bert.until("notice", code="announcement")
        bert.send(kind="line", text="hello", n=7)
        told = bert.until("error", code="muted", n=7)
        assert announced["until"] == told["until"]
        assert (day := UNTIL.search(told["text"])) is not None
        assert told["until"].startswith("{}T{}:".format(*day.groups()))
        terminal.type("/mute bert")
        bert.line("hello")
        told = bert.until("error", code="muted")
        assert told["text"] == "You are muted: an operator lets you read only, and write to operators alone."
        assert "until" not in told
        terminal.type("/ban bert 10m")
        told = bert.until("error", code="banned")
        assert UNTIL.search(told["text"])
        assert bert.until("bye", reason="banned")["text"] == "Goodbye!", "the error has told why"
        with client(run, source=HERE) as again:
            assert again.expect("error", code="banned")["until"] == told["until"]
            again.expect("bye", reason="banned")


def test_all_are_told_why(tmp_path: Path) -> None:
    with served(tmp_path) as (run, terminal), member(run, "bert") as bert:
        assert terminal.type("/mute bert too {loud}") == f"server lets bert (address {HERE}) read only: too {{loud}}"
        bert.until("notice", text="server lets bert (the address) read only: too {loud}")
        told = terminal.type("/ban bert 1h and deaf")
        assert re.fullmatch(r"server banned bert \(address .*\) until .* UTC: and deaf", told)
        assert "is no time" in terminal.type("/ban bert 1w")


def test_operators_are_told_whom_else_it_holds_for(tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        run, terminal = stack.enter_context(served(tmp_path))
        stack.enter_context(member(run, "bert"))
        stack.enter_context(member(run, "zoe", THERE))
        carl, *_ = [
            stack.enter_context(member(run, name)) for name in ("carl", "dan", "eva", "fay", "gil", "hal", "ida")
        ]
        told = terminal.type("/mute bert 1h loud")
        assert (
            f"lets bert (address {HERE}) with all others there (carl, dan, eva, fay, gil and 2 more) read only" in told
        )
        mute = carl.until("notice", code="announcement")["text"]
        assert mute.startswith("server lets bert (the address) read only until")
        assert terminal.type(f"/mute {THERE}") == f"server lets {THERE} with all there (zoe) read only."
        assert terminal.type("/mute zoe") == f"server lets zoe (address {THERE}) read only."


def test_a_muted_member_may_ask_an_operator_why(tmp_path: Path) -> None:
    with served(tmp_path) as (run, terminal), member(run, "bert") as bert, member(run, "carl", THERE) as carl:
        terminal.type("/mute bert")
        assert terminal.type("/msg bert be quiet") == "be quiet", "it is echoed"
        bert.until("say", private=True, sender="server")
        bert.line("/reply why?")
        bert.until("say", private=True, to="server", text="why?")
        bert.line("/msg server please")
        bert.until("say", private=True, to="server", text="please")
        bert.line("/msg carl psst")
        bert.until("error", code="muted")
        carl.nothing_but("notice")


@pytest.mark.parametrize("numbered", [True, False])
def test_a_mute_refuses_what_the_flood_limit_holds_back(tmp_path: Path, *, numbered: bool) -> None:
    with served(tmp_path) as (run, terminal), member(run, "bert") as bert, member(run, "carl", THERE) as carl:
        here = chat_of(run).members.get("bert")
        here.flood = FloodLimit(1, 0.001)
        numbers: list[dict[str, int]] = [{"n": number} if numbered else {} for number in range(3)]
        bert.send(kind="line", text="said", **numbers[0])
        bert.send(kind="block", text="a", lines=["a", "b"], **numbers[1])
        bert.send(kind="line", text="held", **numbers[2])
        bert.until("notice", code="held_back")
        terminal.type("/mute bert 2h")
        here.flood = FloodLimit(20, 100)
        for one in numbers[1:] if numbered else [{}]:
            told = bert.until("error", code="muted")
            assert told.get("n") == one.get("n")
            assert "until" in told
        carl.until("say", text="said")
        carl.nothing_but("notice")


# With accounts.


def test_a_welcome_tells_an_operator_that_it_is_one(tmp_path: Path) -> None:
    with served(tmp_path, "ann", "bert") as (run, _):
        for name, operator in (("ann", True), ("bert", None)):
            with client(run) as one:
                one.log_in(name, let_in=False)
                assert one.expect("welcome", user=name).get("operator") is operator


def test_a_nick_is_banned_by_its_account(tmp_path: Path) -> None:
    with served(tmp_path, "bert", "carl") as (run, terminal):
        with member(run, "bert", auth=True) as bert:
            called(bert, "zoe")
            assert terminal.type("/ban ZOE") == "server banned zoe (account bert)."
            bert.until("bye", reason="banned")
        refused_user(run, "bert", THERE)
        with client(run, source=THERE) as again:
            again.resume(bert.token)
            refused(again)
        with member(run, "carl", auth=True) as carl:
            called(carl, "zoe")
            says(carl, "I took the nick later")
        assert terminal.type("/unban zoe") == "server lets zoe (account bert) in again."
        with member(run, "bert", auth=True) as again:
            says(again, "back")


def test_a_mute_holds_for_the_account(tmp_path: Path) -> None:
    with served(tmp_path, "bert", "carl") as (run, terminal):
        with member(run, "bert", auth=True) as bert:
            called(bert, "zoe")
            assert terminal.type("/mute zoe 2h").startswith("server lets zoe (account bert) read only until ")
            may_only_read(bert)
        with member(run, "bert", THERE, auth=True) as again, member(run, "carl", auth=True) as carl:
            may_only_read(again)
            called(carl, "zoe")
            says(carl, "I took the nick later")
            assert terminal.type("/unmute bert") == "server lets zoe (account bert) speak again."
            says(again, "at last")


def test_a_user_is_banned_by_the_account_also_under_another_nick_or_when_it_is_not_here(tmp_path: Path) -> None:
    with served(tmp_path, "bert", "carl", "dora") as (run, terminal):
        with member(run, "bert", auth=True) as bert:
            called(bert, "zoe")
            assert terminal.type("/ban Bert") == "server banned zoe (account bert)."
            bert.until("bye", reason="banned")
        assert terminal.type("/ban CARL 1h").startswith("server banned carl (account carl) until ")
        refused_user(run, "carl", HERE)
        with member(run, "dora", auth=True) as dora:
            called(dora, "yuri")
        assert terminal.type("/ban yuri") == "server banned yuri (account dora)."
        refused_user(run, "dora", HERE)
        accounts_at(tmp_path, "yuri")
        assert terminal.type("/ban yuri") == "server banned yuri (account yuri)."


def test_where_clients_sign_up_the_address_is_banned_as_well(tmp_path: Path) -> None:
    with served(tmp_path, "ann", "bert", "carl", signup=True) as (run, _):
        with member(run, "ann", THERE, auth=True) as ann:
            with member(run, "bert", auth=True) as bert:
                ann.line("/ban bert")
                ann.until("notice", text=f"ann banned bert (account bert, address {HERE}).")
                bert.until("notice", text="ann banned bert (account bert, the address).")
                bert.until("bye", reason="banned")
            refused_from(run, HERE)
            refused_user(run, "bert", THERE)
            with member(run, "carl", THERE, auth=True) as carl:
                ann.line("/mute carl")
                ann.until("notice", text="ann lets carl (account carl) read only.")
                may_only_read(carl)
                says(ann, "an operator's own address is left out")
            ann.line(f"/unban {HERE}")
            ann.until("notice", text=f"ann lets bert (account bert, address {HERE}) in again.")
        with member(run, "bert", auth=True) as again:
            says(again, "back")


def test_no_operator_is_put_out_with_its_address(tmp_path: Path) -> None:
    with (
        served(tmp_path, "ann", "bert", signup=True) as (run, terminal),
        member(run, "ann", auth=True) as ann,
        member(run, "bert", auth=True) as bert,
    ):
        assert terminal.type("/ban bert") == "server banned bert (account bert)."
        bert.until("bye", reason="banned")
        says(ann, "still here")


def test_a_user_is_put_out_by_its_account(tmp_path: Path) -> None:
    with served(tmp_path, "bert") as (run, terminal), member(run, "bert", auth=True) as bert:
        called(bert, "zoe")
        assert terminal.type("/kick bert") == "server put zoe out."
        bert.until("bye", reason="kicked")


def test_an_operator_does_nothing_to_itself(tmp_path: Path) -> None:
    with served(tmp_path, "ann") as (run, _), member(run, "ann", auth=True) as ann:
        for line in ("/ban ann", "/mute ANN", f"/ban {HERE}", "/mute 127.0.0.0/8"):
            ann.line(line)
            assert "yourself" in ann.until("error", code="bad_command")["text"]
        says(ann, "still here")


# Guests.


def test_a_guest_is_banned_by_its_address(tmp_path: Path) -> None:
    with served(tmp_path) as (run, terminal), client(run, source=HERE) as waiting:
        waiting.expect("ask", field="name")
        with member(run, "bert") as bert:
            assert terminal.type("/ban Bert 1h").startswith(f"server banned bert (address {HERE}) until ")
            bert.until("bye", reason="banned")
        refused_from(run, HERE)
        waiting.line("bert")
        refused(waiting)
        with member(run, "bert", THERE) as innocent:
            says(innocent, "I took the name later")
        assert terminal.type("/unban bert") == f"server lets bert (address {HERE}) in again."
        with member(run, "bert") as again:
            says(again, "back")
        came = [event.who for event in run.sink.named("member_came")]
        assert came == [event.who for event in run.sink.named("member_left")] == ["bert"] * 3


def test_a_guest_that_has_left_is_banned_by_the_address_it_had(tmp_path: Path) -> None:
    with served(tmp_path) as (run, terminal):
        with member(run, "bert") as bert:
            says(bert, "and away")
        with member(run, "bert", THERE):
            pass
        assert terminal.type("/ban bert") == f"server banned bert (address {THERE})."
        refused_from(run, THERE)
        with member(run, "bert"):
            assert terminal.type("/ban bert") == f"server banned bert (address {HERE})."


def test_a_guests_token_is_banned_and_muted_wherever_it_is_shown(tmp_path: Path) -> None:
    with served(tmp_path) as (run, terminal):
        with member(run, "bert") as bert:
            assert terminal.type("/mute bert").endswith(f"bert (address {HERE}) read only.")
        with client(run, source=THERE) as again:
            again.resume(bert.token)
            may_only_read(again)
            terminal.type("/unmute bert")
            terminal.type("/ban bert")
            again.until("bye", reason="banned")
        with client(run, source="127.0.0.4") as again:
            again.resume(bert.token)
            refused(again)


def test_a_guests_mute_holds_when_it_comes_again(tmp_path: Path) -> None:
    with served(tmp_path) as (run, terminal):
        with member(run, "bert") as bert:
            assert terminal.type("/mute bert") == f"server lets bert (address {HERE}) read only."
            may_only_read(bert)
            bert.line("/nick zoe")
            bert.until("error", code="muted")
        for name in ("bert", "BERT", "zoe"):
            with member(run, name) as again:
                may_only_read(again)
        with member(run, "zoe"):
            assert f"the mute of bert (address {HERE})" in terminal.type("/unmute zoe")
        with member(run, "bert", THERE) as innocent:
            says(innocent, "I took the name later")
        assert terminal.type(f"/unmute {HERE}") == f"server lets bert (address {HERE}) speak again."
        with member(run, "zoe") as again:
            says(again, "at last")


def test_a_name_that_reads_like_an_address_is_a_members_first(tmp_path: Path) -> None:
    with served(tmp_path) as (run, terminal), member(run, "10.0.0.1"):
        assert terminal.type("/mute 10.0.0.1") == f"server lets 10.0.0.1 (address {HERE}) read only."
        assert terminal.type("/mute 10.0.0.1/32") == "server lets 10.0.0.1 read only."
        assert terminal.type("/unmute 10.0.0.1") == f"server lets 10.0.0.1 (address {HERE}) and 10.0.0.1 speak again."


def test_only_operators_are_told_a_members_address(tmp_path: Path) -> None:
    with served(tmp_path) as (run, terminal), member(run, "bert"), member(run, "zoe", THERE) as zoe:
        terminal.type("/mute bert")
        zoe.until("notice", text="server lets bert (the address) read only.")
        assert [event.did for event in run.sink.wait_for("operator_acted")] == [
            f"server lets bert (address {HERE}) read only."
        ]
        terminal.type("/ban 192.0.2.7")
        zoe.until("notice", text="server banned 192.0.2.7.")


@pytest.mark.parametrize("command", ["ban", "unban", "mute", "unmute", "kick"])
@pytest.mark.parametrize("users", [[], ["ann"]])
def test_a_word_that_names_nobody_is_refused(tmp_path: Path, command: str, users: list[str]) -> None:
    with served(tmp_path, *users) as (run, terminal):
        shown = terminal.type(f"/{command} nobody")
        assert "'nobody'" in shown
        assert not shown.startswith("server ")
        assert not run.sink.named("operator_acted")


def test_mutes_of_an_older_version_hold_for_the_name(tmp_path: Path) -> None:
    kept = '{"name": "%s", "by": "ann", "at": "2026-01-31T12:00:00Z", "until": null}'
    file = tmp_path / "chat.json"
    file.write_text(f'{{"version": 1, "topics": {{}}, "bans": [{kept % "Carl"}], "mutes": [{kept % "Bert"}]}}')
    file.chmod(0o600)
    with served(tmp_path, "bert", "carl") as (run, terminal):
        with member(run, "bert", auth=True) as bert:
            may_only_read(bert)
            assert terminal.type("/unmute bert") == "server lets Bert speak again."
            says(bert, "at last")
        refused_user(run, "carl", HERE)
        assert terminal.type("/unban carl") == "server lets Carl in again."


# The lists.


def test_operators_list_bans_and_mutes(tmp_path: Path) -> None:
    with served(tmp_path, "ann", "bert") as (run, terminal), member(run, "ann", auth=True) as ann:
        assert terminal.type("/bans") == "Nobody is banned."
        assert terminal.type("/mutes") == "Nobody is muted."
        terminal.type("/ban bert")
        terminal.type("/mute 192.0.2.0/24 2h")
        ann.line("/bans")
        one = ann.until("notice", code="bans")
        assert re.fullmatch(
            r"bert \(account bert\): banned by server since [-0-9]{10} [0-9:]{5} UTC, for good.", one["text"]
        )
        assert (one["name"], one["account"], one["by"]) == ("bert", "bert", "server")
        assert one.get("until") is None
        (shown,) = terminal.type_for_all("/mutes")
        assert re.fullmatch(r"192.0.2.0/24: muted by server since .{16} UTC, until .{16} UTC\.", shown)
        ann.line("/mutes")
        one = ann.until("notice", code="mutes")
        assert one["addresses"] == ["192.0.2.0/24"]
        assert one["until"] > one["at"]
        terminal.type("/unban bert")
        assert terminal.type("/bans") == "Nobody is banned."


def test_the_lists_have_pages(tmp_path: Path) -> None:
    with served(tmp_path) as (_, terminal):
        for number in range(PAGE_LINES + 1):
            terminal.type(f"/ban 192.0.2.{number}")
        *bans, after = terminal.type_for_all("/bans")
        assert len(bans) == PAGE_LINES
        assert bans[0].startswith("192.0.2.0: banned by server since ")
        assert after == "That is page 1 of 2: /bans 2 goes on."
        (last,) = terminal.type_for_all("/bans 2")
        assert last.startswith(f"192.0.2.{PAGE_LINES}: ")
        assert terminal.type("/bans 3") == "There are 2 pages of bans."
        assert "'x' is no number of pages" in terminal.type("/bans x")


def test_members_know_no_lists(tmp_path: Path) -> None:
    with served(tmp_path) as (run, _), member(run, "bob") as bob:
        for command in ("/bans", "/mutes"):
            bob.line(command)
            bob.until("error", code="unknown_command")
