"""Holds back the messages of members that speak too fast."""

from collections.abc import Sequence

from sockctl.events.reasons import DisconnectReason
from sockctl.protocol.messages import Message
from sockctl.services.chat.clients import RemoteClient
from sockctl.services.chat.costs import Costs
from sockctl.services.chat.line_processor import LineProcessor
from sockctl.services.chat.member import FloodLimit
from sockctl.services.chat.membership import Membership
from sockctl.services.chat.refusals import refuse

MAX_HELD_BACK = 100
"""The most messages of a client that the chat holds back."""


class FloodControl:
    """Lets the messages of a client pass as fast as its member may speak. A client's event thread calls it."""

    def __init__(self, costs: Costs, lines: LineProcessor, membership: Membership) -> None:
        self._costs = costs
        self._lines = lines
        self._membership = membership

    def process(self, client: RemoteClient, limit: FloodLimit, batch: Sequence[Message]) -> None:
        """Process as many messages as the limit allows, and hold back the rest; close a client that floods."""
        passing = 0
        if not client.held_back:
            while passing < len(batch) and limit.allow(self._costs.count(client, batch[passing])):
                passing += 1
        if passing:
            self._pass_on(client, batch[:passing])
        rest = [one for one in batch[passing:] if one.kind != "typing"]  # a typing mark that waits is out of date
        if not rest:
            return
        if not client.held_back:
            self._membership.process_pending(client)
            client.tell("notice", "You are too fast: the rest is held back, and said bit by bit.", code="held_back")
        client.held_back.extend(rest)
        if len(client.held_back) > MAX_HELD_BACK:
            unsaid, text = [*client.held_back], f"You said more than {MAX_HELD_BACK} messages too many."
            client.held_back.clear()
            refuse(client, unsaid, text, code="flooding", each="You said too much too fast: it was not said.")
            client.close(DisconnectReason.FLOODING)

    def release(self, client: RemoteClient, limit: FloodLimit) -> None:
        """Process as many held-back messages as the limit allows."""
        released = []
        while client.held_back and not client.leaving and not client.is_backlogged:
            if not limit.allow(self._costs.count(client, client.held_back[0])):
                break
            released.append(client.held_back.popleft())
        if released:
            self._pass_on(client, released)

    def _pass_on(self, client: RemoteClient, batch: Sequence[Message]) -> None:
        """Process messages, and charge the client's connection and address for the work."""
        client.peer.charge(self._costs.estimate_work_s(client, batch))
        self._lines.process(client, batch)
