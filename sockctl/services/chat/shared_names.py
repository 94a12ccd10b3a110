"""Gives names that no other member on any server has: a name is claimed through the log."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from functools import partial

from sockctl.cluster.posting import RENAMED, Claim, Posting
from sockctl.errors import EngineError, EngineTimeoutError, NameTakenError
from sockctl.protocol.look_alikes import compute_skeletons
from sockctl.protocol.messages import Message
from sockctl.protocol.names import check_name, make_name_key
from sockctl.services.chat.member import Client, Member, make_guest_id
from sockctl.services.chat.refusals import refuse, refuse_for
from sockctl.services.chat.sequencer import Arrival
from sockctl.services.chat.shared_log import Log
from sockctl.services.chat.shared_members import SharedMembers
from sockctl.services.chat.shared_records import encode, encode_member
from sockctl.services.chat.shared_replica import Replica
from sockctl.services.chat.shared_sequencer import NOT_DONE, SharedSequencer

READ_S = 5.0
"""How long a client that comes waits until this server has read what the client may have heard elsewhere."""
DISPLACED_S = 3.0
"""How long a user waits until another server has taken the user's name from a member that had it."""
_AGAIN_S = 0.2
_LONGEST_TOKEN = 100


class SharedNames:
    """Gives names through the log. It is a `Names`.

    A client is attached when this server has read the entry that says that its member has come: then it has read all
    that the client can have heard on any server.

    Args:
        log: The log.
        members: The registry of members.
        replica: Knows who is where.
        sequencer: Posts that a member has left.
    """

    def __init__(
        self,
        log: Log,
        members: SharedMembers,
        replica: Replica,
        sequencer: SharedSequencer,
    ) -> None:
        self._log = log
        self._members = members
        self._replica = replica
        self._sequencer = sequencer

    def add_guest(self, member: Member, address: str) -> Arrival:
        """Add a guest under its name; blocks."""
        self._members.refuse_taken(member.name, member)
        return self._arrive(member, address, alone=True)

    def add_user(self, account: str, address: str, create: Callable[[], Member]) -> Arrival:
        """Return the member logged in as `account`; blocks."""
        until = time.monotonic() + DISPLACED_S
        while True:
            try:
                return self._arrive(create(), address, alone=False)
            except NameTakenError as error:  # a nickname until now, which its server takes away
                if time.monotonic() > until:
                    raise EngineTimeoutError(f"The name {account} is not free yet.") from error
                time.sleep(_AGAIN_S)

    def resume_guest(self, token: str, name: str, address: str, create: Callable[[str], Member]) -> Arrival | None:
        """Return a token's guest; blocks.

        A server that lags doesn't know the token yet: then the name counts that the client gives with it.
        """
        member_id = make_guest_id(token)
        known = self._members.find_id(member_id) or self._members.find_departed_id(member_id)
        if known is None and not name:
            return None
        member = create(check_name(name) if known is None else known.name)
        if 0 < len(token) <= _LONGEST_TOKEN:
            member.token, member.id = token, member_id
        here = known is not None and self._members.find_id(member_id) is known
        rooms = tuple(known.rooms) if known is not None and not here else ()
        if not here:
            self._members.refuse_taken(member.name, member)
        return self._arrive(member, address, alone=True)._replace(rooms=rooms)

    def is_replaced(self, member: Member) -> bool:
        """Return whether a member has come to another server since its arrival here."""
        return self._replica.is_only_elsewhere(member.id)

    def _arrive(self, prepared: Member, address: str, *, alone: bool) -> Arrival:
        """Claim a member's name, and wait until this server knows that it has come."""
        held = self._members.hold(prepared.id)
        if held is None:
            prepared.arriving = 1
            self._replica.expect(prepared)
        shown = prepared if held is None else held
        addresses = [*dict.fromkeys([*self._members.list_addresses(shown), address])]
        data = encode(encode_member(shown, addresses=addresses, rooms=self._replica.list_entered(shown), alone=alone))
        skeletons = compute_skeletons(shown.name)
        try:
            came = self._log.claim(shown.key, shown.id, skeletons=skeletons, data=data, alone=alone)
            if not self._log.wait_until_read(came, READ_S):
                raise EngineTimeoutError("This server has not read the log for some seconds.")
        except (NameTakenError, EngineError) as error:
            self._replica.expect_no_more(prepared)
            is_idle = self._members.let_go(shown)
            if is_idle and isinstance(error, EngineError):
                self._sequencer.post_went(shown, "left")  # the claim may come through yet
            raise
        self._replica.expect_no_more(prepared)
        if held is None:
            held = prepared if self._members.find_id(prepared.id) is prepared else self._members.hold(prepared.id)
        if held is None:
            self._sequencer.post_went(prepared, "left")  # else the engine may keep the name for nobody
            raise EngineTimeoutError("The member has left again meanwhile.")
        held.token, held.operator = prepared.token, prepared.operator
        held.flood = held.flood or prepared.flood
        return Arrival(held, self._members.take_clients(held) if alone else ())

    def rename(self, client: Client, name: str) -> None:
        """Claim another name for a client's member; the answer comes later."""
        member = client.member
        if name == member.name:
            return
        self._members.refuse_taken(name, member)
        asking = client.asking
        claim = self._claim(member, name)
        claim.add_done_callback(partial(_answer, client, asking))

    def return_names(self) -> None:
        """Rename members with clients here whose name has become another user's account."""
        for member in self._members.list_all():
            if member.key != member.account and self._members.list_clients(member):
                account = self._members.find_squatted(member)
                if account:
                    self._displace(member, account, iter(self._members.list_free_names(member)))

    def _displace(self, member: Member, account: str, names: Iterator[str]) -> None:
        name = next(names, None)
        if name is None:
            return

        def go_on(answer: Future[int]) -> None:
            if isinstance(answer.exception(), NameTakenError):
                self._displace(member, account, names)

        self._claim(member, name, account=account).add_done_callback(go_on)

    def _claim(self, member: Member, name: str, *, account: str = "") -> Future[int]:
        """Post the claim of another name for a member."""
        claim = Claim(make_name_key(name), compute_skeletons(name))
        data = encode({"m": member.id, "name": name, "account": account})
        if not self._log.post(Posting(RENAMED, data, member.id, claim=claim)):
            claim.fail()
        return claim.answer


def _answer(client: Client, asking: Message | None, answer: Future[int]) -> None:
    """Tell a client that its new name is refused."""
    error = answer.exception()
    asked = [] if asking is None else [asking]
    if isinstance(error, NameTakenError):
        refuse_for(client, asked, error)
    elif error is not None:
        refuse(client, asked, NOT_DONE, code="not_said")
