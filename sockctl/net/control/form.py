"""The form of what is said on a control socket: one word a line to the server, JSON lines back.

The client says `ASK`. The server answers with a line of the kind `server`, one of the kind `connection` for each
connection, and one of the kind `end`. The client may ask again on the same connection. Beside an answer stand lines of
two more kinds: `error`, behind which the server closes, and `stopped`, with which a stopping server says goodbye. A
program passes over kinds and fields that it doesn't know.
"""

from collections.abc import Mapping
from types import UnionType

ASK = b"status\n"
"""What a client says."""
SUFFIX = ".sock"
"""The end of the name of a control socket in the folder of the user's servers."""

Form = Mapping[str, type | UnionType]
SERVER: Form = {
    **dict.fromkeys(("accepted", "bytes_in", "bytes_out", "clients", "events_lost", "pid"), int),
    **dict.fromkeys(("max_clients", "max_pending", "pending"), int),
    **dict.fromkeys(("lag_ms", "uptime_s"), int | float),
    **dict.fromkeys(("counts", "refused"), dict),
    "listening": list,
    "name": str,
    "stuck": bool,
}
"""The fields of a line of the kind `server` that a client needs; a server of another version may lack them."""
CONNECTION: Form = {
    **dict.fromkeys(("bytes_in", "bytes_out", "number"), int),
    "age_s": int | float,
    "peer": str,
}
"""The same of a line of the kind `connection`."""


def has_form(fields: Mapping[str, object], form: Form) -> bool:
    """Return whether a line has all fields of a form."""
    return all(isinstance(fields.get(name), kind) for name, kind in form.items())
