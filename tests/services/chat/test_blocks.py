"""Blocks of several lines: what they hold, and who hears them how."""

import contextlib
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sockctl.errors import TextTooLongError
from sockctl.protocol.frames import LIMIT_BYTES
from sockctl.protocol.messages import Message, make_message, split_block
from sockctl.services.chat.blocks import encode_block, make_block, measure_block, read_block
from sockctl.services.chat.history_entry import check_entry, read_entry
from sockctl.services.chat.settings import ChatRules
from tests.support.chat_client import ChatClient, lines_of, members, served
from tests.support.chat_room import AT, Played, enter, leave, room_at
from tests.support.frames import Fields
from tests.support.running import Running

CODE = ["def f():", "\treturn 1", "", "/quit", "exit"]


@contextlib.contextmanager
def able(run: Running, name: str) -> Iterator[ChatClient]:
    """Let a member come that shows blocks."""
    with run.client() as sock:
        one = ChatClient(sock, hello=False)
        one.send(kind="hello", client="test", can=["blocks", "magic", 7])
        one.expect("ask", field="name")
        one.send(kind="answer", field="name", text=name)
        one.token = one.expect("token")["token"]
        assert one.expect("welcome", name=name)["can"] == ["blocks", "typing"]
        yield one.ready()


def paste(one: ChatClient, lines: object, **fields: object) -> None:
    one.send(kind="block", text="first", lines=lines, **fields)


def told(one: Played) -> list[Fields]:
    return one.of("say", "history")


@pytest.mark.parametrize(
    ("fields", "lines"),
    [
        ({"lines": ["a", "b"]}, ["a", "b"]),
        ({"lines": ["", " a", "", "b\tc", "", " ", ""]}, ["", " a", "", "b\tc"]),
        ({"lines": ["a\x1b[2J\u202e", "b\nc\r\n", "\u200b"]}, ["a[2J", "b c "]),
        ({"lines": ["a"]}, ["a"]),
        ({"lines": ["", " "]}, []),
        ({"lines": []}, ["first"]),
        ({"lines": ["a", 1]}, ["first"]),
        ({"lines": "ab"}, ["first"]),
        ({}, ["first"]),
    ],
)
def test_the_lines_of_a_block(fields: Fields, lines: list[str]) -> None:
    assert read_block(make_message("block", "first", **fields)) == lines


@pytest.mark.parametrize(
    "lines", [["x"] * 201, ["x"] * 20_000, ["x" * 8_192, "y" * 8_192], ["я" * 5_000, "я" * 5_000], ["\ud800"] * 201]
)
def test_a_block_that_is_too_long(lines: list[str]) -> None:
    with pytest.raises(TextTooLongError, match=f"Your block has {len(lines):,} lines .*: 200 lines and 16,384 "):
        read_block(make_message("block", lines=lines))
    assert len(read_block(make_message("block", lines=["x"] * 200 + [""] * 500))) == 200


def test_how_large_a_block_is() -> None:
    assert measure_block(make_message("block", lines=["ab", 7, "c"])) == (2, 3)
    assert measure_block(make_message("block", lines=["x"] * 1_000)) == (200, 200)
    assert measure_block(make_message("block", lines=3)) == (0, 0)


def test_a_block_fits_a_frame_whatever_is_in_it() -> None:
    lines = ['"' * 80] * 199 + ['"' * 265]
    ann = Played("a" * 32)
    one, sent = make_block(ann.member, lines, room="#" + "r" * 32, last_id=10**15, at=AT)
    event, entry = encode_block(one, sent, sender=ann, key=ann.member.author_key)
    assert len(entry.json) < LIMIT_BYTES - 500
    fields = json.loads(event.block[4:])
    assert fields["lines"] == lines
    assert fields["text"].endswith("…")


def test_who_shows_blocks_gets_one_message_and_the_others_one_a_line(tmp_path: Path) -> None:
    room = room_at(tmp_path)
    ann, bob = Played("ann", can=["blocks"]), Played("bob")
    carl, dan = Played("carl", framed=False, can=["blocks"]), Played("dan", can=["blocks"])
    for one in (ann, bob, carl, dan):
        enter(room, one)
    dan.member.ignored = frozenset({"ann"})
    room.say(ann, ["before"], AT)
    room.say_block(ann, CODE, AT)
    room.say(ann, ["behind"], AT)
    room.process_pending()
    common = {"kind": "say", "room": "#lobby", "sender": "ann", "at": AT}
    assert told(ann) == [
        {**common, "text": "before", "id": 1},
        {**common, "text": "def f(): \treturn 1  /quit exit", "id": 6, "lines": CODE},
        {**common, "text": "behind", "id": 7},
    ]
    assert told(bob) == [
        {**common, "text": text, "id": number} for number, text in enumerate(["before", *CODE, "behind"], 1)
    ]
    assert [line for line in carl.lines if "<" in line] == [f"<ann> {text}" for text in ("before", *CODE, "behind")]
    assert told(dan) == []


def test_history_has_a_block_as_one_message(tmp_path: Path) -> None:
    room = room_at(tmp_path, history=2)
    ann = Played("ann")
    enter(room, ann)
    room.say_block(ann, ["x", "y"], AT)
    room.say_block(ann, CODE, AT)
    room.say(ann, ["behind"], AT)
    leave(room, ann)
    eve, bob = Played("eve", can=["blocks"]), Played("bob")
    enter(room, eve)
    enter(room, bob)
    assert [(one["id"], one.get("lines"), one.get("more")) for one in told(eve)] == [(7, CODE, True), (8, None, None)]
    assert [(one["id"], one["text"], one.get("more")) for one in told(bob)] == [
        *((number, text, True) for number, text in enumerate(CODE, 3)),
        (8, "behind", None),
    ]


@pytest.mark.parametrize("can", [["blocks"], []])
@pytest.mark.parametrize("seen", range(1, 8))
def test_a_client_that_has_seen_part_of_a_block_gets_the_rest(tmp_path: Path, seen: int, can: list[str]) -> None:
    room = room_at(tmp_path)
    ann = Played("ann")
    enter(room, ann)
    room.say(ann, ["one"], AT)
    room.say_block(ann, CODE, AT)
    room.say(ann, ["seven"], AT)
    room.process_pending()
    bob = Played("bob", can=can)
    enter(room, bob, after=seen)
    lines = [line for one in told(bob) for line in one.get("lines", [one["text"]])]
    assert lines == ["one", *CODE, "seven"][seen:]
    assert not any("lines" in one for one in told(bob)) or can
    assert "More was said" not in str(bob.messages)


def test_the_file_keeps_a_block_and_its_ids(tmp_path: Path) -> None:
    rules = ChatRules(flood=None)
    with served(tmp_path, rules) as run, able(run, "ann") as ann, members(run, "bob") as (bob,):
        ann.until("joined", name="bob")
        paste(ann, CODE)
        own = ann.until("say")
        assert (own["lines"], own["text"]) == (CODE, "def f(): \treturn 1  /quit exit")
        ids = [bob.until("say", text=text)["id"] for text in CODE]
        assert ids == list(range(own["id"] - 4, own["id"] + 1))
    (line,) = (tmp_path / "chat-history.jsonl").read_bytes().splitlines()
    assert check_entry(line) == ("#lobby", own["id"])
    assert read_entry(line).lines == 5
    with served(tmp_path, rules) as run, able(run, "eve") as eve:
        eve.line("after")
        assert eve.until("history")["lines"] == CODE
        assert eve.until("say")["id"] > own["id"]
        eve.line("/history 2")
        assert eve.until("history", again=True)["lines"] == CODE
        said = [line for line in lines_of(run, "dan", "/quit") if "<" in line]
        assert [line[8:] for line in said] == [f"<ann> {text}" for text in CODE] + ["<eve> after"]


def test_no_line_of_a_block_is_a_command_and_a_refused_one_is_named(tmp_path: Path) -> None:
    with served(tmp_path, ChatRules(flood=None)) as run, members(run, "ann", "bob") as (ann, bob):
        paste(ann, ["/quit"])
        bob.until("say", text="/quit")
        ann.send(kind="block", text="/nick eve")
        bob.until("say", text="/nick eve")
        paste(ann, ["/me x", "//y"], n=1)
        assert [bob.until("say")["text"] for _ in range(2)] == ["/me x", "//y"]
        paste(ann, ["", "  "], n=2)
        paste(ann, ["x"] * 201, n=3)
        paste(ann, ["x" * 5_000], n=4)
        ann.line("/leave")
        paste(ann, ["a", "b"], n=5)
        errors = [(one["code"], one["n"]) for one in (ann.until("error") for _ in range(3))]
        assert errors == [("too_long", 3), ("too_long", 4), ("bad_command", 5)]
        bob.nothing_but("left")


def test_fifty_lines_may_be_said_at_once_and_a_flood_is_held_back(tmp_path: Path) -> None:
    with served(tmp_path, ChatRules(flood=(20, 40))) as run, able(run, "ann") as ann:
        for _ in range(5):
            paste(ann, ["x" * 40] * 50)
        heard: list[Fields] = []
        while sum(one["kind"] == "say" for one in heard) < 5:
            one = ann.receive()
            assert one is not None
            heard.append(one)
        assert [len(one["lines"]) for one in heard if one["kind"] == "say"] == [50] * 5
        assert heard[0]["kind"] == "say"
        assert {one["code"] for one in heard if one["kind"] != "say"} == {"held_back"}


LINES = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), max_size=12)


@settings(max_examples=60, deadline=None)
@given(blocks=st.lists(LINES, max_size=8), seen=st.integers(0, 60))
def test_all_hear_the_same_lines_with_the_same_ids(blocks: list[list[str]], seen: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        room = room_at(Path(folder))
        ann, bob, eve = Played("ann", can=["blocks"]), Played("bob"), Played("eve", framed=False)
        for one in (ann, bob, eve):
            enter(room, one)
        for given_lines in blocks:
            lines = read_block(make_message("block", lines=given_lines))
            if len(lines) > 1:
                room.say_block(ann, lines, AT)
            elif lines:
                room.say(ann, lines, AT)
        room.process_pending()
        split = [(one["id"], one["text"]) for whole in told(ann) for one in map(_fields, split_block(Message(whole)))]
        assert split == [(one["id"], one["text"]) for one in told(bob)]
        assert [f"<ann> {text}" for _, text in split] == [line for line in eve.lines if "<" in line[:1]]
        assert [number for number, _ in split] == list(range(1, len(split) + 1))
        for can in (["blocks"], []):
            again = Played("zoe", can=can)
            enter(room, again, after=min(seen, len(split)))
            heard = [_fields(one) for whole in told(again) for one in split_block(Message(whole))]
            assert [(one["id"], one["text"]) for one in heard] == split[seen:]


def _fields(one: Message) -> Fields:
    return one.fields
