"""Why the end of a login ends a connection."""

from sockctl.events.reasons import Reason

LOGGED_OUT = Reason(
    "logged_out",
    "The user logged out, so the server closed the connection; the session and its token are no more.",
    "You are logged out. Goodbye!",
)
SESSION_ENDED = Reason(
    "session_ended",
    "The session has ended (revoked, expired, or the user was removed, disabled or given another password), so the "
    "server closed the connection.",
    "Your session has ended: log in again. Goodbye!",
    puts_out=True,
)
