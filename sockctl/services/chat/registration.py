"""Lets new and returning clients into the chat, under a name."""

import contextlib
import datetime
import math
import time
from collections.abc import Mapping

from sockctl.accounts.throttle import RateLimit
from sockctl.deadline import Deadline
from sockctl.errors import AnswerRefusedError, EngineError, PeerGoneError
from sockctl.events.reasons import DisconnectReason
from sockctl.net.peer import Peer
from sockctl.protocol.messages import Message
from sockctl.protocol.names import check_name
from sockctl.services.chat.bans import describe_ban
from sockctl.services.chat.clients import RemoteClient
from sockctl.services.chat.member import NOTHING, FloodLimit, Member
from sockctl.services.chat.members import Members
from sockctl.services.chat.membership import Membership
from sockctl.services.chat.reasons import BANNED, ENGINE_AWAY, TAKEN_OVER
from sockctl.services.chat.room_registry import RoomRegistry
from sockctl.services.chat.sequencer import Arrival, Names
from sockctl.services.chat.settings import ChatLimits, ChatRules
from sockctl.services.chat.state import ChatState
from sockctl.services.login import LoginConversation
from sockctl.source_network import find_source_network
from sockctl.stores.timestamps import format_timestamp, read_utc_clock

TRIES = 5
"""How often the chat asks a guest for a name."""


class Registration:
    """Lets clients in, each in a conversation of its own. Any thread may use it.

    Args:
        members: The members.
        rooms: The rooms.
        membership: Removes a client that another one replaces.
        names: Gives the clients their names.
        state: Knows the bans.
        rules: The rules of the chat.
        limits: How often members may come from one address, and how long they are remembered.
        login: The login of users; None where guests come in under any free name.
    """

    def __init__(
        self,
        members: Members,
        rooms: RoomRegistry,
        membership: Membership,
        names: Names,
        *,
        state: ChatState,
        rules: ChatRules,
        limits: ChatLimits,
        login: LoginConversation | None,
    ) -> None:
        self._members = members
        self._rooms = rooms
        self._membership = membership
        self._names = names
        self._state = state
        self._rules = rules
        self._limits = limits
        self._comings = RateLimit(
            burst=limits.comings_at_once, every_s=limits.coming_every_s, max_keys=limits.max_counted
        )
        self._login = login
        self._generation = -1  # of the users, at the last `return_names`

    def let_in(self, peer: Peer) -> RemoteClient:
        """Let `peer` in under a name, set its `state` to its client, and return the client.

        Raises:
            PeerGoneError: The client left, or the chat refused it.
        """
        self._refuse_banned(peer)
        try:
            return self._let_in_guest(peer) if self._login is None else self._let_in_user(peer, self._login)
        except EngineError as error:
            peer.tell("error", "The chat can't let you in now: try again in a moment.", code="busy")
            raise peer.give_up(ENGINE_AWAY) from error

    def _let_in_user(self, peer: Peer, login: LoginConversation) -> RemoteClient:
        user, resume = login.let_in(peer)
        self._await_turn(peer)
        name = user.user
        arrival = self._names.add_user(name, peer.address, lambda: self._create_member(name, account=name))
        return self._attach(peer, arrival, _read_seen(resume))

    def return_names(self) -> None:
        """Rename members whose name has become another user's account since the last call; one thread calls it."""
        if self._login is None:
            return
        generation = self._login.authenticator.accounts.users.generation
        if generation == self._generation:
            return
        self._generation = generation
        self._names.return_names()

    def _let_in_guest(self, peer: Peer) -> RemoteClient:
        peer.until = Deadline.after(self._limits.login_s)
        client = self._ask_guest(peer)
        peer.until = math.inf
        return client

    def _ask_guest(self, peer: Peer) -> RemoteClient:
        for left in range(TRIES - 1, -1, -1):
            answer = peer.answer("name", "What is your name?", instead=("resume",))
            self._await_turn(peer)
            try:
                client = (
                    self._resume_guest(peer, answer) if answer.kind == "resume" else self._add_guest(peer, answer.text)
                )
            except AnswerRefusedError as error:
                more = "" if left else " That was the last try."
                peer.tell("error", f"{error}{more}", code=error.code)
                peer.skip()
            else:
                if client is not None:
                    return client
        raise peer.give_up(DisconnectReason.TOO_MANY_TRIES)

    def _await_turn(self, peer: Peer) -> None:
        """Wait while too many members come from the client's address (IPv6: its /64).

        Each new client costs the members of its rooms a message, and the server the history that it sends. The flood
        limit doesn't count that, and begins anew with the next name. Without a flood limit, no client waits.
        """
        if self._rules.flood is None:
            return
        keys = [find_source_network(peer.address)]
        while not self._comings.allow(keys, now := time.monotonic()):
            if now >= peer.until:
                raise peer.give_up(DisconnectReason.LOGIN_TIMEOUT)
            with contextlib.suppress(TimeoutError):
                peer.wait({}, for_input=False, until=now + self._limits.coming_every_s)

    def _add_guest(self, peer: Peer, name: str) -> RemoteClient:
        arrival = self._names.add_guest(self._create_member(check_name(name)), peer.address)
        return self._attach(peer, arrival, {}, guest=True)

    def _resume_guest(self, peer: Peer, resume: Message) -> RemoteClient | None:
        """Let a guest in again; return None for an unknown token, which costs the guest a try.

        With an unknown token, the name beside it counts: the server may have restarted since it gave out both.
        """
        token, name = resume.get("token"), resume.get("name")
        arrival = self._names.resume_guest(token, name, peer.address, self._create_member)
        if arrival is None:
            peer.tell("error", "You have been away for too long: give a name again.", code="bad_token")
            return None
        for client in arrival.replaced:
            self._membership.remove(client, None)
            client.close(TAKEN_OVER)
        seen = {**dict.fromkeys(arrival.rooms, NOTHING), **_read_seen(resume)}
        return self._attach(peer, arrival, seen, guest=True)

    def _create_member(self, name: str, account: str = "") -> Member:
        flood = None if self._rules.flood is None else FloodLimit(*self._rules.flood)
        return Member(
            name, since=read_utc_clock(), account=account, operator=account in self._rules.operators, flood=flood
        )

    def _attach(self, peer: Peer, arrival: Arrival, seen: Mapping[str, int], *, guest: bool = False) -> RemoteClient:
        member = arrival.member
        seen = {room: last for room, last in seen.items() if self._rooms.find(room) is not None}
        client = RemoteClient(peer, member, seen=seen, now=time.monotonic())
        self._members.attach(client)
        try:
            # Until now, a new ban could not find this client among the members' clients.
            self._refuse_banned(peer, member)
            if self._names.is_replaced(member):
                raise peer.give_up(TAKEN_OVER)
        except PeerGoneError:
            self._membership.remove(client, None)
            raise
        peer.state = client
        peer.admit()
        if guest and peer.keeps_tokens:
            expires = format_timestamp(read_utc_clock() + datetime.timedelta(seconds=self._limits.guest_token_s))
            peer.tell("token", "This token brings you back under your name.", token=member.token, expires=expires)
        return client

    def _refuse_banned(self, peer: Peer, member: Member | None = None) -> None:
        account, guest = (member.account, member.id) if member is not None else ("", "")
        ban = self._state.bans.find(account=account, guest=guest, address=peer.address)
        if ban is not None:
            peer.tell("error", describe_ban(ban), code="banned", until=ban.ends)
            raise peer.give_up(BANNED)


def _read_seen(resume: Message | None) -> dict[str, int]:
    """Return the last ids that a client has seen, by room, as its `resume` has them."""
    seen = resume.fields.get("seen") if resume is not None else None
    if not isinstance(seen, dict):
        return {}
    return {room: last for room, last in seen.items() if isinstance(last, int) and last >= 0}
