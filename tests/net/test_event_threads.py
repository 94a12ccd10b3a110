"""Several event threads: each connection's order, each room's order, limits and the stop hold as with one."""

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sockctl.net.limits import Limits
from sockctl.net.server import count_event_threads
from sockctl.services.chat.service import Chat
from sockctl.services.chat.settings import ChatRules
from sockctl.services.echo import Echo
from tests.support.frames import FrameClient, frame_client
from tests.support.running import TIMEOUT_S, Running, receive_exactly, running, wait_until


def test_one_under_the_gil_and_one_a_core_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: True, raising=False)
    assert count_event_threads() == 1
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2}, raising=False)
    assert count_event_threads() == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 5)
    assert count_event_threads() == 5


def together(count: int, work: Callable[[int], None]) -> None:
    """Call `work` with 0 to `count` - 1, each in a thread of its own; what one raises is raised."""
    failures: list[BaseException] = []

    def guarded(number: int) -> None:
        try:
            work(number)
        except BaseException as error:  # noqa: BLE001  raised again below
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT_S * 2)
    if failures:
        raise failures[0]


def test_every_client_gets_its_own_bytes_in_order() -> None:
    with running(Echo(), Limits(event_threads=3)) as run:

        def talk(number: int) -> None:
            with run.client() as sock:
                for turn in range(100):
                    data = f"{number}:{turn};".encode() * 50
                    sock.sendall(data)
                    assert receive_exactly(sock, len(data)) == data

        together(30, talk)
        names = [thread.name for thread in threading.enumerate()]
        assert names.count("sockctl-event-loop") == 3
        ended = run.sink.wait_for("client_disconnected", 30)
        assert run.stop()
        stopped = run.sink.named("server_stopped")[0]
        assert stopped.bytes_in == stopped.bytes_out == sum(event.bytes_in for event in ended)


def test_limits_hold_across_them() -> None:
    with running(Echo(), Limits(event_threads=2, max_clients=5)) as run, contextlib.ExitStack() as stack:
        for _ in range(5):
            sock = stack.enter_context(run.client())
            sock.sendall(b"x")
            assert receive_exactly(sock, 1) == b"x"
        with run.client() as sixth, contextlib.suppress(ConnectionError):
            assert sixth.recv(1) == b""
        assert run.sink.wait_for("client_refused")[0].reason == "too_many_clients"


def test_a_stop_drains_all_of_them() -> None:
    with running(Echo(), Limits(event_threads=3)) as run, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(run.client()) for _ in range(9)]
        for sock in clients:
            sock.sendall(b"x" * 1000)
        wait_until(lambda: sum(event.bytes for event in run.sink.named("data_received")) == 9000)
        assert run.stop()
        for sock in clients:
            assert receive_exactly(sock, 1000) == b"x" * 1000
            assert sock.recv(1) == b""


def test_a_room_has_one_order_whoever_carries_it_out(tmp_path: Path) -> None:
    chat = Chat(tmp_path, ChatRules(flood=None))
    with running(chat, Limits(event_threads=3)) as run, contextlib.ExitStack() as stack:
        members = [stack.enter_context(entered(run, f"m{number}")) for number in range(12)]
        heard: list[list[tuple[int, str]]] = [[] for _ in members]

        def talk(number: int) -> None:
            if number < 6:
                for turn in range(50):
                    members[number].line(f"{number}.{turn}")
            while len(heard[number]) < 300:
                one = members[number].receive()
                assert one is not None
                if one["kind"] == "say":
                    heard[number].append((one["id"], one["text"]))

        together(12, talk)
        assert all(order == heard[0] for order in heard)
        ids = [own for own, _ in heard[0]]
        assert ids == sorted(set(ids))
        for number in range(6):
            own = [text for _, text in heard[0] if text.startswith(f"{number}.")]
            assert own == [f"{number}.{turn}" for turn in range(50)]
        assert not run.sink.named("service_failed")


@contextlib.contextmanager
def entered(run: Running, name: str) -> Iterator[FrameClient]:
    with frame_client(run.port) as client:
        client.expect("ask")
        client.line(name)
        while (one := client.receive()) is not None and one["kind"] != "members":
            pass
        yield client
