"""Why a connection ended and why a client was refused: stable words, each with the sentence that explains it."""

import enum
from typing import Self


class Reason(str):
    """A stable word that says why something ended.

    The core has reasons of its own (`DisconnectReason`); a service makes its own ones, and hands them to the core.

    Args:
        word: The word, for programs.
        explanation: One sentence for the operator.
        farewell: What the client gets with the `bye`; none where it is empty.
        puts_out: Whether the client may not be here any more: the server ends the connection in a moment, even if the
            client doesn't read.
    """

    explanation: str
    farewell: str
    puts_out: bool

    def __new__(cls, word: str, explanation: str = "", farewell: str = "", puts_out: bool = False) -> Self:
        """Make a reason that equals its word."""
        self = str.__new__(cls, word)
        self.explanation, self.farewell, self.puts_out = explanation, farewell, puts_out
        return self


class DisconnectReason(Reason, enum.ReprEnum):
    """Why the core ends a connection."""

    CLIENT_CLOSED = (
        "client_closed",
        "The client ended its side (recv() returned no bytes: its FIN came), everything was answered, and close() "
        "ended ours.",
    )
    CLIENT_RESET = (
        "client_reset",
        "The client broke the connection off (its RST came): what was on the way is lost, and the socket was closed.",
    )
    CLIENT_VANISHED = (
        "client_vanished",
        "The client no longer answers: the kernel repeated its segments or keepalive probes until the time was up, "
        "and the socket was closed.",
    )
    CLIENT_EXIT = (
        "client_exit",
        "The client said goodbye (a message of the kind bye), so the server closed the connection.",
    )
    PROTOCOL_ERROR = (
        "protocol_error",
        "The client sent what is no message, was told so, and the server closed the connection.",
    )
    TLS_ERROR = (
        "tls_error",
        "The two sides did not come to speak TLS with each other, or what came was no TLS any more, so the server "
        "closed the connection.",
    )
    SLOW_READER = (
        "slow_reader",
        "The client did not take what others said to it: more than its outbox holds was waiting, so the server closed "
        "the connection.",
    )
    SEND_TIMEOUT = (
        "send_timeout",
        "The client did not take what it was sent within the time that it had, so the server closed the connection.",
        "You didn't read what was sent to you. Goodbye!",
    )
    TOO_MANY_TRIES = (
        "too_many_tries",
        "The client gave no answer that would do as often as it was asked, so the server closed the connection.",
        "Goodbye!",
    )
    LOGIN_TIMEOUT = (
        "login_timeout",
        "The client did not log in or give its name within the time that it had, so the server closed the connection.",
        "You took too long to log in. Goodbye!",
        True,
    )
    TOO_MANY_PENDING = (
        "too_many_pending",
        "The client had not logged in, its address had the most connections of that kind, and another address needed "
        "a place (--max-pending), so the server closed the connection.",
    )
    FLOODING = (
        "flooding",
        "The client sent far more than the flood limit or its budget allows, and went on, so the server closed the "
        "connection.",
        "You said too much too fast. Goodbye!",
        True,
    )
    STORE_FAILED = (
        "store_failed",
        "The service could not read or write what it keeps, so the server closed the connection.",
        "Goodbye!",
    )
    IDLE_TIMEOUT = (
        "idle_timeout",
        "Nothing was moved on the connection for the time that --idle-timeout allows, or --program-idle where a "
        "program answers, so the server closed it.",
        "Nothing was said for too long. Goodbye!",
    )
    SERVER_STOPPING = (
        "server_stopping",
        "The server is stopping: what had been received was answered, then it closed the connection.",
        "The server is stopping. Goodbye!",
    )
    SERVER_CLOSED = (
        "server_closed",
        "The service had said what there was to say, so the server closed the connection.",
        "Goodbye!",
    )
    DRAIN_TIMEOUT = (
        "drain_timeout",
        "The server is stopping, and the client did not take what was still queued for it within --drain-timeout.",
    )
    INTERNAL_ERROR = ("internal_error", "The service failed on this connection, so the server closed it.")


class RefusalReason(Reason, enum.ReprEnum):
    """Why a client was refused."""

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
