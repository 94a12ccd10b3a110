"""Why a chat ends the connection of a member."""

from sockctl.events.reasons import Reason

KICKED = Reason(
    "kicked",
    "An operator has put the member out, so the server closed the connection.",
    "You were put out by an operator.",
    puts_out=True,
    close_code=4001,
)
BANNED = Reason(
    "banned",
    "An operator has banned the name or the address, so the server closed the connection.",
    "Goodbye!",
    puts_out=True,
    close_code=4002,
)
PING_TIMEOUT = Reason(
    "ping_timeout",
    "Nothing came from the client for a minute, nor an answer to a ping within 30 s more, so the server closed the "
    "connection.",
    "You didn't answer. Goodbye!",
    puts_out=True,
    close_code=1008,
)
NAME_LOST = Reason(
    "name_lost",
    "Another member has claimed the name while this server was cut off, so the server closed the connection.",
    "Somebody else has your name now. Goodbye!",
    puts_out=True,
    close_code=1008,
)
ENGINE_AWAY = Reason(
    "engine_away",
    "The engine that the chat's servers share has been away for long, so the server closed the connection.",
    "This server can't reach the others. Another one may.",
    puts_out=True,
    close_code=1013,
)
TAKEN_OVER = Reason(
    "taken_over",
    "The member came back with its token on another connection, so the server closed this one.",
    "You are here on another connection now. Goodbye!",
    puts_out=True,
    close_code=4003,
)
