"""The file of what was said, without the thread that writes it."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sockctl.errors import StoreError, StoreExposedError, StoreFormatError, StoreLockedError, StoreReadError
from sockctl.services.chat.history import RecentMessages
from sockctl.services.chat.history_file import HistoryFile, HistoryFileLimits
from tests.support.chat_history import frame, frames, ids


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "chat-history.jsonl"


@contextlib.contextmanager
def opened(folder: Path, **limits: Any) -> Iterator[HistoryFile]:
    file = HistoryFile(folder, history=3, limits=HistoryFileLimits(**limits))
    file.open()
    yield file
    file.close()


@pytest.fixture
def file(tmp_path: Path) -> Iterator[HistoryFile]:
    made = HistoryFile(tmp_path, history=3)
    yield made
    made.close()


def put(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    path.chmod(0o600)


def say(file: HistoryFile, first: int, last: int, room: str = "#lobby") -> None:
    tail = RecentMessages(1_000)
    tail.add(first, last, frames(first, last, room))
    file.add({room: tail})
    file.write()


def read(folder: Path, *, history: int = 3) -> dict[str, tuple[list[bytes], int]]:
    file = HistoryFile(folder, history=history, limits=HistoryFileLimits(lock_timeout_s=0.05))
    try:
        return {room: (list(tail.frames), tail.last_id) for room, tail in file.open().items()}
    finally:
        file.close()


def test_what_was_said_comes_back(file: HistoryFile, tmp_path: Path, path: Path) -> None:
    assert file.open() == {}
    assert not path.exists(), "nothing was said yet"
    say(file, 1, 2)
    say(file, 3, 5)
    say(file, 1, 1, "#dev")
    file.close()
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_bytes() == b"".join(one + b"\n" for one in [*frames(1, 2), *frames(3, 5), frame(1, "#dev")])
    assert read(tmp_path) == {"#lobby": (frames(3, 5), 5), "#dev": ([frame(1, "#dev")], 1)}


def test_cut_at_every_byte_of_the_last_line(tmp_path: Path, path: Path) -> None:
    before = b"".join(one + b"\n" for one in frames(1, 2))
    last = frame(3, text="\u00e4\N{WAVING HAND SIGN}")
    for cut in range(len(last) + 1):
        put(path, before + last[:cut])
        expected = frames(1, 2) + [last] * (cut == len(last))
        file = HistoryFile(tmp_path, history=3)
        assert list(file.open()["#lobby"].frames) == expected
        say(file, 4, 4)
        file.close()
        assert path.read_bytes() == b"".join(one + b"\n" for one in [*expected, frame(4)][-3:])
        assert read(tmp_path)["#lobby"][1] == 4


def test_a_torn_tail_of_zeros(tmp_path: Path, path: Path) -> None:
    put(path, frame(1) + b"\n" + bytes(100_000))
    assert read(tmp_path) == {"#lobby": ([frame(1)], 1)}


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"junk", "it is no JSON in UTF-8"),
        (b"", "it is no JSON in UTF-8"),
        (b'"\xff"', "it is no JSON in UTF-8"),
        (b"[" * 100_000, "it is no JSON in UTF-8"),
        (b'{"kind":"say","id":NaN}', "it is no JSON in UTF-8"),
        (b"[1]", 'it is no object of the kind "say"'),
        (frame(2, kind="notice"), 'it is no object of the kind "say"'),
        (frame(2, text="\x1b[2J"), "its text is no text, or holds control characters"),
        (frame(2, sender="a\nb"), "its sender is no text, or holds control characters"),
        (frame(2, sender=7), "its sender is no text"),
        (frame(True), "its id is no whole number from 1 on"),
        (frame("2"), "its id is no whole number from 1 on"),
        (frame(0), "its id is no whole number from 1 on"),
        (frame(2, at="now"), "at is no time"),
        (frame(1), "its id 1 comes after 1"),
    ],
    ids=range(15),
)
def test_junk_in_the_middle(tmp_path: Path, path: Path, line: bytes, why: str) -> None:
    data = b"\n".join([frame(1), line, frame(3), b""])
    put(path, data)
    with pytest.raises(StoreFormatError, match=f"chat-history.jsonl, line 2, can't be understood: {why}"):
        read(tmp_path)
    assert path.read_bytes() == data


def test_fields_of_a_newer_version_stay(tmp_path: Path, path: Path) -> None:
    line = frame(1, action=True, mood={"x": [1.5]})
    put(path, line + b"\n")
    assert read(tmp_path) == {"#lobby": ([line], 1)}


def test_the_file_is_bounded(tmp_path: Path, path: Path) -> None:
    longest = 0
    with opened(tmp_path, slack_bytes=0) as file:
        for number in range(1, 501):
            say(file, number, number)
            longest = max(longest, len(ids(path)["#lobby"]))
    assert longest == 6
    assert ids(path)["#lobby"][-3:] == [498, 499, 500]
    assert not path.with_suffix(".jsonl.tmp").exists()


def test_a_long_file_gets_shorter(tmp_path: Path, path: Path) -> None:
    put(path, b"".join(one + b"\n" for one in frames(1, 100)))
    with opened(tmp_path, slack_bytes=100) as file:
        say(file, 101, 101)
    assert ids(path) == {"#lobby": [99, 100, 101]}


def test_rooms_long_silent_are_forgotten(tmp_path: Path, path: Path) -> None:
    put(path, b"".join(frame(1, room) + b"\n" for room in ("#a", "#b", "#c")) + frame(2, "#a") + b"\n")
    file = HistoryFile(tmp_path, history=3, limits=HistoryFileLimits(max_rooms=2))
    assert list(file.open()) == ["#c", "#a"]
    file.close()
    with opened(tmp_path, max_kept_bytes=1) as file:
        path.unlink()
        say(file, 1, 3, "#d")
    assert ids(path) == {"#d": [1, 2, 3]}, "the last one stays, however large it is"


def test_a_room_made_anew(file: HistoryFile, tmp_path: Path, path: Path) -> None:
    file.open()
    say(file, 1, 5)
    say(file, 1, 1, "#dev")
    say(file, 1, 2)
    assert ids(path) == {"#dev": [1], "#lobby": [1, 2]}
    tail = RecentMessages(3)
    for first in (3, 1):
        tail.add(first, first + 1, frames(first, first + 1))
    file.add({"#lobby": tail})
    file.write()
    file.close()
    assert read(tmp_path)["#lobby"] == (frames(1, 2), 2)


@pytest.mark.parametrize("how", ["removed", "replaced"])
def test_a_file_that_somebody_took_away(file: HistoryFile, path: Path, how: str) -> None:
    file.open()
    say(file, 1, 1)
    path.rename(path.with_name("elsewhere"))
    if how == "replaced":
        put(path, b"")
    say(file, 2, 2)
    assert ids(path) == {"#lobby": [1, 2]}


def test_private(file: HistoryFile, tmp_path: Path, path: Path) -> None:
    path.write_bytes(frame(1) + b"\n")
    path.chmod(0o640)
    with pytest.raises(StoreExposedError, match=r"others may use it \(its mode is 0640\)"):
        file.open()
    path.chmod(0o600)
    assert read(tmp_path), "the lock is free again"


def test_no_regular_file(tmp_path: Path, path: Path) -> None:
    os.mkfifo(path, 0o600)
    with pytest.raises(StoreReadError, match="is no regular file"):
        read(tmp_path)
    path.unlink()
    path.mkdir()
    with pytest.raises(StoreReadError, match="can't be used: Is a directory"):
        read(tmp_path)
    path.rmdir()
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="can't be used"):
        read(tmp_path / "file")


def test_one_server_at_a_time(file: HistoryFile, tmp_path: Path) -> None:
    file.open()
    with pytest.raises(StoreLockedError, match="Another server keeps its chat in"):
        read(tmp_path)


def test_a_failed_write_is_made_up_for(file: HistoryFile, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.open()
    say(file, 1, 2)
    real = os.write

    def half(descriptor: int, data: memoryview) -> int:
        if len(data) < 10:
            raise OSError(28, "No space left on device")
        return real(descriptor, data[: len(data) // 2])

    monkeypatch.setattr(os, "write", half)
    for number in (3, 4, 5, 6):
        with pytest.raises(OSError, match="No space left"):
            say(file, number, number)
    assert file.behind == 3, "only three are to be kept"
    assert ids(path) == {"#lobby": [1, 2]}
    assert not path.with_suffix(".jsonl.tmp").exists()
    monkeypatch.undo()
    file.write()
    assert file.behind == 0
    assert ids(path) == {"#lobby": [4, 5, 6]}
    say(file, 7, 7)
    assert ids(path) == {"#lobby": [4, 5, 6, 7]}


def test_a_rename_that_fails(file: HistoryFile, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.open()

    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="Input/output error"):
        say(file, 1, 1)
    assert not path.exists()
    assert not path.with_suffix(".jsonl.tmp").exists()


def test_sync(file: HistoryFile, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.open()
    file.sync()
    say(file, 1, 1)
    assert not file.unsynced, "a new file is synced before it gets its name"
    say(file, 2, 2)
    assert file.unsynced
    file.sync()
    assert not file.unsynced
    say(file, 3, 3)

    def fail(_: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="Input/output error"):
        file.sync()
    assert file.behind
    monkeypatch.undo()
    before = path.stat().st_ino
    file.write()
    assert path.stat().st_ino != before, "all is written anew"
    assert ids(path) == {"#lobby": [1, 2, 3]}


def test_what_a_room_has_forgotten_goes_from_the_file(tmp_path: Path) -> None:
    file = HistoryFile(tmp_path, history=1_000)
    file.open()
    file.add({"#gone": told(1, 1_000, "#gone"), "#full": told(1, 500, "#full")}, {"#full": 400})
    file.write()
    forgotten = RecentMessages(1_000)
    forgotten.forgotten = True
    file.add({"#gone": forgotten})
    file.write()
    back = told(1_001, 1_002, "#back")
    back.forgotten = True
    before = file.path.stat().st_size
    file.add({"#back": back})
    file.write()
    assert file.path.stat().st_size < before / 2, "it was written anew"
    file.close()
    file = HistoryFile(tmp_path, history=1_000)
    assert {room: len(tail.frames) for room, tail in file.open().items()} == {"#full": 400, "#back": 2}
    file.close()


def told(first: int, last: int, room: str) -> RecentMessages:
    """Return a tail of so many messages, each with a text that is long enough to matter."""
    tail = RecentMessages(1_000)
    tail.add(first, last, [frame(number, room, "x" * 200) for number in range(first, last + 1)])
    return tail
