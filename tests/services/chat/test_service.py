"""The chat as its members see it: the first minute, the operator at the terminal, a restart."""

import threading
from pathlib import Path
from typing import Any

from sockctl.events.reasons import DisconnectReason, Reason
from sockctl.net.connection import Connection
from sockctl.net.event_loop import EventLoop
from sockctl.net.inspection import ConnectionLister, describe_all
from sockctl.protocol.messages import Message, make_message
from sockctl.services.chat.service import Chat
from sockctl.services.chat.settings import ChatLimits, ChatRules
from sockctl.services.login_reasons import SESSION_ENDED
from tests.support.accounts import accounts_at
from tests.support.chat_client import chat_of, client, lines_of, members, served
from tests.support.frames import framed
from tests.support.running import TIMEOUT_S, running, wait_until

RULES = ChatRules(flood=None)
DEFAULT = ChatLimits()


def test_the_first_minute_in_lines(tmp_path: Path) -> None:
    with served(tmp_path) as run:
        heard = lines_of(run, "ann", "hello", "/me waves", "/who")
    assert heard == [
        "sockctl/1 chat",
        "What is your name?",
        "Welcome, ann! What you type is said in #lobby; /help lists the commands.",
        "You are in #lobby.",
        "In #lobby: ann",
        "1 in #lobby: ann",
        "",
    ], "no copy of what one says oneself"


def test_the_first_minute_in_frames(tmp_path: Path) -> None:
    with served(tmp_path) as run, members(run, "ann", "bob") as (ann, bob):
        ann.line("hello")
        own = ann.until("say", text="hello")
        assert bob.until("say") == own
        assert (own["room"], own["sender"]) == ("#lobby", "ann")
        assert own["at"].endswith("Z")
        bob.line("/me waves")
        assert ann.until("say", sender="bob", text="waves", action=True)["id"] == own["id"] + 1
        with client(run) as carl:
            carl.enter("carl")
            assert carl.expect("joined", room="#lobby", name="carl")
            assert carl.expect("members", room="#lobby")["members"] == ["ann", "bob", "carl"]
            assert carl.expect("history", id=own["id"], sender="ann", text="hello", more=True)["at"] == own["at"]
            assert "more" not in carl.expect("history", text="waves", action=True)
        assert ann.until("joined")["name"] == "carl"
        assert ann.until("left", name="carl", reason="left")["room"] == "#lobby"


def test_clients_are_described_for_those_who_watch(tmp_path: Path) -> None:
    with served(tmp_path) as run, client(run):
        lister = ConnectionLister(run.server.inspect)

        def look() -> list[tuple[str, str, str, bool]]:
            return [
                (each["name"], each["room"], each["wire"], each["muted"]) for each in describe_all(lister.list_all())
            ]

        wait_until(lambda: look() == [("", "", "frames", False)])
        with members(run, "ann") as (ann,):
            wait_until(lambda: look() == [("", "", "frames", False), ("ann", "#lobby", "frames", False)])
            ann.line("/join #other")
            wait_until(lambda: look()[1][:2] == ("ann", "#other"))
        wait_until(lambda: len(look()) == 1)
        wait_until(lambda: chat_of(run).count() == {"members": 0})


def test_only_the_last_twenty_are_told_at_joining(tmp_path: Path) -> None:
    with served(tmp_path) as run, members(run, "ann") as (ann,):
        for number in range(30):
            ann.line(str(number))
        ann.until("say", text="29")
        with client(run) as bob:
            bob.enter("bob").ready()
            assert [bob.expect("history")["text"] for _ in range(20)] == [str(number) for number in range(10, 30)]
            bob.line("/history 25")
            again = [bob.expect("history") for _ in range(25)]
            assert [one["text"] for one in again] == [str(number) for number in range(5, 30)]
            assert all(one["again"] for one in again)
            bob.line("/history nonsense")
            bob.expect("error", code="bad_command")


def test_a_history_has_its_time_on_lines(tmp_path: Path) -> None:
    with served(tmp_path) as run, members(run, "ann") as (ann,):
        ann.line("hello")
        at = ann.until("say")["at"][11:16]
        assert f"[{at}] <ann> hello" in lines_of(run, "bob")


def test_a_motd_and_fixed_rooms(tmp_path: Path) -> None:
    rules = ChatRules(flood=None, motd=["Be kind.", "Tea at five."], rooms=["#tea", "#dev"])
    with served(tmp_path, rules) as run, client(run) as ann:
        ann.enter("ann")
        assert [ann.expect("notice", code="motd")["text"] for _ in range(2)] == ["Be kind.", "Tea at five."]
        ann.expect("joined", room="#tea")
        ann.ready()
        ann.line("/join lobby")
        assert "There is no room #lobby" in ann.expect("error", code="bad_command")["text"]
        ann.line("/join DEV")
        ann.expect("joined", room="#dev")
        ann.ready()
        ann.line("/rooms")
        assert [(ann.expect("notice")["room"]) for _ in range(2)] == ["#tea", "#dev"]


def test_nothing_is_said_for_a_login_that_is_over(tmp_path: Path) -> None:
    accounts = accounts_at(tmp_path, "ann", "bob")
    asked = threading.Event()

    class Busy(EventLoop):
        """An event loop that has much else to do when a login ends."""

        def close(self, connection: Connection, reason: Reason) -> None:
            if reason is SESSION_ENDED:
                asked.set()
            else:
                super().close(connection, reason)

    rules = ChatRules(flood=(4, 4))
    with (
        served(tmp_path, rules, auth=True, make_event_loop=Busy) as run,
        client(run) as ann,
        client(run) as bob,
    ):
        bob.log_in("bob").ready()
        ann.log_in("ann").ready()
        ann.sock.sendall(b"".join(framed(kind="line", text=f"before {number}") for number in range(20)))
        ann.until("notice", code="held_back")
        accounts.disable("ann")
        assert asked.wait(TIMEOUT_S), "it is asked for within 2 s, on a machine that isn't busy"
        ann.line("after")
        for number in range(30):  # which takes longer than ann's messages would
            bob.line(f"bob {number}")
        said = set()
        while (one := bob.receive()) is not None and one.get("text") != "bob 29":
            said.add(one["text"])
        assert "before 0" in said
        assert not said & {"before 19", "after"}


def test_the_operator_at_the_terminal_is_no_guest(tmp_path: Path) -> None:
    chat = Chat(tmp_path, RULES)
    chat.open_console(lambda _: None)
    with running(chat) as run, members(run, "ann") as (ann,):
        ann.line("/whois server")
        assert "server is the operator at the server's terminal, here" in ann.until("notice", code="whois")["text"]


def test_the_operator_at_the_terminal_reads_along_and_types(tmp_path: Path) -> None:
    shown: list[Message] = []
    chat = Chat(tmp_path, RULES)
    take = chat.open_console(shown.append)

    def typed(line: str) -> None:
        take(make_message("line", line))

    def saw(text: str, **fields: Any) -> None:
        wait_until(lambda: any(one.text == text and fields.items() <= one.fields.items() for one in list(shown)))

    with running(chat) as run, members(run, "ann") as (ann,):
        saw("ann joined #lobby.", kind="joined")
        ann.line("hello")
        saw("hello", kind="say", sender="ann", room="#lobby")
        typed("hello ann")
        ann.until("say", sender="server", text="hello ann")
        saw("hello ann", kind="say", sender="server")
        take(make_message("block", "a", lines=["a", "/quit"]))
        assert [ann.until("say", sender="server")["text"] for _ in range(2)] == ["a", "/quit"]
        saw("a /quit", lines=["a", "/quit"])
        take(make_message("line", "/nosuch", n=3))
        saw("There is no /nosuch: see /help, or begin with // to say it.", kind="error", n=3)
        ann.line("/join dev")
        saw("ann joined #dev.", room="#dev")
        ann.until("members", room="#dev")
        ann.line("in there")
        saw("in there", sender="ann", room="#dev")
        typed("/who dev")
        saw("1 in #dev: ann", members=["ann"])
        ann.line("/msg server are you there?")
        saw("are you there?", private=True, sender="ann")
        typed("/reply yes")
        ann.until("say", private=True, sender="server", text="yes")
        saw("yes", private=True, sender="server", to="ann")
        typed("/join dev")
        ann.until("joined", room="#dev", name="server")
        typed("/leave dev")
        ann.until("left", room="#dev", name="server")
        ann.line("still heard")
        saw("still heard", room="#dev")
        typed("/history")
        saw("hello", kind="history", again=True)
        typed("/rooms")
        saw("#dev: 1 member", room="#dev")
        typed("/mute ann 1h")
        assert any("server lets ann" in one.text for one in shown)
        typed("/kick ann")
        saw("server put ann out.")
        typed("/ban ann")
        assert any(one.text.startswith("server banned ann (address ") for one in shown)
        typed("/quit")
        saw("Ctrl-C ends the server.")


def test_history_topics_and_mutes_outlast_a_restart(tmp_path: Path) -> None:
    with served(tmp_path) as run, members(run, "ann") as (ann,):
        ann.line("/topic Tea")
        for number in range(3):
            ann.line(f"said {number}")
        last = ann.until("say", text="said 2")["id"]
        ann.line("/join dev")
        ann.until("members", room="#dev")
        ann.line("/me codes")
        ann.until("say", room="#dev")
    with served(tmp_path) as run, client(run) as bob:
        bob.enter("bob")
        bob.expect("joined", room="#lobby")
        bob.expect("notice", code="topic", topic="Tea")
        bob.ready()
        assert [bob.expect("history")["text"] for _ in range(3)] == ["said 0", "said 1", "said 2"]
        bob.line("and on")
        assert bob.until("say")["id"] > last
        bob.line("/join dev")
        bob.until("history", room="#dev", text="codes", action=True)


def test_what_an_older_version_has_kept_is_told_without_what_is_hidden_today(tmp_path: Path) -> None:
    with served(tmp_path) as run, members(run, "ann") as (ann,):
        ann.line("/topic Teatime")
        ann.line("zerowidth")
        ann.until("say")
    for name, text in (("chat.json", "Teatime"), ("chat-history.jsonl", "zerowidth")):
        file = tmp_path / name
        file.write_text(file.read_text().replace(text, f"{text[:4]}\u200b\u00ad{text[4:]}"))
    with served(tmp_path) as run, client(run) as bob:
        bob.enter("bob")
        bob.until("notice", code="topic", topic="Teatime")
        bob.until("history", text="zerowidth")


def test_a_chat_without_history(tmp_path: Path) -> None:
    with served(tmp_path, ChatRules(flood=None, history=0)) as run, members(run, "ann") as (ann,):
        ann.line("hello")
        ann.until("say")
        ann.line("/history")
        assert "Nothing that was said in #lobby is remembered" in ann.until("notice", code="history")["text"]


def test_what_can_not_be_kept_is_told(tmp_path: Path) -> None:
    history = tmp_path / "chat-history.jsonl"
    with served(tmp_path) as run, members(run, "ann") as (ann,):
        history.mkdir()  # so that it can't be written
        ann.sock.sendall(framed(kind="line", text="hello") * 3)
        for _ in range(3):
            ann.until("say")
        assert run.sink.wait_for("chat_unkept")[0].messages == 3
        history.rmdir()
        assert run.sink.wait_for("chat_kept_again")[0].lost == 0
        ann.nothing_but()


def test_a_reason_for_everybody(tmp_path: Path) -> None:
    with served(tmp_path) as run, members(run, "ann", "bob") as (ann, bob):
        bob.sock.setsockopt(1, 13, b"\1\0\0\0\0\0\0\0")  # SO_LINGER: closing sends a reset
        bob.sock.close()
        ann.until("left", name="bob", reason="connection lost")
        assert run.sink.wait_for("member_left")[0].reason == DisconnectReason.CLIENT_RESET
