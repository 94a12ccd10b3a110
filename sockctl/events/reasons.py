"""Why a connection ended and why a client was refused: stable words, each with the sentence that explains it."""

import enum

__all__ = ["DisconnectReason", "RefusalReason"]


class _Reason(enum.StrEnum):
    """A stable word with an explanation."""

    explanation: str

    def __new__(cls, value: str, explanation: str) -> "_Reason":
        """Make a member that equals its word and carries its sentence."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.explanation = explanation
        return member


class DisconnectReason(_Reason):
    """Why a connection ended."""

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
    )
    TOO_MANY_TRIES = (
        "too_many_tries",
        "The client gave no answer that would do as often as it was asked, so the server closed the connection.",
    )
    LOGIN_TIMEOUT = (
        "login_timeout",
        "The client did not log in or give its name within the time that it had, so the server closed the connection.",
    )
    TOO_MANY_PENDING = (
        "too_many_pending",
        "The client had not logged in, its address had the most connections of that kind, and another address needed "
        "a place (--max-pending), so the server closed the connection.",
    )
    LOGGED_OUT = (
        "logged_out",
        "The user logged out, so the server closed the connection; the session and its token are no more.",
    )
    SESSION_ENDED = (
        "session_ended",
        "The session has ended (revoked, expired, or the user was removed, disabled or given another password), so the "
        "server closed the connection.",
    )
    KICKED = ("kicked", "An operator has put the member out, so the server closed the connection.")
    BANNED = (
        "banned",
        "An operator has banned the name or the address, so the server closed the connection.",
    )
    FLOODING = (
        "flooding",
        "The client sent far more than the flood limit or its budget allows, and went on, so the server closed the "
        "connection.",
    )
    PING_TIMEOUT = (
        "ping_timeout",
        "Nothing came from the client for a minute, nor an answer to a ping within 30 s more, so the server closed the "
        "connection.",
    )
    TAKEN_OVER = (
        "taken_over",
        "The member came back with its token on another connection, so the server closed this one.",
    )
    STORE_FAILED = (
        "store_failed",
        "The service could not read or write what it keeps, so the server closed the connection.",
    )
    BUSY = (
        "busy",
        "As many programs as --max-programs allows were answering others, so the server closed the connection.",
    )
    PROGRAM_ENDED = (
        "program_ended",
        "The program that answered the client has ended, so the server closed the connection.",
    )
    IDLE_TIMEOUT = (
        "idle_timeout",
        "Nothing was moved on the connection for the time that --idle-timeout allows, or --program-idle where a "
        "program answers, so the server closed it.",
    )
    SERVER_STOPPING = (
        "server_stopping",
        "The server is stopping: what had been received was answered, then it closed the connection.",
    )
    SERVER_CLOSED = (
        "server_closed",
        "The service had said what there was to say, so the server closed the connection.",
    )
    DRAIN_TIMEOUT = (
        "drain_timeout",
        "The server is stopping, and the client did not take what was still queued for it within --drain-timeout.",
    )
    INTERNAL_ERROR = ("internal_error", "The service failed on this connection, so the server closed it.")


class RefusalReason(_Reason):
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
