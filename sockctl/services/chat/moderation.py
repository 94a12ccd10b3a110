"""The operators' commands: kick, ban and mute members, list bans and mutes, and announce texts to all."""

from collections.abc import Callable, Sequence

from sockctl.errors import CommandError, MutedError
from sockctl.events.chat import OperatorActed
from sockctl.events.journal import Journal
from sockctl.protocol.names import make_name_key
from sockctl.services.chat.bans import Ban, Network, Target, format_network, parse_banned_network
from sockctl.services.chat.clients import include_console
from sockctl.services.chat.commands import Handler, parse_term, select_page, tell_next_page
from sockctl.services.chat.effects import Act, Rule
from sockctl.services.chat.member import Client, Member, make_user_id
from sockctl.services.chat.members import Members
from sockctl.services.chat.sequencer import Sequencer
from sockctl.services.chat.state import ChatState
from sockctl.stores.timestamps import format_timestamp

OTHERS_NAMED = 5
"""Of the others at an address that is banned or muted, so many are named."""


class Moderation:
    """Runs the operators' commands. Any thread may call the handlers; they never block.

    A ban or a mute of a user holds for the account. Where strangers may come in, as guests or by signing up, it also
    holds for the member's addresses: another name would cost the member nothing.

    Args:
        members: The members.
        state: Keeps bans and mutes.
        sequencer: Puts them in force.
        is_account: Says whether a name is a user's; False for every name where members are guests.
        lets_strangers_in: Whether a client may come in under a name of its own choice.

    Attributes:
        handlers: The handler of each command, by its name.
    """

    def __init__(
        self,
        members: Members,
        state: ChatState,
        sequencer: Sequencer,
        *,
        is_account: Callable[[str], bool],
        lets_strangers_in: bool,
    ) -> None:
        self._members = members
        self._state = state
        self._sequencer = sequencer
        self._is_account = is_account
        self._lets_strangers_in = lets_strangers_in
        self._journal: Journal
        self.handlers: dict[str, Handler] = {
            "kick": self._kick,
            "ban": self._ban,
            "unban": self._unban,
            "bans": self._list_bans,
            "mute": self._mute,
            "unmute": self._unmute,
            "mutes": self._list_mutes,
            "announce": self._announce,
        }

    def start(self, journal: Journal) -> None:
        """Emit events to `journal` from now on."""
        self._journal = journal

    def refuse_muted(self, client: Client) -> None:
        """Refuse a client whose member is muted.

        Raises:
            MutedError: The member is muted; the error says until when.
        """
        if (mute := self._find_mute(client)) is not None:
            raise MutedError(
                f"You are muted{mute.describe_end()}: an operator lets you read only, and write to operators alone.",
                until=mute.ends,
            )

    def is_muted(self, client: Client) -> bool:
        """Return whether a client's member may not speak."""
        return self._find_mute(client) is not None

    def _find_mute(self, client: Client) -> Ban | None:
        own = client.member
        return self._state.mutes.find(account=own.account, name=own.name, guest=own.id, address=client.address)

    # The handlers.

    def _kick(self, client: Client, words: Sequence[str]) -> None:
        member = self._find_present(words[0]) or self._members.get(words[0])
        why = f": {words[1]}" if len(words) > 1 else "."
        text = f"{client.member.name} put {member.name} out{why}"
        self._order(client, Act(rule=Rule.KICK, text=text, public=text, member=member.id))

    def _ban(self, client: Client, words: Sequence[str]) -> None:
        target, (time, why) = self._find_target(client, words[0]), parse_term(words[1:])
        ban = self._state.bans.make(target, by=client.member.name, time=time)
        did, others = f"banned {{}}{ban.describe_end()}", self._describe_others(ban.target)
        self._decide(client, Rule.BAN, did, [ban], others=others, why=why, until=ban.ends)

    def _unban(self, client: Client, words: Sequence[str]) -> None:
        ended = self._state.bans.list_named(words[0])
        if not ended:
            raise CommandError(f"{words[0]!r} is not banned: give the name, account or address that a ban has told.")
        self._decide(client, Rule.UNBAN, "lets {} in again", ended)

    def _list_bans(self, client: Client, words: Sequence[str]) -> None:
        self._list(client, words, self._state.bans.list_lasting(), command="bans", did="banned")

    def _mute(self, client: Client, words: Sequence[str]) -> None:
        target, (time, why) = self._find_target(client, words[0]), parse_term(words[1:])
        mute = self._state.mutes.make(target, by=client.member.name, time=time)
        did, others = f"lets {{}} read only{mute.describe_end()}", self._describe_others(mute.target)
        self._decide(client, Rule.MUTE, did, [mute], others=others, why=why, until=mute.ends)

    def _unmute(self, client: Client, words: Sequence[str]) -> None:
        ended = self._state.mutes.list_named(words[0])
        if not ended:
            member = self._members.find(words[0])
            clients = self._members.list_clients(member) if member is not None else []
            if (mute := next(filter(None, map(self._find_mute, clients)), None)) is not None:
                raise CommandError(f"What holds for {words[0]} is the mute of {mute.target.describe()}: /unmute that.")
            raise CommandError(f"{words[0]!r} is not muted: give the name, account or address that a mute has told.")
        self._decide(client, Rule.UNMUTE, "lets {} speak again", ended)

    def _list_mutes(self, client: Client, words: Sequence[str]) -> None:
        self._list(client, words, self._state.mutes.list_lasting(), command="mutes", did="muted")

    def _announce(self, client: Client, words: Sequence[str]) -> None:
        text = f"{client.member.name} announces: {words[0]}"
        self._order(client, Act(rule=Rule.ANNOUNCE, text=text, public=text))

    def _list(self, client: Client, words: Sequence[str], bans: Sequence[Ban], *, command: str, did: str) -> None:
        """Tell a client a page of bans or mutes."""
        if not bans:
            client.tell("notice", f"Nobody is {did}.", code=command)
            return
        number, some = select_page(bans, words, of=command)
        for ban in some:
            target = ban.target
            by = f"{did} by {ban.by} since {ban.at:%Y-%m-%d %H:%M} UTC"
            client.tell(
                "notice",
                f"{target.describe()}: {by},{ban.describe_end() or ' for good'}.",
                code=command,
                name=target.name or None,
                account=target.account or None,
                addresses=[*map(format_network, target.networks)] or None,
                by=ban.by,
                at=format_timestamp(ban.at),
                until=ban.ends,
            )
        tell_next_page(client, number, bans, command=command)

    def _decide(
        self,
        client: Client,
        rule: Rule,
        did: str,
        bans: Sequence[Ban],
        *,
        others: str = "",
        why: str = "",
        until: str | None = None,
    ) -> None:
        """Change bans or mutes, and tell all members; only operators see the addresses of members, and who is there."""
        end = f": {why}" if why else "."
        full, public = (" and ".join(ban.target.describe(addresses=shown) for ban in bans) for shown in (True, False))
        full, public = did.format(full + others), did.format(public)
        name = client.member.name
        for ban in bans[1:]:
            self._sequencer.order(Act(rule=rule, ban=ban))
        text, public = f"{name} {full}{end}", f"{name} {public}{end}"
        self._order(client, Act(rule=rule, text=text, public=public, until=until, ban=bans[0]))

    def _order(self, client: Client, act: Act) -> None:
        self._journal.emit(OperatorActed(operator=client.member.name, did=act.text))
        self._sequencer.order(act, by=client)

    def _describe_others(self, target: Target) -> str:
        """Return whom else a ban or a mute holds for now, at the addresses of its target."""
        others = [one for one in self._members.list_all() if one.id != target.guest] if target.networks else []
        names = [
            one.name
            for one in others
            if (not one.account or one.account != target.account)
            and any(target.includes(address) for address in self._members.list_addresses(one))
        ]
        if not names:
            return ""
        more = f" and {len(names) - OTHERS_NAMED:,} more" if len(names) > OTHERS_NAMED else ""
        return f" with all {'others ' if target.name else ''}there ({', '.join(names[:OTHERS_NAMED])}{more})"

    # The target that a word names.

    def _find_target(self, client: Client, word: str) -> Target:
        """Return the target of a ban or mute that names a member, a user or an address."""
        member, own, key = self._find_present(word), client.member, make_name_key(word)
        if member is own:
            raise CommandError("You can't do that to yourself.")
        is_account = member is None and self._is_account(key)
        departed = self._members.find_departed(word) if member is None else None
        if departed is not None and (not is_account or departed.account == key):  # else its nick is a user's name now
            member = departed
        if member is not None:
            return self._make_target(member)
        if is_account:
            return Target(name=key, account=key)
        network = parse_banned_network(word)
        if network is None:
            raise CommandError(f"Nobody is known by {word!r}: give a member's name, a user's name or an address.")
        if any(network.version == one.version and one.overlaps(network) for one in self._list_networks(own)):
            raise CommandError(f"{word} is where you are yourself.")
        return Target(networks=(network,))

    def _make_target(self, member: Member) -> Target:
        """Return the target of a ban or mute of a member; it never includes an operator's address."""
        networks: tuple[Network, ...] = ()
        if self._lets_strangers_in:
            operators = (one for one in self._members.list_all() if one.operator and one is not member)
            at = {network for one in operators for network in self._list_networks(one)}
            networks = tuple(network for network in self._list_networks(member) if network not in at)
        if not member.account and not networks:
            raise CommandError(f"{member.name} is only just coming in: try again.")
        return Target(
            name=member.name, account=member.account, guest="" if member.account else member.id, networks=networks
        )

    def _find_present(self, word: str) -> Member | None:
        """Return the member that has a name, or is logged in under it; None if there is none."""
        member = self._members.find(word) or self._members.find_id(make_user_id(make_name_key(word)))
        if member is not None and include_console(self._members.list_clients(member)):
            raise CommandError(f"{member.name} is the terminal of the server: it stays.")
        return member

    def _list_networks(self, member: Member) -> list[Network]:
        """Return the networks that a ban of a member bans; of a departed member, that of its last client."""
        addresses = self._members.list_addresses(member) or [member.last_address]
        networks = (network for address in addresses if (network := parse_banned_network(address)) is not None)
        return list(dict.fromkeys(networks))
