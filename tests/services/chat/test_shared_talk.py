"""What members say, as a log has it: the room hears the same as from a member of its own server."""

import json
from pathlib import Path

import pytest

from sockctl.cluster.entry import Entry
from sockctl.services.chat.member import Member
from sockctl.services.chat.room import Room
from sockctl.services.chat.shared_talk import (
    BLOCK,
    SAY,
    TalkReader,
    complete,
    encode_lines,
    encode_texts,
    list_readable,
)
from tests.support.chat_room import AT, Played, enter, room_at
from tests.support.clock import NOON


class Stage:
    """A room, and what reads a log for it."""

    def __init__(self, folder: Path) -> None:
        self.room = room_at(folder)
        self.speaker = Played("carl", framed=False)
        self.active: list[str] = []
        self.reader = TalkReader(self.bring, {7: self.speaker}.get, lambda keys, _: self.active.extend(keys))

    def bring(self, name: str) -> Room:
        assert name == "#lobby"
        return self.room

    def read(self, *entries: Entry, is_own: bool = False) -> None:
        for one in entries:
            self.reader.add(one, is_own=is_own)
        for room in self.reader.flush():
            room.process_pending()


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def test_a_text_is_that_of_a_room(stage: Stage, tmp_path: Path) -> None:
    texts = ['hello "you" \\ ü', "waves"]
    for member in (Member("Ann", since=NOON), Member("Nan", since=NOON, account="ann")):
        ann, local = Played("x", member=member), room_at(tmp_path / "local")
        enter(local, ann)
        ann.data.clear()
        for action in (False, True):
            local.say(ann, texts, AT, action=action)
        local.process_pending()
        posted = [
            data
            for action in (False, True)
            for data in encode_texts(member, 0, texts, room="#lobby", at=AT, action=action)
        ]
        heard = [json.loads(complete(data, number)) for number, data in enumerate(posted, 1)]
        assert heard == [{**one, "id": number} for number, one in enumerate(ann.messages, 1)]
    assert stage.room.remembered == 0


def test_a_room_hears_the_log_in_order(stage: Stage) -> None:
    ann, bob = Played("ann", can=["blocks"]), Played("bob", framed=False)
    for one in (ann, bob, stage.speaker):
        enter(stage.room, one)
        one.data.clear()
    carl = stage.speaker.member
    texts = encode_texts(carl, 7, ["one", "two"], room="#lobby", at=AT, action=False)
    block = encode_lines(carl, 7, ["three", "four"], room="#lobby", at=AT)
    stage.read(
        Entry(10, SAY, "a", 1, "#lobby", texts[0]),
        Entry(12, SAY, "a", 2, "#lobby", texts[1]),
        Entry(14, BLOCK, "a", 3, "#lobby", block, 2),
        is_own=True,
    )
    told = [one for one in ann.messages if one["kind"] == "say"]
    assert [(one["id"], one["text"]) for one in told] == [(10, "one"), (12, "two"), (14, "three four")]
    assert bob.lines[-4:] == ["<carl> one", "<carl> two", "<carl> three", "<carl> four"]
    assert not [line for line in stage.speaker.lines if "<carl>" in line]
    assert [(one.id, one.lines) for one in stage.room.list_history(10)] == [(10, 1), (12, 1), (14, 2)]
    assert stage.room.last_id == 14
    assert set(stage.active) == {"carl"}


def test_the_number_of_a_connection_counts_on_its_own_server(stage: Stage) -> None:
    enter(stage.room, stage.speaker)
    data = encode_texts(Member("dan", since=NOON), 7, ["hello"], room="#lobby", at=AT, action=False)[0]
    stage.read(Entry(10, SAY, "another", 1, "#lobby", data))
    assert stage.speaker.lines[-1] == "<dan> hello"


@pytest.mark.parametrize("kind", [SAY, BLOCK])
@pytest.mark.parametrize(
    "data",
    [
        b"{}",
        b"eve\n\nno json",
        b'eve\n\n{"kind":"say","text":5',
        b'eve\n\n{"kind":"bye","text":"Goodbye!","reason":"kicked"',
        b'eve\n\n{"kind":"say","text":"\xff"',
        b'eve\n\n{"kind":"say","text":"\n"',
        b'eve\n\n{"kind":"say","text":"' + b"x" * 66_000 + b'"',
        b'eve\n\n{"kind":"say","text":' + b"[" * 5_000,
    ],
)
def test_what_no_client_could_read_is_skipped(stage: Stage, kind: str, data: bytes) -> None:
    ann, bob = Played("ann", can=["blocks"]), Played("bob", framed=False)
    for one in (bob, ann):
        enter(stage.room, one)
    ann.data.clear()
    stage.read(Entry(10, kind, "a", 1, "#lobby", data))
    assert stage.room.remembered == 0
    assert not ann.data
    assert not [line for line in bob.lines if "eve" in line]


def test_what_no_client_could_read_is_not_loaded() -> None:
    ann = Member("ann", since=NOON)
    [text] = encode_texts(ann, 0, ["hello"], room="#lobby", at=AT, action=False)
    block = encode_lines(ann, 0, ["one", "two"], room="#lobby", at=AT)
    kept = [(1, text), (3, block), (4, b""), (5, b"x"), (6, b'eve\n\n{"kind":"say","text":5'), (7, text)]
    assert [json.loads(one)["id"] for one in list_readable(kept)] == [1, 3, 7]


def test_what_a_newer_version_says_is_told(stage: Stage) -> None:
    ann = Played("ann")
    enter(stage.room, ann)
    stage.read(Entry(10, SAY, "a", 1, "#lobby", b'eve\n\n{"kind":"say","text":"hi","sender":"eve","mood":"fine"'))
    assert (ann.messages[-1]["text"], ann.messages[-1]["mood"]) == ("hi", "fine")
