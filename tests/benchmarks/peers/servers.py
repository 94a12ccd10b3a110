"""The servers that are measured beside each other, and how each is started. What isn't installed is left out."""

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.running import UNMEASURED, free_port, listens, wait_until

C_READ_BYTES = "65536"
CROWDED = ("--max-clients", "20000", "--max-clients-per-address", "20000")
"""Options of sockctl for many clients of few addresses."""
NGIRCD = """\
[Global]
Name = irc.bench.test
Info = bench
Listen = 127.0.0.1
Ports = {port}
MotdPhrase = hi
[Limits]
MaxConnections = 0
MaxConnectionsIP = 0
MaxPenaltyTime = 0
PingTimeout = 300
[Options]
DNS = no
Ident = no
PAM = no
"""


@dataclass(frozen=True, slots=True)
class ChatWire:
    """What a member sends, as templates of ``fanout.c``: first of all, for each message, and what goes before each."""

    preamble: str
    say: str
    framing: str


IRC = ChatWire(r"NICK n%I\r\nUSER n%I 0 * :x\r\n|JOIN #r\r\n", r"PRIVMSG #r :%M\r\n", "line")
PLAIN = ChatWire(r"hi\n", r"%M\n", "line")
FRAMES = ChatWire(
    '{"kind":"hello","client":"bench"}|{"kind":"answer","field":"name","text":"n%I"}',
    '{"kind":"line","text":"%M"}',
    "frame",
)


def build_echo_commands(sockctl: str, folder: Path, read_bytes: int) -> dict[str, list[str]]:
    """Return each server's command, with PORT in place of its port; those in Python read so many bytes at a time."""
    peers = [sys.executable, "-m", "tests.benchmarks.peers.echo"]
    servers = {"sockctl": [sockctl, "serve", "echo", *_own_options(folder), *CROWDED]}
    servers |= {kind: [*peers, kind, "PORT", str(read_bytes)] for kind in ("stock", "streams", "asyncio")}
    servers |= {f"{name}_c": [str(folder / f"{name}_echo"), "PORT", C_READ_BYTES] for name in ("thread", "epoll")}
    if importlib.util.find_spec("uvloop"):
        servers["uvloop"] = [*peers, "uvloop", "PORT", str(read_bytes)]
    if shutil.which("socat"):
        servers["socat"] = ["socat", "TCP-LISTEN:PORT,bind=127.0.0.1,fork,reuseaddr,nodelay,backlog=4096", "PIPE"]
    if shutil.which("ncat"):
        servers["ncat"] = ["ncat", "-l", "127.0.0.1", "PORT", "-k", "-m", "20000", "-e", "/bin/cat"]
    return servers


def build_chat_commands(sockctl: str, folder: Path) -> dict[str, tuple[list[str], ChatWire]]:
    """Return each server's command, with PORT in place of its port, and its wire."""
    kept = ("--data-dir", str(folder / "chat-data"))
    own = [sockctl, "serve", "chat", *_own_options(folder), *CROWDED, "--no-flood-limit", *kept]
    servers = {"sockctl": (own, FRAMES)}
    if shutil.which("ngircd"):
        servers["ngircd"] = (["ngircd", "-n", "-f", str(folder / "ngircd-PORT.conf")], IRC)
    if shutil.which("ncat"):
        servers["ncat"] = (["ncat", "-l", "127.0.0.1", "PORT", "--chat", "-m", "20000"], PLAIN)
    return servers


def _own_options(folder: Path) -> tuple[str, ...]:
    return ("--host", "127.0.0.1", "--port", "PORT", "--strict-port", "--log-file", str(folder / "log"))


@contextlib.contextmanager
def run_server(command: list[str], folder: Path) -> Iterator[tuple[int, int]]:
    """Run a server until the end; yield its port and the number of its process group."""
    port = free_port()
    (folder / f"ngircd-{port}.conf").write_text(NGIRCD.format(port=port))
    with subprocess.Popen(
        [word.replace("PORT", str(port)) for word in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=UNMEASURED,
        process_group=0,  # a server may have a process for each client, which end with it
    ) as process:
        try:
            wait_until(lambda: listens(port), what=f"{command[0]} listens")
            time.sleep(0.2)  # a server that has a process for each client is rid of the one that has just looked
            yield port, process.pid
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def read_memory_kb(group: int) -> int:
    """Return the resident memory of all processes of a group, on Linux."""
    total = 0
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):  # no process, or one that has ended just now
            if os.getpgid(int(entry.name)) == group:
                lines = (entry / "status").read_text().splitlines()
                total += sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
    return total
