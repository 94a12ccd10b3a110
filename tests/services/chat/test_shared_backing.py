"""Several servers of one chat: what only they can do wrong."""

import contextlib
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from sockctl.services.chat import shared_sequencer
from sockctl.services.chat.service import Chat
from sockctl.services.chat.settings import ChatLimits
from sockctl.services.chat.shared_records import ASK, MARK, ROSTER
from sockctl.services.chat.shared_sequencer import FLUSH_S
from tests.support.accounts import accounts_at
from tests.support.chat_client import ChatClient, chat_of, client
from tests.support.list_log import ListLog, ListNode
from tests.support.running import TIMEOUT_S, running, wait_until
from tests.support.two_servers import Servers, make_shared, serve_two


@pytest.fixture
def servers() -> Iterator[Servers]:
    with serve_two() as both:
        yield both


@pytest.fixture
def log(servers: Servers) -> ListLog:
    """Return the log that both servers share."""
    assert servers.log is not None
    return servers.log


@contextlib.contextmanager
def ann_and_bob(servers: Servers) -> Iterator[tuple[ChatClient, ChatClient]]:
    """Let ann come to the first server, then bob to the second one."""
    with client(servers.one) as ann, client(servers.two) as bob:
        ann.enter("ann").ready()
        bob.enter("bob").ready()
        ann.until("joined", name="bob")
        yield ann, bob


def say(one: ChatClient, text: str, *hearers: ChatClient) -> int:
    """Say a text, wait until all have heard it, and return its id."""
    one.line(text)
    ids: set[int] = {each.until("say", text=text)["id"] for each in (one, *hearers)}
    assert len(ids) == 1
    return ids.pop()


def test_who_has_heard_more_than_its_new_server_hears_nothing_twice(servers: Servers) -> None:
    held = servers.nodes[1]
    with client(servers.one) as ann, client(servers.one) as bob:
        ann.enter("ann").ready()
        held.hold()
        bob.enter("bob").ready()  # the other server does not know it yet
        ann.until("joined", name="bob")
        say(ann, "one", bob)
        last = say(ann, "two", bob)
        with client(servers.two) as back:
            back.expect("ask")
            back.send(kind="resume", token=bob.token, name="bob", seen={"#lobby": last})
            say(ann, "three")
            assert bob.until("bye")["reason"] == "taken_over"
            say(ann, "four")
            held.go_on()
            back.until("welcome", name="bob")
            ann.line("five")
            told: list[str] = []
            while "five" not in told:
                one = back.receive()
                assert one is not None
                if one["kind"] in {"say", "history"}:
                    told.append(one["text"])
            assert told == ["three", "four", "five"]
            ann.nothing_but("say")


def test_a_name_has_one_holder(servers: Servers) -> None:
    for number in range(10):
        with client(servers.one) as one, client(servers.two) as two:
            both = (one, two)
            for each in both:
                each.expect("ask")
            for each in both:
                each.send(kind="answer", field="name", text=f"name{number}")
            told = [each.receive() for each in both]
            assert sorted(each["kind"] for each in told if each is not None) == ["error", "token"]


def test_a_claim_whose_answer_is_lost_leaves_nobody_behind(servers: Servers, log: ListLog) -> None:
    servers.nodes[0].loses_answers = True
    with client(servers.one) as ann:
        ann.expect("ask")
        ann.send(kind="answer", field="name", text="ann")
        assert ann.until("error")["code"] == "busy"
    wait_until(lambda: log.count("went", "one") == 1)
    with log.changed:
        log.append(ASK, "two", b"{}")
    wait_until(lambda: log.count(ROSTER, "one") == 1)
    with log.changed:
        log.append(ASK, "two", b"{}")
    wait_until(lambda: log.count(ROSTER, "one") == 2)  # a turn of the server, in which it could claim the name again
    assert log.count("came", "one") == 1
    with client(servers.two) as ann:
        ann.enter("ann").ready()


def test_the_members_of_a_dead_server_leave_once(servers: Servers, log: ListLog) -> None:
    with ann_and_bob(servers) as (ann, bob), client(servers.two) as carl:
        carl.enter("carl").ready()
        ann.until("joined", name="carl")
        last = say(bob, "hello", ann)
        servers.nodes[1].hold()
        with client(servers.one) as back:
            back.resume(bob.token, lobby=last)
            back.until("welcome", name="bob")
            log.bury("two")
            assert ann.until("left")["text"] == "carl left #lobby (connection lost)."
            ann.nothing_but()
            say(back, "here", ann)
            with client(servers.one) as again:
                again.resume(carl.token)
                again.until("welcome", name="carl")
                assert ann.until("joined")["name"] == "carl"
        servers.nodes[1].go_on()
        assert bob.until("bye")["reason"] == "taken_over"


def test_a_server_that_was_given_up_comes_back(servers: Servers, log: ListLog) -> None:
    with ann_and_bob(servers) as (ann, bob), client(servers.two) as carl:
        carl.enter("carl").ready()
        ann.until("joined", name="carl")
        bob.line("/join #games")
        bob.until("members", room="#games")
        node = servers.nodes[1]
        node.hold()
        log.bury("two")
        assert {ann.until("left")["name"] for _ in range(2)} == {"bob", "carl"}
        with client(servers.one) as other:
            other.enter("carl").ready()
            assert ann.until("joined")["name"] == "carl"
            node.rename_after_burial("two again")
            node.go_on()
            assert ann.until("joined")["name"] == "bob"
            assert carl.until("error")["code"] == "name_taken"
            assert carl.until("bye")["reason"] == "name_lost"
            say(bob, "in games")
            bob.line("/join #lobby")
            bob.until("notice", code="room")
            say(bob, "hello", ann, other)
            wait_until(lambda: ann.list_rooms("bob") == ["#lobby", "#games"])
            ann.nothing_but("joined")


def test_what_was_not_said_is_told_exactly(servers: Servers) -> None:
    with ann_and_bob(servers) as (ann, bob):
        node = servers.nodes[1]
        node.most_waiting = 3
        node.go_away()
        assert bob.until("notice", code="engine_away")
        assert servers.two.service.count()["engine_away_s"] > 0
        assert servers.one.service.count()["engine_away_s"] == 0
        for number in range(5):
            bob.send(kind="line", text=f"{number}", n=number)
        assert [bob.until("error", code="not_said")["n"] for _ in range(2)] == [3, 4]
        bob.send(kind="line", text="/msg ann psst", n=5)
        assert bob.until("error", code="not_said")["n"] == 5
        for text in ("without a number", "/msg ann psst"):
            bob.line(text)
            assert bob.until("error", code="not_said")["text"].endswith(f": this was not said: {text}")
        with client(servers.two) as carl:
            carl.expect("ask")
            carl.send(kind="answer", field="name", text="carl")
            assert carl.expect("error")["code"] == "busy"
            assert carl.expect("bye")["reason"] == "engine_away"
        node.come_back(refused=True)
        assert [bob.until("error", code="not_said")["n"] for _ in range(3)] == [0, 1, 2]
        bob.until("notice", code="engine_back")
        assert servers.two.service.count()["engine_away_s"] == 0
        say(bob, "at last", ann)
        ann.nothing_but()


def test_members_are_sent_away_if_the_engine_is_away_for_long() -> None:
    with serve_two(close_after_s=0.1, limits=ChatLimits(tick_s=0.05)) as servers, ann_and_bob(servers) as (ann, bob):
        servers.nodes[1].go_away()
        assert bob.until("bye")["reason"] == "engine_away"
        servers.nodes[1].come_back()
        assert ann.until("left")["name"] == "bob"


def test_a_roster_heals_what_was_lost(servers: Servers) -> None:
    with ann_and_bob(servers) as (ann, bob):
        node = servers.nodes[1]
        node.go_away()
        bob.line("/join #games")
        bob.until("members", room="#games")
        bob.line("/leave #lobby")
        bob.until("left")
        node.come_back(refused=True)
        assert ann.until("left")["name"] == "bob"
        wait_until(lambda: ann.list_rooms("bob") == ["#games"])


def test_a_servers_own_members_hear_who_left_though_the_posting_was_lost(servers: Servers) -> None:
    with ann_and_bob(servers) as (ann, bob), client(servers.two) as carl:
        carl.enter("carl").ready()
        ann.until("joined", name="carl")
        bob.until("joined", name="carl")
        node = servers.nodes[1]
        node.go_away()
        bob.line("/leave #lobby")
        bob.until("left")
        bob.line("/join #games")
        bob.until("members", room="#games")
        node.come_back(refused=True)
        for each in (ann, carl):
            assert each.until("left")["name"] == "bob"
        wait_until(lambda: list_members(carl, "#games") == ["bob"], what="that bob is where it went")


def list_members(one: ChatClient, room: str) -> list[str]:
    """Return who is in a room, as a member is told."""
    one.line(f"/who {room}")
    names: list[str] = one.until("members", room=room)["members"]
    return names


def test_a_room_that_was_left_before_the_server_reads_that_it_was_joined_stays_left(servers: Servers) -> None:
    node = servers.nodes[1]
    with ann_and_bob(servers) as (ann, bob):
        node.hold()
        bob.line("/join #games")
        bob.until("members", room="#games")
        bob.line("/leave #games")
        bob.until("left")
        node.go_on()
        say(ann, "hello", bob)
        assert bob.list_rooms("bob") == ann.list_rooms("bob") == ["#lobby"]


def test_a_room_that_is_joined_at_one_server_while_it_is_left_at_another_is_joined(tmp_path: Path) -> None:
    """The other server's posting comes first, puts the member's client here out, and then its own lets it in again."""
    accounts_at(tmp_path, "ann")
    with serve_two(accounts=tmp_path) as servers, client(servers.one) as there, client(servers.two) as here:
        assert servers.log is not None
        for each in (there, here):
            each.log_in("ann").ready()
        servers.nodes[1].hold()
        there.line("/join #games")
        there.until("members", room="#games")
        there.line("/leave #games")
        wait_until(partial(has_posted, servers.log, "exit", "one"))
        here.line("/join #games")
        wait_until(partial(has_posted, servers.log, "enter", "two"))
        servers.nodes[1].go_on()
        here.until("left", room="#games")
        here.until("members", room="#games")
        for each in (there, here):
            wait_until(partial(has_rooms, each, "ann", ["#lobby", "#games"]))


def has_posted(log: ListLog, kind: str, node: str) -> bool:
    return log.count(kind, node) > 0


def has_rooms(one: ChatClient, name: str, rooms: list[str]) -> bool:
    return one.list_rooms(name) == rooms


def test_who_writes_to_a_member_that_leaves_meanwhile_is_told(servers: Servers, log: ListLog) -> None:
    with ann_and_bob(servers) as (ann, bob):
        servers.nodes[0].hold()  # it does not read yet that bob has gone
        bob.leave("quit")
        wait_until(lambda: log.count("went", "two") == 1)
        ann.line("/msg bob psst")
        wait_until(lambda: log.count("tell", "one") == 1)
        servers.nodes[0].go_on()
        assert ann.until("error")["text"] == "bob has left: what you wrote was sent to nobody: psst"


def test_a_roster_that_follows_a_departure_does_not_undo_it(servers: Servers, log: ListLog) -> None:
    with ann_and_bob(servers) as (ann, bob):
        node = servers.nodes[1]
        node.hold()  # it does not read yet that bob has gone
        bob.sock.close()
        assert ann.until("left")["name"] == "bob"
        rosters = log.count("roster", "two")
        node.come_back()
        wait_until(lambda: log.count("roster", "two") > rosters)
        ann.nothing_but()
        node.go_on()
        with client(servers.one) as back:
            back.resume(bob.token)
            back.until("welcome", name="bob")
            assert ann.until("joined")["name"] == "bob"


def test_a_loss_is_told_and_names_are_claimed_again(servers: Servers, log: ListLog) -> None:
    with ann_and_bob(servers) as (ann, bob):
        last = say(ann, "one", bob)
        with log.changed:
            del log.names["bob"]
        servers.nodes[1].lose(last - 1)
        assert bob.until("notice", code="lost")
        wait_until(lambda: "bob" in log.names)
        say(bob, "two", ann)
        ann.nothing_but()


def test_what_was_missed_is_told_and_the_state_loaded_again(servers: Servers, log: ListLog) -> None:
    with ann_and_bob(servers) as (ann, bob):
        ann.line("/topic tea")
        bob.until("notice", code="topic")
        value = next(iter(log.state.values()))
        log.state["topic:#lobby"] = value.replace(b"tea", b"cake")
        servers.nodes[1].miss(0)
        assert bob.until("notice", code="missed")

        def topic() -> str:
            bob.line("/topic")
            text: str = bob.until("notice", code="topic")["topic"]
            return text

        wait_until(lambda: topic() == "cake")
        ann.nothing_but("notice")


def test_who_comes_back_after_its_server_has_missed_something_is_told(servers: Servers) -> None:
    node = servers.nodes[1]
    with ann_and_bob(servers) as (ann, bob):
        last = say(ann, "one", bob)
        bob.line("/quit")
        ann.until("left", name="bob")
        two = say(ann, "two")
        assert node.wait_until_read(two, TIMEOUT_S)
        node.miss(last)
        with client(servers.two) as back:
            back.resume(bob.token, lobby=last)
            assert back.until("notice", code="missed")["room"] == "#lobby"


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("say", b"no form at all"),
        ("say", b'ann\nx\n{"kind":"say","text":"one"'),
        ("say", b'\xff\n\n{"kind":"say"'),
        ("block", b'ann\n\n{"kind":"say","text":"one"'),
        ("block", b"ann\n\nno json"),
        ("came", b'{"m":"g:1"}'),
        ("came", b"[" * 100_000),
        ("renamed", b'{"m":["a"]}'),
        ("roster", b'["part"]'),
        ("act", b'{"do":"topic","room":"#lobby","topic":{"text":1},"by":"x","key":"x"}'),
        ("act", b'{"do":"ban","text":"","public":"","until":null,"m":"","ban":{"by":7,"at":8,"guest":9}}'),
        ("later", b"of a newer version"),
    ],
)
def test_an_entry_that_can_not_be_read_stops_no_server(servers: Servers, log: ListLog, kind: str, data: bytes) -> None:
    with ann_and_bob(servers) as (ann, bob):
        with log.changed:
            log.append(kind, "one", data, room="#lobby", lines=2 if kind == "block" else 1)
        ann.line("hello")
        assert bob.until("say", text="hello")


def test_a_new_server_knows_all(servers: Servers, log: ListLog) -> None:
    with ann_and_bob(servers) as (ann, bob):
        say(ann, "hello", bob)
        ann.line("/topic tea")
        bob.until("notice", code="topic")
        bob.line("/away at lunch")
        bob.until("notice", code="away")
        servers.terminal.type("/mute 192.0.2.7")
        ann.until("notice", code="announcement")
        third = make_shared(log, "three")
        with running(third) as run, client(run) as carl:
            carl.enter("carl")
            assert carl.until("notice", code="topic")["topic"] == "tea"
            assert sorted(carl.until("members")["members"]) == ["ann", "bob", "carl"]
            assert carl.until("history")["text"] == "hello"
            ann.until("joined", name="carl")
            carl.line("/msg bob psst")
            assert bob.until("say", text="psst")["sender"] == "carl"
            assert carl.until("notice", code="away")["away"] == "at lunch"
            state = third._effects._state
            assert [mute.target.describe() for mute in state.mutes.list_lasting()] == ["192.0.2.7"]
            with client(run) as back:
                back.resume(bob.token)
                back.until("welcome", name="bob")
                assert bob.until("bye")["reason"] == "taken_over"
                say(back, "still here", ann)


def test_nobody_leaves_with_a_server_that_stops(servers: Servers) -> None:
    with ann_and_bob(servers) as (ann, bob):
        last = say(bob, "hello", ann)
        servers.two.stop()
        assert bob.until("bye")["reason"] == "server_stopping"
        with client(servers.one) as back:
            back.resume(bob.token, lobby=last)
            back.until("welcome", name="bob")
            say(back, "here again", ann)
        assert ann.until("left")["name"] == "bob"


def test_a_server_that_stops_says_of_nobody_that_it_has_left(servers: Servers, log: ListLog) -> None:
    """Its clients go one by one, and a roster without the first of them would let that one leave."""
    with ann_and_bob(servers) as (ann, bob):
        chat = servers.two.service
        assert isinstance(chat, Chat)
        chat.prepare_stop()
        rosters = log.count(ROSTER, "two")
        with log.changed:
            log.append(ASK, "one", b"{}")
        say(bob, "the server has read on", ann)
        chat._backing.tick(time.monotonic())
        assert log.count(ROSTER, "two") == rosters


def test_a_guest_may_go_to_and_fro(servers: Servers) -> None:
    with ann_and_bob(servers) as (ann, bob), contextlib.ExitStack() as stack:
        before = bob
        for number in range(10):
            back = stack.enter_context(client((servers.one, servers.two)[number % 2]))
            back.resume(bob.token)
            back.until("welcome", name="bob")
            assert before.until("bye")["reason"] == "taken_over"
            say(back, f"{number}", ann)
            before = back
        ann.nothing_but()
        assert chat_of(servers.one).members.find("bob") is not None


def test_the_log_is_not_asked_for_a_free_name_that_is_known_to_be_taken(servers: Servers, log: ListLog) -> None:
    with ann_and_bob(servers) as (ann, _):
        length = len(log.news)
        ann.line("/nick bob")
        assert ann.until("error")["code"] == "name_taken"
        ann.line("/nick ann")
        ann.nothing_but()
        assert len(log.news) == length


@pytest.mark.parametrize("end", ["quit", "bye", "eof"])
def test_who_leaves_waits_for_a_moment_only(servers: Servers, end: str) -> None:
    with ann_and_bob(servers) as (_, bob):
        servers.nodes[1].hold()
        bob.line("hello")
        began = time.monotonic()
        bob.leave(end)
        assert not [one for one in bob.rest() if one["kind"] == "say"]
        assert 1 < time.monotonic() - began < TIMEOUT_S
        servers.nodes[1].go_on()


def has_kept(node: ListNode, kind: str) -> bool:
    return any(one.kind == kind for one in node.waiting)


def say_and_leave(servers: Servers, one: ChatClient, end: str) -> None:
    """Say something at the second server while the engine is away, leave, and wait until the server has read both."""
    node = servers.nodes[1]
    node.go_away()
    one.line("too late")
    one.leave(end)
    wait_until(partial(has_kept, node, MARK), what="the end")


@pytest.mark.parametrize("end", ["quit", "bye", "eof"])
def test_who_leaves_learns_what_was_not_said(servers: Servers, end: str) -> None:
    with ann_and_bob(servers) as (ann, bob):
        say_and_leave(servers, bob, end)
        servers.nodes[1].come_back(refused=True)
        told = [one for one in bob.rest() if one["kind"] in {"error", "say", "bye"}]
        byes = [("bye", None)] if end == "quit" else []  # who has ended its own side knows
        assert [(one["kind"], one.get("code")) for one in told] == [("error", "not_said"), *byes]
        assert told[0]["text"].endswith(": this was not said: too late")
        assert ann.until("left")["name"] == "bob"


def test_who_leaves_hears_what_is_said_after_all(servers: Servers) -> None:
    with ann_and_bob(servers) as (ann, bob):
        say_and_leave(servers, bob, "eof")
        servers.nodes[1].come_back()
        assert [one["text"] for one in bob.rest() if one["kind"] in {"error", "say"}] == ["too late"]
        ann.until("say", text="too late")


def test_who_leaves_learns_that_nobody_knows_what_was_said(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_sequencer, "ANSWER_S", 0.5)
    with ann_and_bob(servers) as (_, bob):
        say_and_leave(servers, bob, "eof")
        assert [one["code"] for one in bob.rest() if one["kind"] == "error"] == ["in_doubt"]


def test_a_server_that_stops_without_its_engine_tells_what_was_not_said(servers: Servers) -> None:
    with ann_and_bob(servers) as (_, bob):
        servers.nodes[1].go_away()
        bob.send(kind="line", text="too late", n=1)
        wait_until(partial(has_kept, servers.nodes[1], "say"), what="the line")
        servers.two.stop()
        assert bob.until("error", code="not_said")["n"] == 1
        assert bob.until("bye")["reason"] == "server_stopping"


def test_who_leaves_does_not_wait_for_an_engine_that_is_away(servers: Servers) -> None:
    with ann_and_bob(servers) as (_, bob), contextlib.ExitStack() as stack:
        others = [stack.enter_context(client(servers.two)) for _ in range(3)]
        for number, each in enumerate(others):
            each.enter(f"other{number}").ready()
        servers.nodes[1].hold()
        bob.line("/quit")
        servers.nodes[1].go_away()
        bob.rest()
        took_s = []
        for each in others:  # a busy machine may delay any of them
            began = time.monotonic()
            each.line("/quit")
            each.rest()
            took_s.append(time.monotonic() - began)
        assert min(took_s) < FLUSH_S
        servers.nodes[1].go_on()
        servers.nodes[1].come_back()
