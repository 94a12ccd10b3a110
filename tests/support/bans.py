"""Bans and mutes that are in force at once, as an operator's command puts them."""

import datetime

from sockctl.services.chat.ban_table import BanTable
from sockctl.services.chat.bans import Ban, Target


def add_ban(table: BanTable, target: Target, *, by: str, time: datetime.timedelta | None = None) -> Ban:
    """Ban a target, and return the ban."""
    ban = table.make(target, by=by, time=time)
    table.put(ban)
    return ban
