"""Passwords in the form that is saved: hashed with argon2id (RFC 9106), as PHC strings.

$argon2id$v=19$m=65536,t=3,p=4$<salt>$<hash>
"""

import base64
import binascii
import re
import secrets
from dataclasses import dataclass

from sockctl.errors import HashFailedError

MAX_MEMORY_KIB = 2_097_152
"""2 GiB, the memory of RFC 9106's first recommended option."""
MAX_WORK_KIB = 4_194_304
"""Memory times passes: a larger product would hold up all other logins for seconds."""
MAX_PARALLELISM = 16
MIN_MEMORY_PER_LANE_KIB = 8
"""RFC 9106, section 3.1."""
_PHC = re.compile(
    r"\$argon2id\$v=19\$m=([1-9][0-9]{0,9}),t=([1-9][0-9]{0,9}),p=([1-9][0-9]{0,2})"
    r"\$[A-Za-z0-9+/]{11,86}\$[A-Za-z0-9+/]{22,86}"  # a salt of 8 to 64 bytes, a hash of 16 to 64
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HashParameters:
    """The costs of a hash.

    Attributes:
        time_cost: Passes over the memory.
        memory_kib: Memory in KiB.
        parallelism: Lanes, each a thread.

    Raises:
        ValueError: They are too much for a login, or less than argon2 needs.
    """

    time_cost: int
    memory_kib: int
    parallelism: int

    def __post_init__(self) -> None:
        if not 1 <= self.parallelism <= MAX_PARALLELISM:
            raise ValueError(f"parallelism {self.parallelism} is not between 1 and {MAX_PARALLELISM}")
        least_kib = MIN_MEMORY_PER_LANE_KIB * self.parallelism
        if not least_kib <= self.memory_kib <= MAX_MEMORY_KIB:
            raise ValueError(f"a memory of {self.memory_kib:,} KiB is not between {least_kib:,} and {MAX_MEMORY_KIB:,}")
        if not 1 <= self.time_cost <= MAX_WORK_KIB // self.memory_kib:
            raise ValueError(f"{self.time_cost:,} passes over {self.memory_kib:,} KiB are too few or take too long")


DEFAULT = HashParameters(time_cost=3, memory_kib=65_536, parallelism=4)
"""RFC 9106, section 4, the second recommended option."""


def parse_parameters(stored: str) -> HashParameters:
    """Return the costs of a hash.

    Raises:
        ValueError: The text is no argon2id hash, or its costs are refused; the error doesn't hold the hash.
    """
    match = _PHC.fullmatch(stored)
    if match is None or not all(map(_is_base64, stored.rsplit("$", 2)[1:])):
        raise ValueError("it is no argon2id hash (version 19) in PHC form")
    memory_kib, time_cost, parallelism = map(int, match.groups())
    return HashParameters(time_cost=time_cost, memory_kib=memory_kib, parallelism=parallelism)


def make_dummy_hash(parameters: HashParameters) -> str:
    """Return a hash of no password; verifying a password against it costs `parameters`."""
    salt, digest = (base64.b64encode(secrets.token_bytes(size)).decode().rstrip("=") for size in (16, 32))
    costs = f"m={parameters.memory_kib},t={parameters.time_cost},p={parameters.parallelism}"
    return f"$argon2id$v=19${costs}${salt}${digest}"


def _is_base64(text: str) -> bool:
    """Return whether argon2 can decode a text: it has no padding, and its last bits are 0."""
    padded = text + "=" * (-len(text) % 4)
    try:
        return base64.b64encode(base64.b64decode(padded)).decode() == padded
    except binascii.Error:
        return False


class Hasher:
    """Hashes and verifies passwords that `normalize_password` has returned. Any thread may use it.

    Each call blocks for as long as `parameters` cost, without holding the GIL.

    Args:
        parameters: The costs of new hashes.

    Attributes:
        parameters: The costs of new hashes.
    """

    def __init__(self, parameters: HashParameters) -> None:
        from argon2 import PasswordHasher

        self._argon2 = PasswordHasher(
            time_cost=parameters.time_cost,
            memory_cost=parameters.memory_kib,
            parallelism=parameters.parallelism,
        )
        self.parameters = parameters

    def hash(self, password: str) -> str:
        """Return a hash of `password`, with a salt of its own.

        Raises:
            HashFailedError: There is not enough memory for it.
        """
        from argon2.exceptions import HashingError

        try:
            return self._argon2.hash(password)
        except HashingError as error:
            raise HashFailedError(_describe_failure(str(error))) from None

    def verify(self, stored: str, password: str) -> bool:
        """Return whether `stored`, which `parse_parameters` accepts, is a hash of `password`.

        Raises:
            HashFailedError: There is not enough memory to tell.
        """
        from argon2.exceptions import VerificationError, VerifyMismatchError

        try:
            return self._argon2.verify(stored, password)
        except VerifyMismatchError:
            return False
        except VerificationError as error:
            raise HashFailedError(_describe_failure(str(error))) from None

    def is_outdated(self, stored: str) -> bool:
        """Return whether `stored` was made with other parameters than those in force."""
        return parse_parameters(stored) != self.parameters


def _describe_failure(why: str) -> str:
    return f"A password can't be hashed: {why}. Is there enough memory? Its cost is set in settings.json."
