"""How clients come in under a name, and come back."""

import contextlib
import threading
from pathlib import Path
from typing import Any

import pytest

from sockctl.services.chat.history import JOINING_BYTES
from sockctl.services.chat.settings import ChatLimits, ChatRules
from tests.support.accounts import accounts_at
from tests.support.chat_client import ChatClient, chat_of, client, members, served
from tests.support.frames import Fields, framed
from tests.support.running import TIMEOUT_S, wait_until

RULES = ChatRules(flood=None)
DEFAULT = ChatLimits()
SELDOM = ChatLimits(comings_at_once=1, coming_every_s=5.0)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("server", "bad_name"),
        ("Admin", "bad_name"),
        ("root", "bad_name"),
        ("SYSTEM", "bad_name"),
        ("", "bad_name"),
        ("a b", "bad_name"),
        ("ann\x1b[31m", "bad_name"),
        ("x" * 33, "bad_name"),
        ("ANN", "name_taken"),
    ],
)
def test_a_name_that_will_not_do_is_asked_again(tmp_path: Path, name: str, code: str) -> None:
    with served(tmp_path) as run, members(run, "ann"), client(run) as other:
        other.expect("ask")
        other.send(kind="answer", field="name", text=name)
        assert "\x1b" not in other.expect("error", code=code)["text"]
        other.enter("bob")


def test_five_tries_for_a_name(tmp_path: Path) -> None:
    with served(tmp_path) as run, client(run) as other:
        for _ in range(5):
            other.expect("ask", field="name")
            other.line("root")
            last = other.expect("error", code="bad_name")
        assert last["text"].endswith("That was the last try.")
        other.expect("bye", reason="too_many_tries")


def test_twenty_want_one_name(tmp_path: Path) -> None:
    with served(tmp_path) as run, contextlib.ExitStack() as stack:
        racers = [stack.enter_context(client(run)) for _ in range(20)]
        start = threading.Barrier(20)
        kinds: list[str] = []

        def race(racer: ChatClient) -> None:
            racer.expect("ask")
            start.wait(TIMEOUT_S)
            racer.line("Ann")
            one = racer.receive()
            assert one is not None
            kinds.append(one["kind"])

        threads = [threading.Thread(target=race, args=(racer,)) for racer in racers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(3 * TIMEOUT_S)
        assert sorted(kinds) == ["error"] * 19 + ["token"]


def test_a_guest_takes_its_name_back_from_a_half_dead_connection(tmp_path: Path) -> None:
    with served(tmp_path) as run, members(run, "ann", "bob") as (ann, bob), client(run) as back:
        ann.line("/join dev")
        ann.until("members", room="#dev")
        bob.line("one")
        seen = ann.until("say", text="one")["id"]
        bob.line("two")
        bob.until("say", text="two")
        back.resume(ann.token, lobby=seen)
        back.expect("token", token=ann.token)
        back.expect("welcome", name="ann")
        ann.until("bye", reason="taken_over")
        bob.line("three")
        rooms, texts = set(), []
        while "three" not in texts or "#dev" not in rooms:
            one = back.receive()
            assert one is not None
            if one["kind"] == "joined":
                rooms.add(one["room"])
            elif one["kind"] in {"say", "history"}:
                texts.append(one["text"])
        assert rooms == {"#lobby", "#dev"}
        assert texts == ["two", "three"], "what was missed, and nothing twice"
        bob.nothing_but("say")


def test_a_guest_comes_back_after_it_has_left(tmp_path: Path) -> None:
    with served(tmp_path) as run, members(run, "bob") as (bob,):
        with client(run) as ann:
            ann.enter("ann").ready()
            ann.line("/join dev")
            ann.until("members", room="#dev")
        bob.until("left", name="ann")
        bob.line("while you were away")
        bob.until("say")
        with client(run) as back:
            back.resume(ann.token)
            back.expect("token")
            back.expect("welcome", name="ann")
            back.until("history", text="while you were away")
            back.until("joined", room="#dev")
        bob.until("joined", name="ann")
        bob.until("left", name="ann")
        with members(run, "Ann"), client(run) as late:
            late.send(kind="resume", token=ann.token)
            late.expect("ask")
            late.expect("error", code="name_taken")
            late.expect("ask")


def test_a_guest_comes_back_as_it_was(tmp_path: Path) -> None:
    with served(tmp_path) as run, members(run, "bob") as (bob,):
        with client(run) as ann:
            ann.enter("ann").ready()
            for line, code in (("/ignore bob", "ignore"), ("/quiet", "quiet")):
                ann.line(line)
                ann.until("notice", code=code)
            for room in ("dev", "tea"):
                ann.line(f"/join {room}")
                ann.until("members", room=f"#{room}")
            ann.line("/join dev")
            ann.until("notice", code="room", room="#dev")
            ann.line("/leave lobby")
            ann.until("notice", code="room", room="#dev")
        bob.until("left", room="#lobby")
        bob.line("/join tea")
        bob.until("members", room="#tea")
        with client(run) as back:
            back.resume(ann.token)
            back.expect("token")
            assert "What you type is said in #dev;" in back.expect("welcome", room="#dev")["text"]
            assert [back.until("members")["room"] for _ in range(2)] == ["#tea", "#dev"]
            bob.line("not heard")
            bob.until("say")
            with client(run) as late:
                late.enter("late").ready()
                late.line("/join dev")
                late.until("members", room="#dev")
                late.line("heard")
                assert back.expect("say", room="#dev")["text"] == "heard", "nothing of who ignores, and who comes"
            back.line("here")
            assert back.until("say", text="here")["room"] == "#dev"
            back.line("/whois ann")
            assert back.until("notice", code="whois")["rooms"] == ["#tea", "#dev"]


def test_a_gap_in_what_was_missed_is_told(tmp_path: Path) -> None:
    with served(tmp_path, ChatRules(flood=None, history=30)) as run, members(run, "bob") as (bob,):
        with client(run) as ann:
            ann.enter("ann").ready()
            bob.line("heard")
            seen = ann.until("say")["id"]
        bob.until("left", name="ann")

        def told_after(count: int, seen: int) -> list[Fields]:
            for number in range(count):
                bob.line(f"missed {number}")
                bob.until("say", text=f"missed {number}")
            with client(run) as back:
                back.resume(ann.token, lobby=seen)
                back.ready()
                back.line("done")
                told = [back.expect("notice", code="missed")] if count > 30 else []
                while (one := back.receive()) is not None and one["kind"] == "history":
                    told.append(one)
            bob.until("left", name="ann")
            return told

        assert len(told_after(25, seen)) == 25
        first, *rest = told_after(31, seen)
        assert "More was said in #lobby meanwhile" in first["text"]
        assert len(rest) == 30


def test_what_is_told_at_coming_into_many_rooms_is_bounded(tmp_path: Path) -> None:
    rooms = [f"#room{number}" for number in range(20)]
    with served(tmp_path, RULES) as run:
        with client(run) as ann:
            ann.enter("ann")
            for room in rooms:
                ann.line(f"/join {room}")
                for _ in range(40):
                    ann.line("x" * 4_000)
                ann.until("say", room=room)
            ann.line("the last word")
            ann.until("say", text="the last word")
        with client(run) as back:
            back.send(kind="resume", token="", name="back", seen=dict.fromkeys(rooms, 0))
            told: list[Fields] = []
            while not told or told[-1]["text"] != "the last word":
                told.append(back.receive() or {})
    assert sum(len(one["text"]) for one in told if one["kind"] == "history") < JOINING_BYTES
    assert {one["room"] for one in told if one.get("code") == "missed"} == set(rooms)
    assert {one["room"] for one in told if one["kind"] == "history"} == set(rooms)


def test_a_guest_comes_back_to_a_server_that_was_started_anew(tmp_path: Path) -> None:
    with served(tmp_path) as run, members(run, "bob") as (bob,):
        bob.line("hello")
        seen = bob.until("say")["id"]
        bob.line("missed")
        bob.until("say", text="missed")
    with served(tmp_path) as run, client(run) as back, client(run) as other:
        back.send(kind="resume", token=bob.token, seen={"#lobby": seen}, name="bob")
        back.expect("ask")
        assert back.expect("token")["token"] != bob.token
        back.expect("welcome", name="bob")
        back.ready()
        assert "more" not in back.expect("history", text="missed")
        other.send(kind="resume", token=bob.token, name="BOB")
        other.expect("ask")
        other.expect("error", code="name_taken")
        other.enter("carl")


def test_a_guests_token_ends_after_ten_minutes(tmp_path: Path) -> None:
    assert DEFAULT.guest_token_s == 600
    with served(tmp_path, limits=ChatLimits(guest_token_s=0.0)) as run:
        with client(run) as ann:
            ann.enter("ann").ready()
        run.sink.wait_for("member_left")
        chat = chat_of(run)
        wait_until(lambda: chat.members.find_departed("ann") is None)
        with client(run) as back:
            back.send(kind="resume", token=ann.token)
            back.expect("ask")
            back.expect("error", code="bad_token")
            back.enter("ann")


@pytest.mark.parametrize("seen", [None, [], "x", {"#lobby": "x"}, {"#lobby": -1}, {"nowhere": 5}, {"#lobby": 10**30}])
def test_junk_in_a_resume(tmp_path: Path, seen: Any) -> None:
    with served(tmp_path) as run, members(run, "ann") as (ann,), client(run) as back:
        back.send(kind="resume", token=ann.token, seen=seen)
        back.expect("ask")
        back.expect("token")
        back.expect("welcome")
        back.until("members", room="#lobby")
        assert not run.sink.named("service_failed")


def test_a_guest_that_wants_no_token_gets_none(tmp_path: Path) -> None:
    with served(tmp_path) as run, run.client() as sock:
        ann = ChatClient(sock, hello=False)
        ann.send(kind="hello", session=False)
        ann.expect("ask")
        ann.line("ann")
        ann.expect("welcome")


def test_only_users_get_in_and_their_names_are_theirs(tmp_path: Path) -> None:
    accounts = accounts_at(tmp_path, "ann", "bob")
    with served(tmp_path, auth=True) as run, client(run) as ann, client(run) as bob:
        ann.log_in("ann").ready()
        bob.log_in("bob").ready()
        ann.line("/nick Bob")
        ann.until("error", code="name_taken")
        ann.line("/nick zoe")
        bob.until("renamed", name="zoe")
        bob.line("/nick ann")
        bob.until("error", code="name_taken")  # the account of somebody else, whoever is called so
        bob.line("/whois zoe")
        assert "zoe is logged in as ann" in bob.until("notice", code="whois")["text"]
        ann.line("/nick ANN")
        bob.until("renamed", name="ANN")
        accounts.disable("ann")
        ann.until("bye", reason="session_ended")
        bob.until("left", name="ANN")


def test_a_place_goes_on_speaking_where_it_did(tmp_path: Path) -> None:
    accounts_at(tmp_path, "ann")
    with served(tmp_path, auth=True) as run, client(run) as here:
        here.log_in("ann").ready()
        here.line("/join dev")
        here.until("members", room="#dev")
        with client(run) as back:
            back.send(kind="resume", token=here.token, seen={"#dev": 0, "#lobby": 0})
            back.expect("ask")
            back.until("welcome", room="#lobby")
            back.line("hello")
            assert back.until("say")["room"] == "#lobby"


def test_what_was_heard_is_not_missed_at_the_next_coming(tmp_path: Path) -> None:
    with served(tmp_path, ChatRules(flood=None, history=30)) as run, members(run, "ann") as (ann,):
        ann.line("one")
        seen = ann.until("say")["id"]
        with client(run) as back:
            back.resume(ann.token, lobby=seen)
            back.ready()
            back.sock.sendall(framed(kind="line", text="more") * 50)
            for _ in range(50):
                back.until("say")
            for line in ("/leave lobby", "/join lobby"):
                back.line(line)
            back.until("members")
            told = [back.expect("history") for _ in range(20)]
            assert "more" not in told[-1]


def test_a_user_comes_back_with_its_wishes(tmp_path: Path) -> None:
    accounts_at(tmp_path, "ann", "bob")
    with served(tmp_path, auth=True) as run, client(run) as bob:
        bob.log_in("bob").ready()
        with client(run) as ann:
            ann.log_in("ann").ready()
            ann.line("/ignore bob")
            ann.until("notice", code="ignore")
        bob.until("left", name="ann")
        with client(run) as ann:
            ann.log_in("ann").ready()
            ann.line("/ignore")
            ann.until("notice", code="ignore", ignored=["bob"])


def test_a_user_comes_back_by_token_with_what_it_has_seen(tmp_path: Path) -> None:
    accounts_at(tmp_path, "ann", "bob")
    with served(tmp_path, auth=True) as run, client(run) as bob:
        bob.log_in("bob").ready()
        with client(run) as ann:
            ann.log_in("ann").ready()
            bob.line("one")
            seen = ann.until("say")["id"]
        bob.until("left", name="ann")
        bob.line("two")
        bob.until("say", text="two")
        with client(run) as back:
            back.resume(ann.token, lobby=seen)
            assert back.expect("token")["token"] != ann.token
            back.expect("welcome", user="ann")
            back.ready()
            assert "more" not in back.expect("history", text="two")


@pytest.mark.parametrize("auth", [False, True])
def test_who_comes_too_often_waits_and_others_do_not(tmp_path: Path, *, auth: bool) -> None:
    if auth:
        accounts_at(tmp_path, "ann", "bob", "carl")
    with (
        served(tmp_path, ChatRules(), auth=auth, limits=SELDOM) as run,
        client(run) as ann,
        client(run) as bob,
        client(run, source="127.0.0.2") as carl,
    ):
        for sock, name in ((ann, "ann"), (bob, "bob"), (carl, "carl")):
            _come(sock, name, auth=auth)
            if name != "bob":
                sock.until("welcome")
        assert [event.who for event in run.sink.wait_for("member_came", 2)] == ["ann", "carl"]
        bob.until("welcome")


def _come(sock: ChatClient, name: str, *, auth: bool) -> None:
    if auth:
        sock.log_in(name, let_in=False)
    else:
        sock.send(kind="answer", field="name", text=name)


def test_nobody_waits_where_members_may_flood(tmp_path: Path) -> None:
    with served(tmp_path, ChatRules(flood=None), limits=ChatLimits(comings_at_once=1, coming_every_s=3_600.0)) as run:
        for name in ("ann", "bob"):
            with client(run) as sock:
                sock.enter(name)
