"""Make the README's picture of a server and a client: ``python -m tests.support.picture``.

Both run on a terminal, and Rich turns what they show into an SVG.
"""

from pathlib import Path
from typing import Any

import pexpect
from rich.console import Console, Group
from rich.panel import Panel
from rich.text import Text

from tests.support.terminal import terminals

PICTURE = Path(__file__).parents[2] / ".github" / "sockctl.svg"
COLUMNS = 100


def shown_by(child: "pexpect.spawn[str]", until: str) -> str:
    """Return what a terminal shows up to and with `until`."""
    child.expect_exact(until)
    return (str(child.before) + until).replace("\r\n", "\n")


def play(start: Any) -> tuple[str, str]:
    """Return what a server and a client show while one line is echoed."""
    server = start("serve", "echo", "--port", "9090", columns=COLUMNS - 4)
    told = shown_by(server, "127.0.0.1 9090")
    client = start("connect", "localhost", "9090", columns=COLUMNS - 4)
    seen = shown_by(client, "ends the connection.")
    client.sendline("hello")
    seen += shown_by(client, "\r\nhello\r\n") + shown_by(client, "\r\nhello\r\n")
    client.sendline("exit")
    client.expect(pexpect.EOF)
    seen += str(client.before).replace("\r\n", "\n")
    server.sendintr()
    server.expect(pexpect.EOF)
    return told + str(server.before).replace("\r\n", "\n"), seen


def main() -> None:
    """Write the picture."""
    with terminals() as start:
        server, client = play(start)
    console = Console(record=True, width=COLUMNS, file=Path("/dev/null").open("w"), force_terminal=True)  # noqa: SIM115
    screens = [("$ sockctl serve echo", server), ("$ sockctl connect localhost 9090", client)]
    console.print(
        Group(*(Panel(Text.from_ansi(text.strip()), title=name, title_align="left") for name, text in screens))
    )
    PICTURE.write_text(console.export_svg(title="sockctl", unique_id="sockctl"), encoding="utf-8")


if __name__ == "__main__":
    main()
