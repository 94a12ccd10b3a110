"""One user, and the form of ``users.json``: names, password hashes, and whether users may log in.

    {"version": 1, "generation": 7, "users": {"ann": {
        "hash": "$argon2id$…", "created": "…", "changed": "…", "disabled": false, "credential_generation": 7}},
        "removed": {"bob": "…"}}

`generation` grows with every change. A user's `credential_generation` is the generation of the last change that set the
password or disabled the user. A session of another generation is over, so a name that was removed and added again
inherits nothing. `removed` holds the names of former users, and when each was removed: only `Users.add` gives such a
name to a user again. A file without a former user has no `removed`.
"""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sockctl.accounts.passwords import parse_parameters
from sockctl.protocol.names import check_name, make_name_key
from sockctl.stores.json_store import Content
from sockctl.stores.schema import flag, format_place, mapping, parsed, record, text, timestamp, whole_number
from sockctl.stores.timestamps import format_timestamp, parse_timestamp


@dataclass(frozen=True, slots=True)
class User:
    """One user.

    Attributes:
        name: The name, in lower case.
        hash: The password's argon2id hash (PHC string).
        created: When the user was added.
        changed: When the password was set last.
        disabled: Whether the user may not log in.
        credential_generation: The generation of the last change of the password, or of disabling.
    """

    name: str
    hash: str = field(repr=False)
    created: datetime.datetime
    changed: datetime.datetime
    disabled: bool
    credential_generation: int

    @property
    def as_fields(self) -> dict[str, Any]:
        """The user as JSON for others: without the hash; times as RFC 3339 in UTC."""
        return {
            "name": self.name,
            "created": format_timestamp(self.created),
            "changed": format_timestamp(self.changed),
            "disabled": self.disabled,
        }


def parse_user_name(text: str) -> str:
    """Return the name of a user in the form that is saved: in lower case.

    Raises:
        NameRefusedError: The name breaks the rule for names, or is reserved.
    """
    return make_name_key(check_name(text))


def _find_late_generation(content: Content) -> str:
    """Return the error for a user whose generation is later than the file's; empty for none."""
    generation = content["generation"]
    for name, entry in content["users"].items():
        if entry["credential_generation"] > generation:
            where = format_place("users", name, "credential_generation")
            return f"{where} is no whole number from 1 to the file's generation, {generation}"
    return ""


_NAME = parsed(parse_user_name, "has a name that won't do: {error}", unusual="has a name that is not in lower case")
_USER = record(
    {
        "hash": text(parsed(parse_parameters, "can't be used: {error}")),
        "disabled": flag,
        "credential_generation": whole_number("is no whole number from 1 to the file's generation", least=1),
        "created": timestamp,
        "changed": timestamp,
    }
)
FORM = record(
    {"generation": whole_number("is no whole number from 0 on", least=0), "users": mapping(_USER, key=_NAME)},
    _find_late_generation,
    optional={"removed": mapping(timestamp, key=_NAME)},
)
"""The form of the file."""


def read_user(name: str, entry: Mapping[str, Any]) -> User:
    """Return the user that an entry of the file stands for."""
    return User(
        name,
        entry["hash"],
        parse_timestamp(entry["created"]),
        parse_timestamp(entry["changed"]),
        entry["disabled"],
        entry["credential_generation"],
    )
