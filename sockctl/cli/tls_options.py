"""What the options of a client say of TLS, checked before anything is connected."""

from pathlib import Path
from typing import TYPE_CHECKING

from sockctl.errors import OptionError

if TYPE_CHECKING:
    from sockctl.client.trust import TlsPolicy

__all__ = ["refuse_lone_key", "tls_wishes"]


def tls_wishes(
    *,
    wanted: bool,
    fingerprint: str | None,
    accept_new: bool,
    ca: Path | None,
    verify_system: bool,
    cert: Path | None,
    key: Path | None,
    state_dir: Path | None,
    may_ask: bool,
) -> "TlsPolicy | None":
    """Return what the options say of TLS; None where it isn't wanted.

    Raises:
        OptionError: They contradict each other.
        FingerprintError: The fingerprint can't be one.
    """
    if not wanted:
        if fingerprint or accept_new or ca or verify_system or cert or key:
            raise OptionError("Options of TLS are given, and TLS is not: add --tls, or write tls://HOST:PORT.")
        return None
    refuse_lone_key(cert, key)
    if sum((fingerprint is not None, accept_new, ca is not None or verify_system)) > 1:
        raise OptionError("--fingerprint, --accept-new and authorities exclude each other: leave all but one out.")
    from sockctl.client.trust import TlsPolicy
    from sockctl.net.certificates import parse_fingerprint
    from sockctl.paths import state_dir as place_of_state

    return TlsPolicy(
        ca=ca,
        system_authorities=verify_system,
        fingerprint=None if fingerprint is None else parse_fingerprint(fingerprint),
        accept_new=accept_new,
        certificate=cert,
        key=key,
        state_dir=place_of_state(state_dir),
        may_ask=may_ask,
    )


def refuse_lone_key(cert: Path | None, key: Path | None) -> None:
    """Raise an `OptionError` where a key is given without its certificate."""
    if key is not None and cert is None:
        raise OptionError("--key belongs to --cert: give both.")
