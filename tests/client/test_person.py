"""Whole sessions of a person at the line editor, without a terminal: what is asked about, waits, and comes back."""

import json
from pathlib import Path
from typing import Any

import pytest

from sockctl.client.entry import Secret
from sockctl.client.session_events import EndReason, EventToEmit, MessageToShow, QuestionAsked, TextArrived
from sockctl.client.token_store import Login, TokenStore
from tests.support.frames import framed
from tests.support.server_words import ASK, LATER, SECRET, TOKEN
from tests.support.session import GREETING, SERVER, Played, frames_in

ALL = ("blocks", "typing")
PASTE = "one\n/quit\n  exit\n//two\n"


def welcome(*can: str, room: str = "#lobby") -> bytes:
    return framed(kind="welcome", text="Welcome, ann!", name="ann", user="ann", room=room, can=[*can])


def joined(room: str = "#lobby") -> bytes:
    return framed(kind="joined", text=f"You are in {room}.", room=room, name="ann")


def at_editor(tmp_path: Path, greeting: bytes = GREETING, **options: Any) -> Played:
    played = Played(tmp_path, edits=True, terminal=True, messages=None, **options)
    played.connect()
    played.receive(greeting)
    return played


def chatting(tmp_path: Path, *can: str) -> Played:
    played = at_editor(tmp_path)
    played.receive(ASK)
    played.enter("ann")
    played.receive(SECRET)
    played.enter("swordfish")
    played.receive(TOKEN + welcome(*can) + joined())
    played.sent = b""
    return played


def talking(tmp_path: Path) -> Played:
    played = at_editor(tmp_path, b"sockctl/1 talk\r\n")
    played.receive(framed(kind="welcome", text="You are client 1."))
    played.sent = b""
    return played


def said(played: Played) -> list[Any]:
    return [json.loads(body) for body in frames_in(played.sent)]


def texts(played: Played) -> list[str]:
    return [one["text"] for one in said(played)]


# Blocks.


def test_a_block_is_asked_about_and_sent_as_one(tmp_path: Path) -> None:
    played = chatting(tmp_path, *ALL)
    played.enter(PASTE)
    assert (said(played), played.asked[-1]) == ([], "4 lines: send? [y/N]")
    played.enter("y")
    assert isinstance(played.events[-3], QuestionAsked)
    lines = ["one", "/quit", "  exit", "//two"]
    assert said(played) == [{"kind": "block", "text": "one", "lines": lines, "n": 1}]
    assert played.ended is None


def test_a_server_without_blocks_gets_lines_of_which_none_is_a_command(tmp_path: Path) -> None:
    played = chatting(tmp_path)
    played.enter(PASTE + "\n\x07/quit\n\n")
    played.enter(" Yes ")
    expected = ["one", "//quit", "  exit", "///two", "//quit"]
    assert said(played) == [{"kind": "line", "text": text} for text in expected]


def test_a_talking_server_gets_the_lines_as_they_are_and_the_user_sees_them(tmp_path: Path) -> None:
    played = talking(tmp_path)
    played.enter(PASTE)
    assert played.asked == ["4 lines: send? [y/N]"]
    played.enter("y")
    assert texts(played) == ["one", "/quit", "  exit", "//two"]
    assert played.remarks == ["> one", "> /quit", ">   exit", "> //two"]
    assert played.ended is None


@pytest.mark.parametrize("answer", ["n", "", "no", "what?", "y\nx"])
def test_a_block_that_is_not_confirmed_comes_back(tmp_path: Path, answer: str) -> None:
    played = chatting(tmp_path, *ALL)
    played.enter(PASTE)
    played.enter(answer)
    assert said(played) == []
    assert played.returned == [(PASTE.rstrip("\n"), "")]
    assert played.events[-2] == QuestionAsked(None)
    played.enter("next")
    assert texts(played) == ["next"], "the question is over"


def test_a_block_that_is_too_large_is_refused_at_once(tmp_path: Path) -> None:
    played = chatting(tmp_path, *ALL)
    for large in ("x\n" * 201, "x" * 16_384 + "\ny"):
        asked = len(played.asked)
        played.enter(large)
        assert len(played.asked) == asked
        assert played.returned[-1] == (large.rstrip("\n"), "")
        assert "A block may have 200 lines, and 16,384 bytes" in played.remarks[-1]
    played.enter("x\n" * 200)
    assert played.asked[-1] == "200 lines: send? [y/N]"


def test_a_block_is_no_answer_to_a_question(tmp_path: Path) -> None:
    played = at_editor(tmp_path)
    played.receive(ASK)
    played.sent = b""
    played.enter("ann\nbob")
    assert said(played) == []
    assert set(played.asked) == {"Your name?"}
    assert played.remarks[-1] == "The answer to a question has one line: nothing was sent."
    assert played.returned == [("ann\nbob", "")]
    played.enter("ann")
    assert said(played) == [{"kind": "answer", "text": "ann", "field": "name"}]


def test_a_question_of_the_server_takes_the_place_of_the_clients(tmp_path: Path) -> None:
    played = chatting(tmp_path, *ALL)
    played.enter(PASTE)
    played.receive(SECRET)
    assert played.returned == [(PASTE.rstrip("\n"), "")]
    played.enter("y")
    assert said(played) == [{"kind": "answer", "text": "y", "field": "password"}]


# Leaving.


def test_exit_ends_a_session_with_a_talking_server(tmp_path: Path) -> None:
    played = talking(tmp_path)
    played.enter("//exit")
    assert texts(played) == ["exit"]
    played.enter(" exit ")
    assert said(played)[-1]["kind"] == "bye"
    played.enter("too late")
    played.end()
    assert played.ended is not None
    assert played.ended.reason is EndReason.CLIENT_EXIT
    assert texts(played) == ["exit", ""]


def test_exit_in_a_chat_is_asked_about_once(tmp_path: Path) -> None:
    played = chatting(tmp_path)
    played.enter("exit")
    assert (said(played), played.asked[-1]) == ([], "Leave the chat? [y/N]")
    played.enter("n")
    assert played.returned == [("exit", "")]
    played.enter("exit")
    assert texts(played) == ["exit"], "now it is meant as a text"
    assert played.ended is None


def test_exit_in_a_chat_that_is_confirmed(tmp_path: Path) -> None:
    played = chatting(tmp_path)
    played.enter("exit")
    played.enter("y")
    assert said(played) == [{"kind": "bye", "text": ""}]
    played.end()
    assert played.ended is not None
    assert played.ended.reason is EndReason.CLIENT_EXIT


def test_exit_while_the_connection_is_away(tmp_path: Path) -> None:
    played = chatting(tmp_path)
    played.end()
    played.enter("hello")
    played.enter("exit")
    assert played.asked[-1] == "Leave the chat? [y/N]"
    played.enter("y")
    assert played.ended is not None
    assert played.ended.reason is EndReason.STOPPED
    assert played.returned == [("hello", "Not sent")]


# Names and passwords.


def returning(tmp_path: Path) -> Played:
    """Return the session of ann, whom a kept login will let in; bob has logged in from here, too."""
    store = TokenStore(tmp_path)
    store.keep(Login.at(SERVER.host, SERVER.port, "chat"), token="x", expires=LATER, user="bob")
    store.keep(Login.at(SERVER.host, SERVER.port, "chat"), token="old", expires=LATER, user="ann")
    return at_editor(tmp_path)


@pytest.mark.parametrize("early", [True, False])
@pytest.mark.parametrize("name", ["ann", "Bob", "carol"])
def test_a_name_as_the_first_line_after_a_kept_login(tmp_path: Path, name: str, early: bool) -> None:
    played = returning(tmp_path)
    if early:
        played.enter(f" {name}")
    members = framed(kind="members", text="In #lobby: ann, carol", room="#lobby", members=["ann", "carol"])
    played.sent = b""
    # What comes in one piece was there before the entry is looked at.
    played.receive(TOKEN + welcome() + joined() + members)
    if not early:
        played.enter(f" {name}")
    assert (said(played), played.asked) == ([], [f"{name} is a user's name: say it? [y/N]"])
    played.enter("y")
    assert texts(played) == [f" {name}"]
    played.enter(name)
    assert texts(played)[1:] == [name], "only the first line"


def test_other_first_lines_after_a_kept_login(tmp_path: Path) -> None:
    played = returning(tmp_path)
    played.enter("hello ann")
    played.sent = b""
    played.receive(TOKEN + welcome() + joined())
    played.enter("ann")
    assert texts(played) == ["hello ann", "ann"]
    assert played.asked == []


def test_a_name_answers_where_the_kept_login_is_refused(tmp_path: Path) -> None:
    played = returning(tmp_path)
    played.enter("ann")
    played.sent = b""
    played.receive(framed(kind="error", text="Log in again.", code="bad_token") + ASK)
    assert said(played) == [{"kind": "answer", "text": "ann", "field": "name"}]


@pytest.mark.parametrize("typed", ["swordfish", " swordfish ", "hello\nswordfish"])
def test_the_password_that_was_just_typed(tmp_path: Path, typed: str) -> None:
    played = chatting(tmp_path)
    played.enter(typed)
    assert (said(played), played.asked[-1]) == ([], "That is the password you just typed: say it? [y/N]")
    played.enter("n")
    assert played.returned == [], "a secret never comes back"
    assert played.remarks[-1] == "Not sent."
    played.now += 301
    played.enter(typed)
    assert len(played.asked) in {3, 4}, "after a while nobody knows it"
    assert "swordfish" not in repr(vars(played.session))


def test_a_pasted_secret_may_end_with_a_line_feed(tmp_path: Path) -> None:
    played = at_editor(tmp_path)
    played.receive(SECRET)
    played.sent = b""
    played.enter(Secret("swordfish\n"))
    assert texts(played) == ["swordfish"]


@pytest.mark.parametrize("answer", ["sword\nfish", "y" * 70_000])
def test_a_secret_that_cannot_be_sent_is_asked_for_again(tmp_path: Path, answer: str) -> None:
    played = at_editor(tmp_path)
    played.receive(SECRET)
    played.sent = b""
    asked = len(played.asked)
    played.enter(Secret(answer))
    assert (played.sent, played.asked[asked:]) == (b"", ["Your password?"]), "so that the editor hides it again"
    played.enter("swordfish")
    assert said(played) == [{"kind": "answer", "text": "swordfish", "field": "password"}]


def test_a_secret_behind_a_lost_connection_is_neither_shown_nor_sent(tmp_path: Path) -> None:
    played = chatting(tmp_path, *ALL)
    played.receive(SECRET)
    played.end()
    played.enter(Secret("other"))
    assert played.remarks[-1] == "Not sent: the question is not open any more."
    played.wait(0.6)
    played.connect()
    played.receive(GREETING)
    played.receive(TOKEN + welcome(*ALL) + joined())
    assert "other" not in str(played.events)
    assert b"other" not in played.sent
    assert "other" not in repr(Secret("other"))


# What comes back, and what waits.


def test_refused_texts_come_back(tmp_path: Path) -> None:
    played = chatting(tmp_path, *ALL)
    played.enter("hello")
    played.enter("a\nb")
    played.enter("y")
    assert [one["n"] for one in said(played)] == [1, 2]
    played.receive(framed(kind="error", text="You are muted.", code="muted", n=1))
    assert played.shown[-1] == "You are muted."
    assert played.returned == [("hello", "")]
    for junk in (1, 9, "2", None, [2], 2.0, True):
        played.receive(framed(kind="error", text="No.", code="muted", n=junk))
    assert len(played.returned) == 1, "each comes back once"
    played.receive(framed(kind="error", text="No.", code="muted", n=2))
    assert played.returned[1:] == [("a\nb", "")]
    played.end()
    assert played.returned[2:] == [], "they are on their way no longer"


def test_a_text_that_is_too_long_comes_back_and_a_secret_does_not(tmp_path: Path) -> None:
    played = chatting(tmp_path)
    played.enter("x" * 70_000)
    assert played.returned == [("x" * 70_000, "")]
    played.receive(SECRET)
    played.enter("y" * 70_000)
    assert len(played.remarks) == 2
    assert len(played.returned) == 1


def test_what_was_asked_about_comes_back_when_the_user_leaves(tmp_path: Path) -> None:
    played = chatting(tmp_path, *ALL)
    played.enter("a\nb")
    played.type(b"")
    played.end()
    assert played.returned == [("a\nb", "Not sent")], "the editor has gone: it is told"


def test_what_is_entered_when_the_session_has_ended_comes_back(tmp_path: Path) -> None:
    played = talking(tmp_path)
    played.receive(framed(kind="bye", text="Goodbye!"))
    played.end()
    assert played.ended is not None
    played.enter("too late")
    played.enter(Secret("swordfish"))
    assert played.returned == [("too late", "Not sent")]


def test_what_waited_for_its_turn_comes_back_when_nobody_was_let_in(tmp_path: Path) -> None:
    played = at_editor(tmp_path, in_clear=True)
    played.receive(ASK)
    for text in ("ann", "hello", " ", "bye"):
        played.enter(text)
    assert texts(played)[1:] == ["ann"], "the server may take what follows for a password"
    played.end()
    assert played.ended is not None
    assert played.returned == [("hello", "Not sent"), ("bye", "Not sent")]


def test_what_was_on_its_way_comes_back(tmp_path: Path) -> None:
    played = chatting(tmp_path, *ALL)
    played.enter("hello")
    played.enter("a\nb")
    played.enter("y")
    played.end()
    assert played.returned == [("hello", "This may not have arrived"), ("a\nb", "This may not have arrived")]


def test_what_has_arrived_after_all_leaves_the_editor(tmp_path: Path) -> None:
    played = chatting(tmp_path, *ALL)
    for text in ("hello", "/msg bob hello", "a \nb", "y"):
        played.enter(text)
    played.end()
    played.wait(0.6)
    played.connect()
    played.receive(GREETING, TOKEN + welcome(*ALL) + joined())
    said_before = {"kind": "history", "room": "#lobby", "sender": "ann", "at": LATER}
    for number, text in enumerate(("hello", "a  b", "hello"), 1):
        played.receive(framed(**said_before, id=number, text=text))
    assert [event.text for event in played.events if isinstance(event, TextArrived)] == ["hello", "a \nb"]
    assert played.shown[-3:] == ["hello", "a  b", "hello"]


def test_entries_wait_for_the_connection(tmp_path: Path) -> None:
    played = chatting(tmp_path, *ALL)
    played.end()
    played.enter("hello")
    played.enter("a\nb")
    played.enter("y")
    played.enter("/msg bob hi")
    played.enter("")
    assert played.remarks == ["waiting: hello", "waiting: a (and 1 more line)", "waiting: /msg bob hi"]
    played.wait(0.6)
    played.sent = b""
    played.connect()
    played.enter("later")
    played.receive(GREETING)
    played.enter("still later")
    assert [one["kind"] for one in said(played)] == ["hello", "resume"]
    played.receive(TOKEN + welcome(*ALL) + joined())
    assert texts(played)[2:] == ["hello", "a", "/msg bob hi", "later", "still later"]
    assert said(played)[3] == {"kind": "block", "text": "a", "lines": ["a", "b"], "n": 2}
    assert played.returned == []


def test_entries_for_a_room_that_is_gone_come_back(tmp_path: Path) -> None:
    played = chatting(tmp_path)
    played.end()
    for text in ("hello", "/who", "/join #games", "to whom?"):
        played.enter(text)
    played.wait(0.6)
    played.connect()
    played.receive(GREETING)
    played.sent = b""
    played.receive(TOKEN + welcome(room="#other") + joined("#other"))
    assert texts(played) == ["/who", "/join #games"]
    assert played.returned == [
        ("hello", "Not sent, you are not in #lobby any more"),
        ("to whom?", "Not sent, behind a change of rooms"),
    ]


def test_what_waits_is_bounded(tmp_path: Path) -> None:
    played = chatting(tmp_path)
    played.end()
    for number in range(51):
        played.enter(str(number))
    assert played.returned == [("50", "Not sent, too much waits already")]
    other = chatting(tmp_path / "other")
    other.end()
    other.enter("x" * 16_000)
    other.enter("y" * 400)
    other.enter("z")
    assert [text for text, _ in other.returned] == ["y" * 400]


def test_the_name_is_asked_for_again_and_what_waited_is_no_answer(tmp_path: Path) -> None:
    played = chatting(tmp_path)
    played.end()
    played.enter("hello")
    played.wait(0.6)
    played.connect()
    played.receive(GREETING)
    played.sent = b""
    played.receive(framed(kind="error", text="Log in again.", code="bad_token") + ASK)
    played.enter("ann")
    assert said(played) == [{"kind": "answer", "text": "ann", "field": "name"}]
    played.receive(TOKEN + welcome() + joined())
    assert texts(played) == ["ann", "hello"]


@pytest.mark.parametrize("reason", ["ping_timeout", "server_stopping"])
def test_a_ping_timeout_is_a_lost_connection(tmp_path: Path, reason: str) -> None:
    played = chatting(tmp_path)
    played.receive(framed(kind="bye", text="You have not answered.", reason=reason))
    played.end()
    assert (played.ended is None) is (reason == "ping_timeout")
    lost = [event.event for event in played.events if isinstance(event, EventToEmit) and "lost" in event.event.name]
    assert [event.fields["error"] for event in lost] == ["the server got no answer for too long"][: len(lost)]
    shown = [event.message.kind for event in played.events if isinstance(event, MessageToShow)]
    assert ("bye" in shown) is (reason == "server_stopping")


# Typing marks.


def test_typing_is_told_every_3_s_to_a_server_that_offers_it(tmp_path: Path) -> None:
    played = chatting(tmp_path, *ALL)
    for pause_s, told in ((0, 1), (0, 1), (2.9, 1), (0.2, 2)):
        played.wait(pause_s)
        played.step(played.session.note_typing)
        assert said(played) == [{"kind": "typing", "text": ""}] * told
    other = chatting(tmp_path, "blocks")
    other.step(other.session.note_typing)
    played.end()
    played.step(played.session.note_typing)
    outside = at_editor(tmp_path)
    outside.receive(welcome(*ALL))
    outside.sent = b""
    outside.step(outside.session.note_typing)
    assert said(other) == said(outside) == []


def test_the_hello_says_what_the_editor_can_show(tmp_path: Path) -> None:
    for edits, service, can in ((True, "chat", [*ALL]), (False, "chat", None), (True, "talk", None)):
        played = Played(tmp_path, edits=edits, terminal=True, messages=None)
        played.connect()
        played.receive(f"sockctl/1 {service}\r\n".encode())
        assert said(played)[0].get("can") == can


@pytest.mark.parametrize("can", [None, "blocks", {"blocks": 1}, [["blocks"], 7]])
def test_junk_in_what_a_server_can(tmp_path: Path, can: object) -> None:
    played = at_editor(tmp_path)
    played.receive(framed(kind="welcome", text="In.", name="ann", can=can, room=7))
    played.enter("hello")
    assert said(played)[-1] == {"kind": "line", "text": "hello"}
