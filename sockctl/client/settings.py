"""How a session of the client behaves."""

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from sockctl.client.script_steps import Step
    from sockctl.events.explain import Explain
    from sockctl.net.address import Endpoint

QUIT_AFTER_S = 2.0
"""How long a session that a person or a script has ended waits for the server's end."""


class ReturnPauses(NamedTuple):
    """The pauses before a lost connection is made again, in seconds.

    Attributes:
        first_s: The pause after the first round of tries has failed; each one after that is twice as long.
        longest_s: The longest pause.
        steady_s: How long a connection must have stood for the pauses to begin anew: a server that falls over and over
            is spared.
        step_s: The longest pause before the next server of a round; the clients of one server don't all come at once.
    """

    first_s: float = 0.5
    longest_s: float = 30.0
    steady_s: float = 30.0
    step_s: float = 0.25


USUAL_PAUSES = ReturnPauses()


@dataclass(kw_only=True, eq=False, repr=False)
class ClientSettings:
    """How a session behaves. No code changes a field.

    It isn't frozen, and has no slots: both would delay the start of the client by 1 ms.

    Attributes:
        terminal: Whether lines are typed, rather than bytes piped.
        messages: Whether the server must speak in messages (True) or must not (False); None where it may.
        quiet: Emit errors only.
        verbose: Emit events even in a pipe, and details.
        read_bytes: The most bytes of one recv(), each of which is told with `verbose`; None: the usual number, and sums
            while traffic is busy.
        hex_dump: Show a hex dump instead of the bytes.
        json: Show JSON lines, of events, too.
        plain: Never use the line editor.
        raw_terminal: Pass on each key of the terminal, and show what comes as it is; not with `terminal`.
        send_only: Show nothing of the server's words but its errors.
        recv_only: Read no input.
        output: The file of the transcript; None for none.
        log: The folder of a log of rooms; None for none.
        crlf: Send CR LF for a line feed.
        web: Whether the connection is a WebSocket.
        binary: Send binary messages over it, in place of texts.
        udp: Whether datagrams of UDP go both ways.
        datagram_bytes: Bytes of the blocks of the input that each are a datagram; None for lines.
        steps: The steps of a script, in place of an input.
        count: End after so many messages; None for no end.
        timeout_s: Seconds to connect, for the greeting, for a turn to speak, and for a script as a whole.
        idle_timeout_s: Seconds without traffic after which the session ends; None for no end.
        quit_after_s: Seconds to wait for the server's end after the input's; None for the default.
        session: Use the token of an earlier login, and keep the one of this.
        user: The name of the user who is to be logged in; empty for whom there is a token.
        keep_typed: Keep what is typed in the line editor for the next time; not without `session`.
        insecure: Send passwords and tokens in clear.
        state_dir: The folder where tokens are kept, as it was chosen.
        reconnect: Connect again after a lost connection, where that can be; None: only where a person sits.
        explain: Which events are explained; None for the usual ones.
        silence_s: After so many seconds without a word of a chat's server, a client with several servers tries another
            one: the server pings a client that is silent for 60 s.
        return_pauses: The pauses before a lost connection is made again.
        retries: How many further tries the first connection gets.
        family: Restricts the addresses to IPv4 or IPv6.
        source: The own address to connect from; None for any.
        first_line_held_s: Seconds that a person's first line waits for a greeting.
        flush_s: Seconds that a stop waits for a server that doesn't read.
        max_answers_bytes: Bytes of answers that may wait for a server that goes on asking.
        max_unanswered: Datagrams that may wait for an answer; and answered or lost ones that are recognised when they
            come again.
    """

    terminal: bool = False
    messages: bool | None = False
    quiet: bool = False
    verbose: bool = False
    read_bytes: int | None = None
    hex_dump: bool = False
    json: bool = False
    plain: bool = False
    raw_terminal: bool = False
    send_only: bool = False
    recv_only: bool = False
    output: Path | None = None
    log: Path | None = None
    crlf: bool = False
    web: bool = False
    binary: bool = False
    udp: bool = False
    datagram_bytes: int | None = None
    steps: "Sequence[Step]" = ()
    count: int | None = None
    timeout_s: float = 10.0
    idle_timeout_s: float | None = None
    quit_after_s: float | None = None
    session: bool = True
    user: str = ""
    keep_typed: bool = True
    insecure: bool = False
    state_dir: Path | None = None
    reconnect: bool | None = None
    explain: "Explain | None" = None
    silence_s: float = 150.0
    return_pauses: ReturnPauses = USUAL_PAUSES
    retries: int = 0
    family: socket.AddressFamily = socket.AF_UNSPEC
    source: "Endpoint | None" = None
    first_line_held_s: float = 0.3
    flush_s: float = 2.0
    max_answers_bytes: int = 1 << 20
    max_unanswered: int = 65_536

    @property
    def shows_chat(self) -> bool:
        """Whether a person reads messages, of which the session remembers some."""
        return self.terminal and not self.json and not self.hex_dump and self.messages is not False

    @property
    def reconnects(self) -> bool:
        """Whether a lost connection is made again: where a person sits, and where it was asked for."""
        if self.hex_dump or self.count is not None:
            return False
        return self.terminal and not self.json if self.reconnect is None else self.reconnect

    def wait_for_end_s(self, *, script_ends_itself: bool) -> float | None:
        """Return how many seconds to wait for the server's end after the input's; None for as long as it takes."""
        if self.quit_after_s is not None:
            return self.quit_after_s
        return QUIT_AFTER_S if self.terminal or self.send_only or script_ends_itself else None
