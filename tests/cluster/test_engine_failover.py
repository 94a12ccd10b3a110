"""Two real servers behind Sentinels: the engine is killed, and its replica takes over under their talk."""

import contextlib
import os
import signal
import time
from pathlib import Path

import pytest

from sockctl.errors import EngineError
from tests.support.chat_client import member_at
from tests.support.engines import RedisServer
from tests.support.running import Process, server_process, wait_until
from tests.support.sentinels import watched_engines

LONGEST_S = 20.0
"""Enough for a busy machine; alone it takes some 3 s."""


def node(folder: Path, url: str, name: str) -> contextlib.AbstractContextManager[tuple[Process, int]]:
    options = ("--data-dir", str(folder / name), "--engine-timeout", "2s")
    return server_process("chat", *options, "--cluster", url, "--node", name)


def is_replica(engine: RedisServer) -> bool:
    with contextlib.suppress(EngineError):  # a Sentinel closes all connections of an engine that it demotes
        return bool(engine.ask("ROLE")[0] == b"slave")
    return False


@pytest.mark.slow
@pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "stopped"])
def test_a_chat_goes_on_at_the_replica(tmp_path: Path, fault: signal.Signals) -> None:
    """An engine that was stopped wakes again as the replica of the other one, and has no say."""
    with (
        watched_engines(tmp_path) as watched,
        node(tmp_path, watched.url, "alpha") as (alpha, at_alpha),
        node(tmp_path, watched.url, "beta") as (_, at_beta),
        member_at(at_alpha, "ann") as ann,
        member_at(at_beta, "bob") as bob,
    ):
        ann.until("joined", name="bob")
        ann.line("before")
        ids = [bob.until("say", text="before")["id"]]
        os.kill(watched.engines[0].pid, fault)
        began = time.monotonic()
        ann.line("meanwhile")
        ids.append(bob.until("say", text="meanwhile")["id"])
        took_s = time.monotonic() - began
        bob.line("after")
        ids.append(ann.until("say", text="after")["id"])
        assert bob.until("say", text="after")["id"] == ids[-1]
        assert sorted(set(ids)) == ids
        assert took_s < LONGEST_S
        print(f"spoken again after {took_s:.2f} s")
        if fault == signal.SIGSTOP:
            os.kill(watched.engines[0].pid, signal.SIGCONT)
            wait_until(lambda: is_replica(watched.engines[0]), what="the old engine's new role")
            ann.line("at last")
            ids.append(bob.until("say", text="at last")["id"])
            assert sorted(set(ids)) == ids
        for name in ("left", "not_said"):
            assert name not in "".join(alpha.lines)
