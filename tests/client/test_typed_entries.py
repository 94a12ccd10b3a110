"""What was typed, kept for the next time."""

import os
import stat
import threading
from pathlib import Path

import pytest

from sockctl.client.typed_entries import MAX_BYTES, MAX_ENTRIES, MAX_ENTRY_BYTES, TypedEntries
from sockctl.net.address import Endpoint
from sockctl.stores import files

SERVER = Endpoint("localhost", 9090)


def opened(state: Path, server: Endpoint = SERVER) -> tuple[TypedEntries, list[str]]:
    remarks: list[str] = []
    one = TypedEntries(state, [server])
    one.remark = remarks.append
    return one, remarks


def file_of(state: Path) -> Path:
    return state / "typed" / "localhost_9090.jsonl"


def test_kept_for_each_server(tmp_path: Path) -> None:
    one, remarks = opened(tmp_path / "state")
    assert one.load() == []
    assert not (tmp_path / "state").exists()
    for text in ("hello", "Grüße 小明", "a block\nof two lines", "\x1b[31m\ud800"):
        one.add(text)
    again, _ = opened(tmp_path / "state")
    assert again.load() == ["\x1b[31m\ud800", "a block\nof two lines", "Grüße 小明", "hello"]
    assert opened(tmp_path / "state", Endpoint("localhost", 9091))[0].load() == []
    assert remarks == []
    assert stat.S_IMODE(file_of(tmp_path / "state").stat().st_mode) == 0o600
    assert file_of(tmp_path / "state").read_bytes().count(b"\n") == 4


def test_it_stays_bounded(tmp_path: Path) -> None:
    one, _ = opened(tmp_path)
    one.add("x" * MAX_ENTRY_BYTES)
    assert one.load() == [], "an entry beyond the limit is not kept"
    size = MAX_ENTRY_BYTES // 2
    for number in range(2 * MAX_BYTES // size + 2):
        one.add(f"{number} {'x' * size}")
    assert file_of(tmp_path).stat().st_size <= MAX_BYTES + 2 * size
    assert one.load()[0].startswith(f"{number} ")
    for number in range(MAX_ENTRIES + 10):
        one.add(f"{number}")
    assert len(one.load()) == MAX_ENTRIES


def test_several_clients_at_once(tmp_path: Path) -> None:
    def type_lines(who: int) -> None:
        one, remarks = opened(tmp_path)
        for number in range(50):
            one.add(f"{who} {number} {'x' * 3000}")
        assert remarks == []

    threads = [threading.Thread(target=type_lines, args=(who,)) for who in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    texts = opened(tmp_path)[0].load()
    assert all(text.endswith("x" * 3000) for text in texts)
    assert len(texts) == len(set(texts)) > 100


def test_what_a_killed_writer_left(tmp_path: Path) -> None:
    one, remarks = opened(tmp_path)
    one.add("first")
    with file_of(tmp_path).open("ab") as file:
        file.write(b'17\n"cut o')
    one.add("last")
    assert one.load() == ["last", "first"]
    assert remarks == []


@pytest.mark.parametrize("what", ["link", "fifo", "others", "folder"])
def test_a_file_that_cannot_be_used_is_told_once(tmp_path: Path, what: str) -> None:
    path = file_of(tmp_path)
    path.parent.mkdir()
    if what == "link":
        path.symlink_to(tmp_path / "victim")
    elif what == "fifo":
        os.mkfifo(path, 0o600)
    elif what == "others":
        path.write_text('"secret"\n')
        path.chmod(0o644)
    else:
        path.mkdir()
    one, remarks = opened(tmp_path)
    one.load()
    one.add("hello")
    one.add("hello")
    assert len(remarks) == 1
    assert remarks[0].startswith("What you type isn't kept for the next time: ")
    assert not (tmp_path / "victim").exists()


def test_a_full_disk_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, remarks = opened(tmp_path)
    one.add("before")

    def write_half(descriptor: int, data: bytes) -> None:
        os.write(descriptor, data[: len(data) // 2])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(files, "write_all", write_half)
        one.add("lost")
        one.add("lost")
    assert len(remarks) == 1
    assert "No space left on device" in remarks[0]
    assert opened(tmp_path)[0].load() == ["before"], "no half of an entry stays"
