"""The operators' commands, given by a user."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from sockctl.net.inspection import ConnectionLister, describe_all
from sockctl.services.chat.settings import ChatRules
from tests.support.accounts import PASSWORD, accounts_at
from tests.support.chat_client import ChatClient, client, served
from tests.support.frames import frame_client
from tests.support.running import Running

RULES = ChatRules(flood=None)
OPERATED = ChatRules(flood=None, operators=frozenset({"ann"}))


@contextlib.contextmanager
def operated(data_dir: Path) -> Iterator[tuple[Running, ChatClient, ChatClient]]:
    """Serve a chat with the operator ann, and bob."""
    accounts_at(data_dir, "ann", "bob", "carl")
    with served(data_dir, OPERATED, auth=True) as run, client(run) as ann, client(run) as bob:
        ann.log_in("ann").ready()
        bob.log_in("bob").ready()
        ann.until("joined", name="bob")
        yield run, ann, bob


def test_a_kicked_member_may_come_back(tmp_path: Path) -> None:
    with operated(tmp_path) as (run, ann, bob):
        bob.line("/kick ann")
        bob.until("error", code="unknown_command")
        ann.line("/help kick")
        ann.until("notice", code="help")
        ann.line("/kick nobody")
        ann.until("error", code="bad_command")
        ann.line("/kick BOB too loud")
        bob.until("notice", text="ann put bob out: too loud", code="announcement")
        bob.until("bye", reason="kicked")
        ann.until("left", name="bob", reason="put out")
        assert [event.did for event in run.sink.named("operator_acted")] == ["ann put bob out: too loud"]
        with client(run) as back:
            back.log_in("bob").ready()


def test_a_banned_member_may_not(tmp_path: Path) -> None:
    with operated(tmp_path) as (run, ann, bob):
        ann.line("/ban bob 1h")
        ann.until("notice", code="announcement")
        bob.until("bye", reason="banned")
        ann.until("left", name="bob", reason="banned")
        refused_in(run, "bob")
        ann.line("/unban bob")
        ann.until("notice", code="announcement")
        ann.line("/unban bob")
        ann.until("error", code="bad_command")
        with client(run) as back:
            back.log_in("bob").ready()
        ann.line("/ban carl")
        ann.until("notice", text="ann banned carl (account carl).")
        ann.line("/ban bob 2soon")
        ann.until("error", code="bad_command")
    with served(tmp_path, OPERATED, auth=True) as run:
        refused_in(run, "carl")
        with client(run) as back:
            back.log_in("bob").ready()


def refused_in(run: Running, name: str) -> None:
    with client(run) as back:
        back.expect("ask")
        back.line(name)
        back.expect("ask")
        back.line(PASSWORD)
        back.expect("token")
        back.expect("error", code="banned")
        back.expect("bye", reason="banned")


def test_an_address_is_banned(tmp_path: Path) -> None:
    with operated(tmp_path) as (run, ann, _), client(run, source="127.0.0.9") as far:
        far.log_in("carl").ready()
        ann.line("/whois carl")
        assert ann.until("notice", code="whois")["addresses"] == ["127.0.0.9"]
        ann.line("/ban 127.0.0.8/31")
        ann.until("notice", text="ann banned 127.0.0.8/31 with all there (carl).")
        far.until("bye", reason="banned")
        for source in ("127.0.0.8", "127.0.0.9"):
            with frame_client(run.port, source=source) as other:
                other.expect("error", code="banned")
                other.expect("bye", reason="banned")
        ann.line("/unban 127.0.0.8/31")
        ann.until("notice", code="announcement")
        with frame_client(run.port, source="127.0.0.9") as other:
            other.expect("ask")


def test_a_muted_member_reads_only(tmp_path: Path) -> None:
    with operated(tmp_path) as (run, ann, bob):
        ann.line("/mute bob 10m")
        bob.until("notice", code="announcement")
        described = describe_all(ConnectionLister(run.server.inspect).list_all())
        assert {each["name"]: each["muted"] for each in described} == {"ann": False, "bob": True}
        for line in ("hello", "/me waves", "/msg bob psst", "/topic mine", "/nick bobby"):
            bob.line(line)
            assert "read only" in bob.until("error", code="muted")["text"]
        bob.line("/who")
        bob.until("members")
        ann.line("/unmute bob")
        bob.until("notice", code="announcement")
        bob.line("hello")
        ann.until("say", sender="bob", text="hello")
        ann.line("/unmute bob")
        ann.until("error", code="bad_command")
        ann.line("/announce Tea at five")
        bob.until("notice", text="ann announces: Tea at five", code="announcement")
