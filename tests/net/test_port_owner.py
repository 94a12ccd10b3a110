"""Who listens on a port: seen by its own user, by root, and by another user."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from sockctl.net.port_owner import find_owner
from tests.support.other_user import OTHER_NAME, OTHER_UID, as_other_user, needs_root

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells it")

LISTENER = """
import socket
with socket.create_server(("::1", 0), family=socket.AF_INET6) as listener:
    print(listener.getsockname()[1], flush=True)
    input()
"""


def own_name() -> str:
    return as_name(os.geteuid())


def as_name(uid: int) -> str:
    return subprocess.run(["id", "-un", str(uid)], capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize(
    ("family", "listens_on", "asked"),
    [
        (socket.AF_INET, "127.0.0.1", "127.0.0.1"),
        (socket.AF_INET, "0.0.0.0", "127.0.0.1"),  # noqa: S104  a port of this machine that is taken, as meant
        (socket.AF_INET6, "::1", "::1"),
        (socket.AF_INET6, "::", "::1"),
        (socket.AF_INET6, "::", "127.0.0.1"),
        (socket.AF_INET6, "::ffff:127.0.0.1", "127.0.0.1"),
    ],
)
def test_ones_own_process(family: socket.AddressFamily, listens_on: str, asked: str) -> None:
    with socket.create_server((listens_on, 0), family=family, dualstack_ipv6=listens_on.startswith("::")) as listener:
        name = Path("/proc/self/comm").read_text().strip()
        said = find_owner(asked, listener.getsockname()[1])
        assert said == f"process {os.getpid()} ({name}) of user {own_name()}"


def test_another_address_is_not_meant() -> None:
    with socket.create_server(("127.0.0.2", 0)) as listener:
        assert find_owner("127.0.0.1", listener.getsockname()[1]) == "another program"


def test_a_socket_that_does_not_listen_is_not_shown() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        assert find_owner("127.0.0.1", bound.getsockname()[1]) == "another program"


def test_a_system_that_does_not_tell(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert find_owner("127.0.0.1", listener.getsockname()[1], proc=tmp_path) == "another program"


@needs_root
def test_another_users_process_as_root_sees_it() -> None:
    with subprocess.Popen(
        ["/usr/bin/env", "python3", "-c", LISTENER],
        user=OTHER_UID,
        cwd="/",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        name = Path(f"/proc/{process.pid}/comm").read_text().strip()
        assert find_owner("::1", port) == f"process {process.pid} ({name}) of user {OTHER_NAME}"
        process.communicate("\n")


@needs_root
def test_roots_process_as_another_user_sees_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def seen() -> str:
            listener.close()  # the child has it open, too
            return find_owner("127.0.0.1", port)

        assert as_other_user(seen) == f"a program of user {as_name(0)}"
