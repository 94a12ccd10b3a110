"""The members' commands."""

from pathlib import Path

from sockctl.services.chat.command_table import COMMANDS
from sockctl.services.chat.settings import ChatRules
from tests.support.accounts import accounts_at
from tests.support.chat_client import client, members, served

RULES = ChatRules(flood=None)


def test_private_messages(tmp_path: Path) -> None:
    with served(tmp_path) as run, members(run, "ann", "bob", "carl") as (ann, bob, carl):
        bob.line("/reply hello?")
        assert "Nobody has written to you" in bob.until("error", code="bad_command")["text"]
        ann.line("/msg BOB psst")
        own = ann.until("say", private=True)
        assert bob.until("say", private=True, sender="ann", to="bob", text="psst") == own
        assert "id" not in own
        bob.line("/reply what?")
        ann.until("say", private=True, sender="bob", to="ann", text="what?")
        ann.line("/msg nobody hello")
        assert "Nobody here has the name 'nobody'" in ann.until("error", code="bad_command")["text"]
        ann.line("/msg ann note to self")
        ann.until("say", private=True, text="note to self")
        ann.nothing_but()
        carl.nothing_but()
        with run.client() as dora:
            dora.sendall(b"dora\n")
            ann.until("joined", name="dora")
            ann.line("/msg dora in a line")
            received = b""
            while b"(private) <ann> in a line\r\n" not in received:
                received += dora.recv(65_536)


def test_topics(tmp_path: Path) -> None:
    with served(tmp_path) as run, members(run, "ann", "bob") as (ann, bob):
        ann.line("/topic")
        assert ann.until("notice", code="topic", topic="")["text"] == "#lobby has no topic."
        ann.line("/topic  Tea,  and nothing else ")
        assert bob.until("notice", code="topic")["text"] == "ann set the topic of #lobby: Tea,  and nothing else"
        bob.line("/topic")
        bob.until("notice", code="topic", room="#lobby", topic="Tea,  and nothing else")
        with client(run) as carl:
            carl.enter("carl")
            carl.expect("joined")
            carl.expect("notice", code="topic", topic="Tea,  and nothing else")
        bob.line("/rooms")
        bob.until("notice", code="room", topic="Tea,  and nothing else")


def test_ignoring(tmp_path: Path) -> None:
    with served(tmp_path) as run, members(run, "ann", "bob", "carl") as (ann, bob, carl):
        ann.line("/ignore BOB")
        assert ann.until("notice", code="ignore")["ignored"] == ["bob"]
        bob.line("unconfirmed")
        bob.line("/msg ann unheard too")
        carl.until("say", text="unconfirmed")
        bob.until("say", private=True)
        carl.line("heard")
        assert ann.until("say")["text"] == "heard"
        ann.line("/ignore")
        ann.until("notice", code="ignore", ignored=["bob"])
        ann.line("/ignore bob")
        ann.until("notice", code="ignore", ignored=[])
        bob.line("heard again")
        ann.until("say", text="heard again")
        ann.line("/ignore ann")
        ann.until("error", code="bad_command")


def test_what_is_ignored_is_not_in_the_history_either(tmp_path: Path) -> None:
    with served(tmp_path) as run, members(run, "ann", "bob", "carl") as (ann, bob, carl):
        for one, text in ((carl, "first"), (bob, "hidden"), (carl, "second"), (bob, "hidden too")):
            one.line(text)
            ann.until("say", text=text)
        ann.line("/ignore bob")
        ann.until("notice", code="ignore")
        ann.line("/history")
        assert ann.expect("history", text="first")["more"]
        assert "more" not in ann.expect("history", text="second")
        ann.line("/history 1")
        assert "more" not in ann.expect("history", text="second")


def test_quiet(tmp_path: Path) -> None:
    with served(tmp_path) as run, members(run, "ann", "bob") as (ann, bob):
        ann.line("/quiet")
        ann.until("notice", code="quiet")
        with client(run) as carl:
            carl.enter("carl").ready()
        bob.until("left", name="carl")
        ann.nothing_but()
        ann.line("/quiet")
        ann.until("notice", code="quiet")
        with client(run) as carl:
            carl.enter("carl").ready()
        ann.until("joined", name="carl")


def test_help_and_unknown_commands(tmp_path: Path) -> None:
    with served(tmp_path) as run, members(run, "ann") as (ann,):
        ann.line("/help")
        told = [ann.expect("notice", code="help")["text"] for _ in range(22)]
        open_to_all = [command for command in COMMANDS if not command.operators_only]
        listed = [line.split()[0] for line in told[:-1] if line.startswith("  ")]
        assert listed == [f"/{command.name}" for command in open_to_all]
        ann.line("/help join")
        assert ann.until("notice")["text"].startswith("/join ROOM: ")
        ann.line("/jion dev")
        assert "did you mean /join?" in ann.until("error", code="unknown_command")["text"]
        ann.line("/kick ann")
        ann.until("error", code="unknown_command")
        ann.line("//not a command")
        ann.until("say", text="/not a command")
        ann.line("   ")
        ann.send(kind="answer", field="name", text="late")
        ann.send(kind="whatever", text="newer")
        ann.nothing_but("notice")


def test_whois(tmp_path: Path) -> None:
    with served(tmp_path) as run, members(run, "ann", "bob") as (ann, _):
        ann.line("/whois BOB")
        told = ann.until("notice", code="whois")
        assert (told["name"], told["rooms"]) == ("bob", ["#lobby"])
        assert "addresses" not in told
        assert "bob is a guest, here since 20" in told["text"]


def test_an_answer_goes_to_whoever_wrote_whatever_its_name_is(tmp_path: Path) -> None:
    with served(tmp_path) as run, members(run, "ann", "bob", "eve") as (ann, bob, eve):
        bob.line("/reply nobody wrote yet")
        assert "Nobody has written to you" in bob.until("error")["text"]
        ann.line("/msg bob a question")
        bob.until("say", private=True)
        ann.line("/nick zoe")
        bob.until("renamed", name="zoe")
        eve.line("/nick ann")
        bob.until("renamed", name="ann")
        bob.line("/reply the answer")
        assert bob.until("say", private=True)["to"] == "zoe"
        ann.until("say", private=True, text="the answer")
        eve.nothing_but("joined", "members", "renamed")
        ann.line("/quit")
        bob.until("left", name="zoe")
        bob.line("/reply is anybody there?")
        assert bob.until("error")["text"] == "ann has left: what you wrote was sent to nobody."
        with client(run) as back:
            back.resume(ann.token)
            back.ready()
            bob.line("/reply once more")
            back.until("say", private=True, text="once more")


def test_a_topic_that_is_too_long_is_refused(tmp_path: Path) -> None:
    with served(tmp_path) as run, members(run, "ann") as (ann,):
        ann.line(f"/topic {'x' * 300}")
        ann.until("notice", code="topic", topic="x" * 300)
        ann.line(f"/topic {'y' * 301}")
        assert "301 characters: 300 fit" in ann.until("error", code="bad_command")["text"]


def test_who_is_ignored_stays_so_under_another_name(tmp_path: Path) -> None:
    accounts_at(tmp_path, "ann", "bert", "carl")
    with served(tmp_path, RULES, auth=True) as run, client(run) as ann, client(run) as bert, client(run) as carl:
        for one, name in ((ann, "ann"), (bert, "bert"), (carl, "carl")):
            one.log_in(name).ready()
        bert.line("/nick zoe")
        ann.until("renamed", name="zoe")
        ann.line("/ignore ZOE")
        assert ann.until("notice", code="ignore")["text"] == "You ignore zoe (account bert) now."
        for name in ("yoe", "bert", "zoe"):
            bert.line(f"/nick {name}")
            bert.until("renamed", name=name)
            bert.line(f"as {name}")
            bert.line("/msg ann psst")
            bert.send(kind="block", lines=["two", "lines"])
            bert.until("say", text="lines")
        carl.until("say", text="as zoe", account="bert")
        ann.nothing_but("none")
        ann.line("/history")
        assert "Nothing" in ann.until("notice")["text"]
        ann.line("/ignore bert")
        assert ann.until("notice", code="ignore")["ignored"] == []
        bert.line("heard")
        ann.until("say", text="heard")
        ann.line("/ignore ann")
        assert "yourself" in ann.until("error")["text"]
    with served(tmp_path, RULES, auth=True) as run, client(run) as ann:
        ann.log_in("ann").ready()
        ann.line("/ignore bert")
        ann.line("/history")
        ann.until("notice", code="ignore")
        assert "Nothing" in ann.until("notice", code="history")["text"], "the file knows whose the names were"
