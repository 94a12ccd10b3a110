"""A server that stands still for a while: its members aren't to blame."""

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.chat_client import ChatClient
from tests.support.running import TIMEOUT_S, UNMEASURED
from tests.support.stall_probe import ANSWER_S, SILENT_S


@pytest.mark.slow
@pytest.mark.parametrize("pinged", [False, True])
def test_whoever_was_silent_while_the_server_stood_still_may_answer(tmp_path: Path, pinged: bool) -> None:
    command = [sys.executable, "-m", "tests.support.stall_probe", str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=UNMEASURED) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        port = int(process.stdout.readline())
        with socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as sock:
            ann = ChatClient(sock).enter("ann").ready()
            if pinged:
                ann.until("ping")
            else:
                time.sleep(SILENT_S / 2)  # the server has noted when it said something
            process.send_signal(signal.SIGSTOP)
            time.sleep(SILENT_S + ANSWER_S + 1)  # the very time for which it stands still
            process.send_signal(signal.SIGCONT)
            if not pinged:
                ann.until("ping")
            time.sleep(ANSWER_S / 4)  # less than it may take
            ann.send(kind="pong")
            ann.line("still here")
            ann.until("say", text="still here")
            ann.until("ping")
            ann.until("bye", reason="ping_timeout")
        process.stdin.close()
        process.wait(TIMEOUT_S)
