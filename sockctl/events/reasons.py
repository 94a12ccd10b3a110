"""Why a connection ended, and why the server refused a client: stable words, each with its explanation."""

import enum
from typing import Self


class Reason(str):
    """A stable word that says why something ended.

    The core has reasons of its own (`DisconnectReason`). A service makes others, and hands them to the core.

    Args:
        word: The word, for programs.
        explanation: The sentences for the operator.
        farewell: The text of the `bye` that the client gets; no `bye` if it is empty.
        puts_out: Whether the client must go: then the server ends the connection soon, even if the client doesn't read.
        close_code: The code of the Close frame that a WebSocket client gets (RFC 6455, section 7.4).
        local_explanation: The sentences for a client at a Unix socket; empty where `explanation` fits it, too.
    """

    explanation: str
    farewell: str
    puts_out: bool
    close_code: int
    local_explanation: str

    def __new__(
        cls,
        word: str,
        explanation: str = "",
        farewell: str = "",
        puts_out: bool = False,
        close_code: int = 1000,
        *,
        local_explanation: str = "",
    ) -> Self:
        """Make a reason that equals its word."""
        self = str.__new__(cls, word)
        self.explanation, self.farewell, self.puts_out, self.close_code = explanation, farewell, puts_out, close_code
        self.local_explanation = local_explanation
        return self


class DisconnectReason(Reason, enum.ReprEnum):
    """Why the core ends a connection."""

    CLIENT_CLOSED = (
        "client_closed",
        "The client ended its side: its FIN came, and recv() returned no bytes. The last answer went out, and close() "
        "ended the other side.",
    )
    CLIENT_RESET = (
        "client_reset",
        "The client broke the connection off: its RST came. What was on the way is lost, and the server closed the "
        "socket.",
    )
    CLIENT_VANISHED = (
        "client_vanished",
        "The client no longer answers. The kernel repeated segments or keepalive probes until the time was up, and the "
        "server closed the socket.",
    )
    CLIENT_EXIT = (
        "client_exit",
        "The client said goodbye (a message of the kind bye, or a Close frame), so the server closed the connection.",
    )
    PROTOCOL_ERROR = (
        "protocol_error",
        "The client sent something that is no message. The server told it so, and closed the connection.",
    )
    TLS_ERROR = (
        "tls_error",
        "The two sides could not agree on TLS, or the client broke TLS later, so the server closed the connection.",
    )
    SLOW_READER = (
        "slow_reader",
        "The client did not read what others said: its outbox was full, so the server closed the connection.",
        "",
        False,
        1008,
    )
    SEND_TIMEOUT = (
        "send_timeout",
        "The client did not read what the server sent in the time allowed, so the server closed the connection.",
        "You didn't read what was sent to you. Goodbye!",
        False,
        1008,
    )
    TOO_MANY_TRIES = (
        "too_many_tries",
        "The client gave no valid answer in as many tries as it has, so the server closed the connection.",
        "Goodbye!",
        False,
        1008,
    )
    LOGIN_TIMEOUT = (
        "login_timeout",
        "The client did not log in or give its name in the time allowed, so the server closed the connection.",
        "You took too long to log in. Goodbye!",
        True,
        1008,
    )
    TOO_MANY_PENDING = (
        "too_many_pending",
        "The client had not logged in, and another address needed a place (--max-pending). The client's address had "
        "the most of such connections, so the server closed this one.",
        "",
        False,
        1013,
    )
    FLOODING = (
        "flooding",
        "The client went on sending far more than the flood limit or its budget allows, so the server closed the "
        "connection.",
        "You said too much too fast. Goodbye!",
        True,
        1008,
    )
    STORE_FAILED = (
        "store_failed",
        "The service could not read or write what it keeps, so the server closed the connection.",
        "Goodbye!",
        False,
        1011,
    )
    IDLE_TIMEOUT = (
        "idle_timeout",
        "No data moved on the connection for as long as --idle-timeout allows, or --program-idle where a program "
        "answers. So the server closed it.",
        "Nothing was said for too long. Goodbye!",
    )
    SERVER_STOPPING = (
        "server_stopping",
        "The server is stopping. It answered what it had received, then it closed the connection.",
        "The server is stopping. Goodbye!",
        False,
        1001,
    )
    SERVER_CLOSED = (
        "server_closed",
        "The service had said everything, so the server closed the connection.",
        "Goodbye!",
    )
    DRAIN_TIMEOUT = (
        "drain_timeout",
        "The server is stopping, and the client did not read what was queued for it within --drain-timeout.",
    )
    INTERNAL_ERROR = (
        "internal_error",
        "The service failed on this connection, so the server closed it.",
        "",
        False,
        1011,
    )


class RefusalReason(Reason, enum.ReprEnum):
    """Why the server refused a client."""

    DENIED = ("denied", "the --allow and --deny rules don't let its address in")
    TOO_MANY_CLIENTS = ("too_many_clients", "as many clients as --max-clients allows are connected")
    TOO_MANY_FROM_ADDRESS = (
        "too_many_from_address",
        "as many clients as --max-clients-per-address allows are connected from its address",
    )
    TOO_MANY_PENDING = (
        "too_many_pending",
        "as many clients as --max-pending allows have not logged in yet, and its address has its share of them",
    )
    INTERNAL_ERROR = ("internal_error", "the server failed to serve it, which is a defect of sockctl's")
    OUT_OF_THREADS = ("out_of_threads", "the system gave no further thread to serve it")


class UnansweredReason(Reason, enum.ReprEnum):
    """Why a server of UDP doesn't answer a datagram."""

    DENIED = ("denied", "the --allow and --deny rules don't let its address in")
    LOW_PORT = (
        "low_port",
        "it came from a port below 1024, where services live that answer in turn: both would echo without end",
    )
    OWN_PORT = (
        "own_port",
        "it came from the server's own port number, as from another echo server: both would echo without end",
    )
    MULTICAST = (
        "multicast",
        "it was sent to a broadcast or multicast address, where all servers would answer at once",
    )
    TOO_FAST = ("too_fast", "its address sends more datagrams a second than --max-rate lets it have answered")
    TOO_LONG = ("too_long", "the answer is longer than a datagram may be")
    SEND_FAILED = ("send_failed", "the system didn't take the answer: its send buffer is full, or it knows no way")


class ForgottenReason(Reason, enum.ReprEnum):
    """Why a server of UDP forgets a client."""

    IDLE = (
        "idle",
        "Nothing has come from it for as long as --idle-timeout says. Its next datagram makes it a new one.",
    )
    DISPLACED = (
        "displaced",
        "The server remembers a bounded number of clients, and this one had been silent for the longest time.",
    )
    SERVER_STOPPING = ("server_stopping", "The server is stopping. UDP has no goodbye: the client isn't told.")
