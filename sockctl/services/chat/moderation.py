"""What operators do: they put members out, keep them out, let them read only, and announce things."""

from collections.abc import Callable, Sequence

from sockctl.errors import CommandError
from sockctl.events.chat import OperatorActed
from sockctl.events.journal import Journal
from sockctl.protocol.messages import message
from sockctl.protocol.names import same_name_key
from sockctl.services.chat.bans import Ban, Network, Target, blocked_network
from sockctl.services.chat.clients import Client, ConsoleClient
from sockctl.services.chat.commands import parse_duration
from sockctl.services.chat.members import Identity, Member, Members
from sockctl.services.chat.reasons import BANNED, KICKED
from sockctl.services.chat.store import ChatStore

__all__ = ["Moderation"]


class Moderation:
    """The operators' commands. Any thread may call them; nothing in it waits.

    A ban or a mute of a user holds for the account. Where strangers may come in, as guests or by signing up, it holds
    for the addresses of the member as well: another name would cost the member nothing.

    Args:
        members: Who is here.
        store: Keeps bans and mutes.
        is_account: Says whether there is a user of that name; False for every name where members are guests.
        lets_strangers_in: Whether a client may come in under a name of its own choice.

    Attributes:
        commands: What carries out each command, by its name.
    """

    def __init__(
        self, members: Members, store: ChatStore, *, is_account: Callable[[str], bool], lets_strangers_in: bool
    ) -> None:
        self._members = members
        self._store = store
        self._is_account = is_account
        self._lets_strangers_in = lets_strangers_in
        self._journal: Journal
        self.commands: dict[str, Callable[[Client, Sequence[str]], None]] = {
            "kick": self._kick,
            "ban": self._ban,
            "unban": self._unban,
            "mute": self._mute,
            "unmute": self._unmute,
            "announce": self._announce,
        }

    def start(self, journal: Journal) -> None:
        """Tell events to `journal` from now on."""
        self._journal = journal

    def mute_of(self, place: Client) -> Ban | None:
        """Return the mute that holds for a place; None if its member may speak."""
        own = place.member
        return self._store.muted(account=own.account, name=own.name, token=own.token, address=place.address)

    def _kick(self, place: Client, words: Sequence[str]) -> None:
        member = self._present(words[0]) or self._members.get(words[0])
        why = f": {words[1]}" if len(words) > 1 else "."
        self._tell_all(place, f"{place.member.name} put {member.name} out{why}")
        for each in self._members.places_of(member):
            each.close(KICKED)

    def _ban(self, place: Client, words: Sequence[str]) -> None:
        target, time = self._target(place, words[0]), parse_duration(words[1]) if len(words) > 1 else None
        ban = self._store.ban(target, by=place.member.name, time=time)
        self._tell_done(place, f"banned {{}}{_until(ban)}.", [ban])
        for each in self._places():
            own = each.member
            if self._store.banned(account=own.account, token=own.token, address=each.address) is not None:
                each.close(BANNED)

    def _unban(self, place: Client, words: Sequence[str]) -> None:
        ended = self._store.unban(words[0])
        if not ended:
            raise CommandError(f"{words[0]!r} is not banned: give the name, account or address that a ban has told.")
        self._tell_done(place, "lets {} in again.", ended)

    def _mute(self, place: Client, words: Sequence[str]) -> None:
        target, time = self._target(place, words[0]), parse_duration(words[1]) if len(words) > 1 else None
        mute = self._store.mute(target, by=place.member.name, time=time)
        self._tell_done(place, f"lets {{}} read only{_until(mute)}.", [mute])

    def _unmute(self, place: Client, words: Sequence[str]) -> None:
        ended = self._store.unmute(words[0])
        if not ended:
            member = self._members.find(words[0])
            places = self._members.places_of(member) if member is not None else []
            if (mute := next(filter(None, map(self.mute_of, places)), None)) is not None:
                raise CommandError(f"What holds for {words[0]} is the mute of {mute.target.shown()}: /unmute that.")
            raise CommandError(f"{words[0]!r} is not muted: give the name, account or address that a mute has told.")
        self._tell_done(place, "lets {} speak again.", ended)

    def _announce(self, place: Client, words: Sequence[str]) -> None:
        self._tell_all(place, f"{place.member.name} announces: {words[0]}")

    def _tell_done(self, place: Client, did: str, bans: Sequence[Ban]) -> None:
        """Tell what an operator has done with bans or mutes; only operators see the addresses of members."""
        full, public = (
            f"{place.member.name} {did.format(' and '.join(ban.target.shown(addresses=shown) for ban in bans))}"
            for shown in (True, False)
        )
        self._tell_all(place, full, public=public)

    def _tell_all(self, place: Client, text: str, *, public: str | None = None) -> None:
        """Tell something to the operators and to the log, and to every member what is `public` of it."""
        self._journal.emit(OperatorActed(operator=place.member.name, did=text))
        full = message("notice", text, code="announcement")
        short = full if public is None else message("notice", public, code="announcement")
        for each in {place, *self._places()}:
            each.post(full if each.member.operator else short)

    def _places(self) -> list[Client]:
        return [place for member in self._members.all() for place in self._members.places_of(member)]

    # Whom a word means.

    def _target(self, place: Client, word: str) -> Target:
        """Return for whom a ban or mute holds that names a member, a user or an address.

        Raises:
            CommandError: The word names nobody, the operator, or the server's own terminal.
        """
        member, own, key = self._present(word), place.member, same_name_key(word)
        if member is own:
            raise CommandError("You can't do that to yourself.")
        is_account = member is None and self._is_account(key)
        left = self._members.left_lately(word) if member is None else None
        if left is not None and not (is_account and left.account != key):  # a nick that has become a user's name
            member = left
        if member is not None:
            return self._target_of(member)
        if is_account:
            return Target(name=key, account=key)
        network = blocked_network(word)
        if network is None:
            raise CommandError(f"Nobody is known by {word!r}: give a member's name, a user's name or an address.")
        if any(network.version == one.version and one.overlaps(network) for one in self._networks_of(own)):
            raise CommandError(f"{word} is where you are yourself.")
        return Target(networks=(network,))

    def _target_of(self, member: Member) -> Target:
        """Return for whom a ban or mute of a member holds; never for the addresses at which operators are."""
        networks: tuple[Network, ...] = ()
        if self._lets_strangers_in:
            operators = (one for one in self._members.all() if one.operator and one is not member)
            at = {network for one in operators for network in self._networks_of(one)}
            networks = tuple(network for network in self._networks_of(member) if network not in at)
        if not member.account and not networks:
            raise CommandError(f"{member.name} is only just coming in: try again.")
        return Target(name=member.name, account=member.account, token=member.token, networks=networks)

    def _present(self, word: str) -> Member | None:
        """Return the member that has a name, or that is logged in under it.

        Raises:
            CommandError: It is the server's own terminal.
        """
        member = self._members.find(word) or self._members.of(Identity("", same_name_key(word), ""))
        if member is not None and any(isinstance(each, ConsoleClient) for each in self._members.places_of(member)):
            raise CommandError(f"{member.name} is the terminal of the server: it stays.")
        return member

    def _networks_of(self, member: Member) -> list[Network]:
        """Return the networks for which a ban of a member's addresses holds; those of one that left are the last."""
        addresses = [place.address for place in self._members.places_of(member)] or [member.last_address]
        networks = (network for address in addresses if (network := blocked_network(address)) is not None)
        return list(dict.fromkeys(networks))


def _until(ban: Ban) -> str:
    return f" until {ban.until:%Y-%m-%d %H:%M} UTC" if ban.until is not None else ""
