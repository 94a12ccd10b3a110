"""Rosters of a member of a chat."""

from sockctl.client.chat.roster import Roster
from sockctl.protocol.messages import Message, make_message


def joined(*messages: Message, **limits: int) -> Roster:
    """Return the roster of ann in the lobby, with Bob and carol."""
    roster = Roster(**limits)
    for one in (
        make_message("welcome", "Hello!", name="ann", room="lobby"),
        make_message("joined", "", room="lobby", name="ann"),
        make_message("members", "", room="lobby", members=["ann", "carol", "Bob"]),
        *messages,
    ):
        roster.update(one)
    return roster
