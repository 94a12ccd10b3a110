"""One process of the load tool: left alone, not heard, stopped."""

import json
import os
import subprocess
import sys
from typing import Any

from sockctl.bench import worker
from tests.support.bench import plan
from tests.support.bench_servers import echo
from tests.support.running import START_S


def started() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", "from sockctl.bench.worker import main; main()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
    )


def test_a_worker_that_is_left_alone_ends() -> None:
    with started() as process:
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(START_S) == 1
    with echo() as port, started() as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(plan(port).to_json().encode() + b"\n")
        assert json.loads(process.stdout.readline()) == {"ready": 4}
        process.stdin.close()
        assert process.wait(START_S) == 0
        assert process.stdout.read() == b""


def test_a_worker_that_nobody_hears_ends() -> None:
    with echo() as port, started() as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.close()
        process.stdin.write(plan(port).to_json().encode() + b"\n")
        assert process.wait(START_S) == 1


def test_stopped_before_it_begins() -> None:
    told: list[dict[str, Any]] = []
    receiver, sender = os.pipe()
    try:
        os.write(sender, b"stop\nnonsense\n")
        with echo() as port:
            worker.Worker(plan(port), receiver, told.append).run()
    finally:
        os.close(receiver)
        os.close(sender)
    assert told[-1]["stats"]["answered"] == 0
