"""What survives a restart, and what a disk that fails does to those who speak: nothing."""

import contextlib
import datetime
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sockctl.errors import StoreExposedError, StoreFormatError
from sockctl.events.chat import ChatKeptAgain, ChatUnkept
from sockctl.services.chat.bans import Target, parse_banned_network
from sockctl.services.chat.history_file import HistoryFileLimits
from sockctl.services.chat.store import TOO_FAST, ChatStore, StoredRoom, StoreLimits
from tests.support.bans import add_ban
from tests.support.chat_history import frame, frames, ids
from tests.support.chat_topics import set_topic
from tests.support.clock import Clock

WAIT_S = 60
EVE = Target(name="eve", account="eve")
QUICK = StoreLimits(pause_s=0.005, retry_s=0.02)


class Watched(ChatStore):
    """A store whose callbacks can be waited for."""

    def __init__(
        self,
        folder: Path,
        *,
        history: int = 20,
        clock: Clock | None = None,
        limits: StoreLimits = QUICK,
    ) -> None:
        self.failures: queue.Queue[tuple[str, int]] = queue.Queue()
        self.recoveries: queue.Queue[int] = queue.Queue()
        super().__init__(
            folder,
            history=history,
            on_failure=lambda why, count: self.failures.put((why, count)),
            on_recovery=self.recoveries.put,
            clock=clock or Clock(),
            limits=limits,
        )


@contextlib.contextmanager
def running(folder: Path, *, history: int = 20, limits: StoreLimits = QUICK) -> Iterator[Watched]:
    chat_store = Watched(folder, history=history, limits=limits)
    chat_store.start()
    try:
        yield chat_store
    finally:
        chat_store.close()


def kept(folder: Path, *, history: int = 20) -> dict[str, StoredRoom]:
    chat_store = Watched(folder, history=history)
    rooms = chat_store.start()
    chat_store.close()
    assert chat_store.failures.empty()
    return rooms


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, "it didn't come about in time"
        time.sleep(0.005)


@pytest.fixture
def history(tmp_path: Path) -> Path:
    return tmp_path / "chat-history.jsonl"


def test_a_restart(tmp_path: Path) -> None:
    with running(tmp_path) as chat_store:
        chat_store.add_messages("#lobby", 1, frames(1, 10))
        chat_store.add_messages("#dev", 1, [frame(1, "#dev")])
        chat_store.add_messages("#lobby", 11, frames(11, 30))
        chat_store.add_messages("#lobby", 31, [])
        set_topic(chat_store.state, "#lobby", "what we do", by="ann")
        network = parse_banned_network("192.0.2.0/24")
        assert network is not None
        ban = add_ban(chat_store.state.bans, Target(networks=(network,)), by="ann", time=datetime.timedelta(hours=1))
        add_ban(chat_store.state.bans, Target(name="bob", account="bob"), by="ann")
        chat_store.state.bans.drop("account bob")
        mute = add_ban(chat_store.state.mutes, EVE, by="ann")
        assert chat_store.failures.empty()
    assert (tmp_path / "chat.json").stat().st_mode & 0o777 == 0o600
    assert json.loads((tmp_path / "chat.json").read_text()).keys() == {"version", "topics", "bans", "mutes"}
    again = Watched(tmp_path)
    rooms = again.start()
    again.close()
    assert rooms == {
        "#lobby": StoredRoom(tuple(frames(11, 30)), 30),
        "#dev": StoredRoom((frame(1, "#dev"),), 1),
    }
    assert again.state.find_topic("#lobby") == chat_store.state.find_topic("#lobby")
    assert (again.state.bans.list_lasting(), again.state.mutes.list_lasting()) == ([ban], [mute])


def test_nothing_is_made_where_nothing_is_said(tmp_path: Path) -> None:
    assert kept(tmp_path / "data") == {}
    assert [one.name for one in (tmp_path / "data").iterdir()] == ["chat-history.jsonl.lock"]
    Watched(tmp_path).close()


def test_no_history_leaves_the_file_alone(tmp_path: Path, history: Path) -> None:
    with running(tmp_path) as chat_store:
        chat_store.add_messages("#lobby", 1, frames(1, 3))
    before = history.read_bytes()
    with running(tmp_path, history=0) as chat_store:
        chat_store.add_messages("#lobby", 4, frames(4, 5))
    assert history.read_bytes() == before
    assert kept(tmp_path, history=0) == {"#lobby": StoredRoom((), 3)}


def test_what_is_said_is_written_while_it_runs(tmp_path: Path, history: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced, fsync = [], os.fsync

    def sync(descriptor: int) -> None:
        fsync(descriptor)
        synced.append(os.fstat(descriptor).st_size)

    monkeypatch.setattr(os, "fsync", sync)
    with running(tmp_path, limits=replace(QUICK, sync_every_s=0.01)) as chat_store:
        for number in range(1, 4):
            chat_store.add_messages("#lobby", number, [frame(number)])
            wait_for(lambda: history.exists() and ids(history)["#lobby"][-1:] == [number])  # noqa: B023  called at once
        wait_for(lambda: history.stat().st_size in synced)


def test_the_file_stays_bounded(tmp_path: Path, history: Path) -> None:
    limits = replace(QUICK, history_file=HistoryFileLimits(slack_bytes=1_000))
    longest = 0
    with running(tmp_path, limits=limits) as chat_store:
        for number in range(1, 10_001):
            chat_store.add_messages("#lobby", number, [frame(number)])
            if number % 50 == 0:
                wait_for(lambda: history.exists() and ids(history)["#lobby"][-1:] == [number])  # noqa: B023  as above
                longest = max(longest, history.stat().st_size)
    assert 1_000 < longest <= 2 * 20 * (len(frame(10_000)) + 1) + 1_000
    assert kept(tmp_path) == {"#lobby": StoredRoom(tuple(frames(9_981, 10_000)), 10_000)}


@pytest.mark.slow
def test_a_killed_process(tmp_path: Path, history: Path) -> None:
    for _ in range(4):
        before = history.read_bytes() if history.exists() else b""
        with subprocess.Popen([sys.executable, "-m", "tests.support.store_probe", str(tmp_path)]) as process:
            wait_for(lambda: history.exists() and history.read_bytes() != before and len(ids(history)) == 20)  # noqa: B023  called at once
            for _ in range(50):  # in the meantime it is written to, and written anew
                flushed = {room: own[-1] for room, own in ids(history).items()}
            process.send_signal(signal.SIGKILL)
        rooms = kept(tmp_path, history=25)
        assert len(rooms) == 20
        for room, one in rooms.items():
            own = [json.loads(each)["id"] for each in one.frames]
            assert own == sorted(set(own)), "they are in order, and none is there twice"
            assert own[-1] == one.last_id >= flushed[room], "what was flushed is there"


def test_files_that_are_no_good_stay(tmp_path: Path, history: Path) -> None:
    store = tmp_path / "chat.json"
    store.write_text('{"version": 1, "topics": {}, "bans": [7], "mutes": []}')
    store.chmod(0o600)
    with pytest.raises(StoreFormatError, match=r"bans\[0\] is no object"):
        Watched(tmp_path).start()
    store.chmod(0o644)
    with pytest.raises(StoreExposedError):
        Watched(tmp_path).start()
    store.unlink()
    history.write_bytes(b"junk\n")
    history.chmod(0o600)
    with pytest.raises(StoreFormatError, match="line 1"):
        Watched(tmp_path).start()
    assert history.read_bytes() == b"junk\n"


def test_a_spoiled_store_is_never_overwritten(tmp_path: Path) -> None:
    store = tmp_path / "chat.json"
    with running(tmp_path) as chat_store:
        set_topic(chat_store.state, "#lobby", "one", by="ann")
        wait_for(store.exists)
        good = store.read_text()
        store.write_text("junk")
        set_topic(chat_store.state, "#lobby", "two", by="ann")
        why, count = chat_store.failures.get(timeout=WAIT_S)
        assert "is no JSON at line 1" in why
        assert why.endswith("hold all the same, as long as the server runs.")
        assert count == 0
        assert store.read_text() == "junk"
        topic = chat_store.state.find_topic("#lobby")
        assert topic is not None
        assert topic.text == "two"
        store.write_text(good)
        assert chat_store.recoveries.get(timeout=WAIT_S) == 0
        assert json.loads(store.read_text())["topics"]["#lobby"]["text"] == "two"


def test_a_full_disk(tmp_path: Path, history: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(tmp_path) as chat_store:
        chat_store.add_messages("#lobby", 1, frames(1, 2))
        wait_for(lambda: history.exists() and len(ids(history)["#lobby"]) == 2)
        text = "No space left on device"

        tries = []

        def full(*_: object) -> int:
            tries.append(text)
            raise OSError(28, text)

        monkeypatch.setattr(os, "write", full)
        chat_store.add_messages("#lobby", 3, frames(3, 4))
        why, count = chat_store.failures.get(timeout=WAIT_S)
        assert f"{history} can't be written: No space left on device." in why
        assert count == 2
        for number in range(5, 100):
            chat_store.add_messages("#lobby", number, [frame(number)])
        wait_for(lambda: len(tries) > 5)
        assert chat_store.failures.empty(), "a reason is told once"
        text = "Disk quota exceeded"
        why, count = chat_store.failures.get(timeout=WAIT_S)
        assert "Disk quota exceeded" in why
        assert count == 20, "more are not to be kept"
        assert chat_store.recoveries.empty()
        monkeypatch.undo()
        assert chat_store.recoveries.get(timeout=WAIT_S) == 0
        assert ids(history)["#lobby"] == list(range(80, 100))
        chat_store.add_messages("#lobby", 100, [frame(100)])
    assert kept(tmp_path)["#lobby"] == StoredRoom(tuple(frames(81, 100)), 100)


def test_a_disk_that_stays_full(tmp_path: Path, history: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(tmp_path) as chat_store:
        chat_store.add_messages("#lobby", 1, [frame(1)])
        wait_for(lambda: history.exists() and bool(ids(history)))

        def full(*_: object) -> int:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "write", full)
        chat_store.add_messages("#lobby", 2, frames(2, 5))
        set_topic(chat_store.state, "#lobby", "one", by="ann")
        chat_store.close()
    told = [chat_store.failures.get_nowait() for _ in range(chat_store.failures.qsize())]
    last = {why.partition(" ")[0].rpartition("/")[2]: count for why, count in told[-2:]}
    assert last == {"chat.json": 0, "chat-history.jsonl": 4}, "at the end both are told once more"


LIMITED = """
import resource, sys, time
from pathlib import Path
from sockctl.services.chat.store import ChatStore, StoreLimits
from tests.support.chat_history import frames
told = []
limits = StoreLimits(retry_s=0.01)
one = ChatStore(Path(sys.argv[1]), history=100, on_failure=lambda *each: told.append(each), limits=limits)
one.start()
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, hard))
for number in range(1, 51):
    one.add_messages("#lobby", number, frames(number, number))
    time.sleep(0.002)
while not told:
    time.sleep(0.01)
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
one.close()
print(told[0])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only the Linux kernel is known to end a write in the middle so")
def test_a_limit_in_the_middle_of_a_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path)], capture_output=True, text=True, timeout=60, check=True
    )
    assert "can't be written: File too large." in done.stdout
    assert kept(tmp_path, history=100) == {"#lobby": StoredRoom(tuple(frames(1, 50)), 50)}


def test_more_than_may_wait(tmp_path: Path, history: Path) -> None:
    size = len(frame(50, "#room0"))
    chat_store = Watched(tmp_path, limits=replace(QUICK, capacity_bytes=100 * size))
    for number in range(10):  # nothing is written yet
        chat_store.add_messages(f"#room{number}", 1, frames(1, 50, f"#room{number}"))
    chat_store.start()
    why, count = chat_store.failures.get(timeout=WAIT_S)
    assert (why, count) == (TOO_FAST, 95)
    assert chat_store.recoveries.get(timeout=WAIT_S) == 95
    chat_store.close()
    found = ids(history)
    assert [len(found[f"#room{number}"]) for number in range(10)] == [20] * 5 + [1] * 5
    assert all(own[-1] == 50 for own in found.values()), "the last id of a room is never lost"


def test_long_messages_fill_it_as_well_as_many(tmp_path: Path, history: Path) -> None:
    chat_store = Watched(tmp_path, limits=replace(QUICK, capacity_bytes=1_000_000))
    for number in range(1, 201):
        chat_store.add_messages("#lobby", number, [frame(number, text="x" * 60_000)])
        chat_store.add_messages("#dev", number, [frame(number, "#dev", text="x" * 60_000)])
    chat_store.start()
    assert chat_store.failures.get(timeout=WAIT_S)[0] == TOO_FAST
    chat_store.close()
    found = ids(history)
    assert {room: own[-1] for room, own in found.items()} == {"#lobby": 200, "#dev": 200}
    assert history.stat().st_size - sum(map(len, found.values())) <= 1_000_000, "no more has waited, but for line ends"


def test_a_room_with_much_to_say_waits_with_its_last_messages_only(tmp_path: Path, history: Path) -> None:
    one = frame(50_000)
    chat_store = Watched(tmp_path, limits=replace(QUICK, capacity_bytes=20 * len(one)))
    for number in range(1, 50_001):
        chat_store.add_messages("#lobby", number, [one if number < 49_981 else frame(number)])
    chat_store.start()
    chat_store.close()
    assert ids(history)["#lobby"] == list(range(49_981, 50_001))
    assert chat_store.failures.empty(), "nothing that is to be kept was lost"


def test_a_disk_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hangs, goes_on = threading.Event(), threading.Event()
    real = os.write

    def hang(descriptor: int, data: memoryview) -> int:
        hangs.set()
        goes_on.wait(WAIT_S)
        return real(descriptor, data)

    chat_store = Watched(tmp_path)
    chat_store.start()
    monkeypatch.setattr(os, "write", hang)
    chat_store.add_messages("#lobby", 1, [frame(1)])
    assert hangs.wait(WAIT_S)
    begun = time.monotonic()
    chat_store.add_messages("#lobby", 2, frames(2, 3))
    add_ban(chat_store.state.bans, EVE, by="ann")
    assert chat_store.state.bans.find(account="eve")
    assert time.monotonic() - begun < WAIT_S / 2, "who speaks doesn't wait"
    chat_store.close(timeout_s=0.05)
    assert chat_store.failures.get_nowait() == ("The disk has taken nothing for 0.05 s: what waited for it is lost.", 2)
    goes_on.set()
    chat_store.close()
    assert kept(tmp_path)["#lobby"].last_id == 3


def test_many_threads_at_once(tmp_path: Path) -> None:
    with running(tmp_path, history=500) as chat_store:

        def speak(room: str) -> None:
            for number in range(1, 501):
                chat_store.add_messages(room, number, [frame(number, room)])
                set_topic(chat_store.state, room, str(number), by="ann")
                assert chat_store.state.bans.find(address="192.0.2.7") is None

        speakers = [threading.Thread(target=speak, args=(f"#room{number}",)) for number in range(8)]
        for one in speakers:
            one.start()
        for one in speakers:
            one.join(WAIT_S)
    rooms = kept(tmp_path, history=500)
    assert rooms == {f"#room{number}": StoredRoom(tuple(frames(1, 500, f"#room{number}")), 500) for number in range(8)}
    topics = json.loads((tmp_path / "chat.json").read_text())["topics"]
    assert {topic["text"] for topic in topics.values()} == {"500"}


def test_events() -> None:
    failed = ChatUnkept(error="The disk is full.", messages=2)
    assert (
        failed.text
        == "The chat can't write its files: The disk is full. 2 messages are not on the disk. The chat goes on."
    )
    assert ChatUnkept(error="The disk is full.", messages=0).text.endswith("The disk is full. The chat goes on.")
    assert ChatKeptAgain(lost=0).text == "The chat can write its files again: nothing was lost."
    assert ChatKeptAgain(lost=1).text.endswith("1 message of the history is lost.")
    assert (failed.name, failed.fields) == ("chat_unkept", {"error": "The disk is full.", "messages": 2})
