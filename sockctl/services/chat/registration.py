"""The entrance of the chat: under which name a client comes in, or comes back."""

import contextlib
import datetime
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sockctl.errors import AnswerRefusedError, PeerGoneError
from sockctl.events.reasons import DisconnectReason
from sockctl.net.peer import Peer
from sockctl.protocol.messages import Message
from sockctl.protocol.names import checked_name
from sockctl.services.chat.arrivals import Arrivals
from sockctl.services.chat.clients import NOTHING, RemoteClient
from sockctl.services.chat.command_handlers import CommandHandlers
from sockctl.services.chat.flood import FloodLimit
from sockctl.services.chat.members import GUEST_TOKEN_S, Member, Members, Renamed
from sockctl.services.chat.reasons import BANNED, TAKEN_OVER
from sockctl.services.chat.room_registry import RoomRegistry
from sockctl.services.chat.store import ChatStore
from sockctl.services.login import LOGIN_S, LoginConversation
from sockctl.stores.timestamps import format_timestamp, utc_now

__all__ = ["ChatRules", "Registration"]

TRIES = 5
"""How often a name is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRules:
    """How the chat is to be.

    Attributes:
        rooms: The only rooms that there are; empty where rooms are made by joining.
        motd: Lines that whoever comes is told.
        history: How much of what is said in a room is remembered.
        flood: How many messages a member may say at once, and then a second; None for no limit.
        operators: The users who are operators.
    """

    rooms: Sequence[str] = ()
    motd: Sequence[str] = ()
    history: int = 100
    flood: tuple[float, float] | None = (20, 10)
    operators: frozenset[str] = frozenset()


class Registration:
    """Lets clients in, each in a conversation of its own. Any thread may use it.

    Args:
        members: Who is here.
        rooms: The rooms.
        actions: What lets a place go that a member has left for another one.
        store: Knows who is banned.
        rules: How the chat is to be.
        arrivals: Counts who comes from which address.
        login: What lets users in; None where everybody may come in under a name that is free.
    """

    def __init__(
        self,
        members: Members,
        rooms: RoomRegistry,
        actions: CommandHandlers,
        *,
        store: ChatStore,
        rules: ChatRules,
        arrivals: Arrivals,
        login: LoginConversation | None,
    ) -> None:
        self._members = members
        self._rooms = rooms
        self._actions = actions
        self._store = store
        self._rules = rules
        self._arrivals = arrivals
        self._login = login
        self._generation = -1  # of the users, as `return_names` saw them last

    def let_in(self, peer: Peer) -> RemoteClient:
        """Let `peer` in under a name, and return where it sits; its `state` is that from then on.

        Raises:
            PeerGoneError: It left, or was not let in.
        """
        self._refuse_banned(peer)
        return self._let_in_guest(peer) if self._login is None else self._let_in_user(peer, self._login)

    def _let_in_user(self, peer: Peer, authenticator: LoginConversation) -> RemoteClient:
        login, resume = authenticator.let_in(peer)
        self._await_turn(peer)
        member, renamed = self._members.of_account(login.user, lambda: self._made(login.user, account=login.user))
        self._tell_renamed(renamed)
        return self._seated(peer, member, _seen_in(resume))

    def return_names(self) -> None:
        """Rename members whose name has become another one's account since the last call; one thread calls it."""
        if self._login is None:
            return
        generation = self._login.authenticator.accounts.users.generation
        if generation == self._generation:
            return
        self._generation = generation
        for member in self._members.all():
            if member.key != member.account:
                self._tell_renamed(self._members.displace(member))

    def _tell_renamed(self, renamed: Renamed | None) -> None:
        if renamed is None:
            return
        member, before = renamed
        self._actions.tell_renamed(member, before)
        text = f"{before} is the name of a user now: you are {member.name} from here on."
        for place in self._members.places_of(member):
            place.tell("notice", text, code="renamed")

    def _let_in_guest(self, peer: Peer) -> RemoteClient:
        peer.until = time.monotonic() + LOGIN_S
        client = self._seat_of_guest(peer)
        peer.until = math.inf
        return client

    def _seat_of_guest(self, peer: Peer) -> RemoteClient:
        for left in range(TRIES - 1, -1, -1):
            answer = peer.answer("name", "What is your name?", instead=("resume",))
            self._await_turn(peer)
            try:
                client = self._resumed(peer, answer) if answer.kind == "resume" else self._named(peer, answer.text, {})
            except AnswerRefusedError as error:
                more = "" if left else " That was the last try."
                peer.tell("error", f"{error}{more}", code=error.code)
                peer.skip()
            else:
                if client is not None:
                    return client
        raise peer.give_up(DisconnectReason.TOO_MANY_TRIES)

    def _await_turn(self, peer: Peer) -> None:
        """Wait while too many come from the address of a client; whoever may flood needn't."""
        if self._rules.flood is None:
            return
        while wait_s := self._arrivals.wait_s(peer.address, now := time.monotonic()):
            if now >= peer.until:
                raise peer.give_up(DisconnectReason.LOGIN_TIMEOUT)
            with contextlib.suppress(TimeoutError):
                peer.wait({}, for_input=False, until=now + wait_s)

    def _named(self, peer: Peer, name: str, seen: Mapping[str, int]) -> RemoteClient:
        member = self._made(checked_name(name))
        self._members.add(member)
        return self._seated(peer, member, seen, guest=True)

    def _resumed(self, peer: Peer, resume: Message) -> RemoteClient | None:
        """Let a guest in again; None where its token is nobody's, which costs it a try, and nothing that follows.

        A name that comes with such a token is one that was given: the server may have been started anew.
        """
        found = self._members.resume(resume.get("token"), self._made)
        if found is None and resume.get("name"):
            return self._named(peer, resume.get("name"), _seen_in(resume))
        if found is None:
            peer.tell("error", "You have been away for too long: give a name again.", code="bad_token")
            return None
        member, lost, rooms = found
        for place in lost:
            self._actions.part(place, None)
            place.close(TAKEN_OVER)
        return self._seated(peer, member, {**dict.fromkeys(rooms, NOTHING), **_seen_in(resume)}, guest=True)

    def _made(self, name: str, account: str = "") -> Member:
        flood = None if self._rules.flood is None else FloodLimit(*self._rules.flood)
        return Member(name, since=utc_now(), account=account, operator=account in self._rules.operators, flood=flood)

    def _seated(self, peer: Peer, member: Member, seen: Mapping[str, int], *, guest: bool = False) -> RemoteClient:
        seen = {room: last for room, last in seen.items() if self._rooms.find(room) is not None}
        client = RemoteClient(peer, member, seen=seen, now=time.monotonic())
        self._members.sit(client)
        try:
            # A client that was asked for its name when it was banned is seen only from here on.
            self._refuse_banned(peer, member)
        except PeerGoneError:
            self._actions.part(client, None)
            raise
        peer.state = client
        peer.admit()
        if guest and peer.hello is not None and peer.hello.fields.get("session") is not False:
            expires = format_timestamp(utc_now() + datetime.timedelta(seconds=GUEST_TOKEN_S))
            peer.tell("token", "This token brings you back under your name.", token=member.token, expires=expires)
        return client

    def _refuse_banned(self, peer: Peer, member: Member | None = None) -> None:
        account, token = (member.account, member.token) if member is not None else ("", "")
        if self._store.banned(account=account, token=token, address=peer.address) is not None:
            peer.tell("error", "You are banned here.", code="banned")
            raise peer.give_up(BANNED)


def _seen_in(resume: Message | None) -> dict[str, int]:
    """Return the last ids that a client has seen, by room."""
    seen = resume.fields.get("seen") if resume is not None else None
    if not isinstance(seen, dict):
        return {}
    return {room: last for room, last in seen.items() if isinstance(last, int) and last >= 0}
