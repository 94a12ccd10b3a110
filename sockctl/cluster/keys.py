"""The keys of a chat in an engine. All have one hash tag, so that they lie in one place."""

_TAG = "{chat:0}:"

META = f"{_TAG}meta"
"""The epoch, the server process that began it, the rules, the length of a lease, and the time of the last beat."""
LOG = f"{_TAG}log"
"""The one log that every node reads: a stream."""
NODES = f"{_TAG}nodes"
"""When the lease of each node ends."""
NAMES = f"{_TAG}names"
"""The member that holds each name, and the nodes at which it is."""
LOOKS = f"{_TAG}looks"
"""The names of each skeleton (see `sockctl.protocol.look_alikes`)."""
ROOMS = f"{_TAG}rooms"
"""The names of the rooms with messages."""
STATE = f"{_TAG}state"
"""What operators have set, by field: bans, mutes, topics."""

ACCOUNTS = f"{_TAG}accounts"
"""The generation of the users, the settings of the servers, and counters."""
USERS, USERS_REMOVED, USERS_CHANGED = f"{_TAG}users", f"{_TAG}users:removed", f"{_TAG}users:changed"
"""The entries of the users; when names were removed; the generation of the last change of each name."""
SESSIONS, TOKENS = f"{_TAG}sessions", f"{_TAG}sessions:tokens"
"""The sessions, and their tokens, by id."""
SESSIONS_OF_USERS, SESSION_ENDS = f"{_TAG}sessions:users", f"{_TAG}sessions:ends"
"""The sessions in the order of users and of their beginning, and of their ends."""
SESSIONS_ENDED = f"{_TAG}sessions:ended"
"""The last sessions that were deleted, in order."""
PENALTIES, FAILURES, KNOWN = f"{_TAG}throttle:penalties", f"{_TAG}throttle:failures", f"{_TAG}throttle:known"
"""The tables of the throttle; each has a sorted set beside it, in the order of changes."""
RUNNING = f"{_TAG}throttle:running"
"""The tries of passwords that run."""


def posted_key(node: str) -> str:
    """Return the key of the last sequence that a node has posted, and of what it tells of itself."""
    return f"{_TAG}posted:{node}"


def here_key(node: str) -> str:
    """Return the key of a node's members: the key of each one's name."""
    return f"{_TAG}here:{node}"


def room_key(room: str) -> str:
    """Return the key of the last messages of a room."""
    return f"{_TAG}room:{room}"


def order_key(table: str) -> str:
    """Return the key of the order in which the entries of a table of the throttle were changed."""
    return f"{table}:order"
