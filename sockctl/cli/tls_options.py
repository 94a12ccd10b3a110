"""The TLS options of client commands: whether to encrypt, and which certificates to trust."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sockctl.errors import OptionError

if TYPE_CHECKING:
    from sockctl.client.trust import TlsPolicy

ClientCertificate = Annotated[
    Path | None,
    typer.Option(help="Show this certificate (PEM) if asked for one.", metavar="FILE", rich_help_panel="Encryption"),
]
ClientKey = Annotated[
    Path | None, typer.Option(help="The key (PEM) of --cert.", metavar="FILE", rich_help_panel="Encryption")
]


@dataclass(kw_only=True, eq=False, repr=False)  # as `ServerOptions`
class _TlsWish:
    """The option that asks for TLS."""

    tls: Annotated[
        bool,
        typer.Option(
            "--tls", help="Encrypt the connection, as tls:// and sockctls:// do.", rich_help_panel="Encryption"
        ),
    ] = False


@dataclass(kw_only=True, eq=False, repr=False)
class TrustOptions:
    """The options about the server's certificate and the own one, where the target's scheme alone asks for TLS."""

    fingerprint: Annotated[
        str | None,
        typer.Option(
            help="Trust this certificate only (SHA-256, as the server tells at its start).",
            metavar="SHA256",
            rich_help_panel="Encryption",
        ),
    ] = None
    accept_new: Annotated[
        bool,
        typer.Option(
            "--accept-new",
            help="Trust an unknown server, and keep its certificate's fingerprint.",
            rich_help_panel="Encryption",
        ),
    ] = False
    ca: Annotated[
        Path | None,
        typer.Option(
            help="Trust what these authorities (PEM) vouch for, by name.", metavar="FILE", rich_help_panel="Encryption"
        ),
    ] = None
    verify_system: Annotated[
        bool,
        typer.Option(
            "--verify-system",
            help="Trust what the system's authorities vouch for, by name.",
            rich_help_panel="Encryption",
        ),
    ] = False
    cert: ClientCertificate = None
    key: ClientKey = None

    @property
    def chooses_trust(self) -> bool:
        """Whether the user has said which servers to trust."""
        return bool(self.fingerprint or self.accept_new or self.ca or self.verify_system)

    def make_policy(
        self, *, wanted: bool, state_dir: Path | None, may_ask: bool, vouched: bool = False, web: bool = False
    ) -> "TlsPolicy | None":
        """Return the policy that the options describe; None without TLS.

        Args:
            wanted: Whether --tls or the target's scheme asks for TLS.
            state_dir: The argument for `sockctl.paths.find_state_dir`, the folder of trusted servers.
            may_ask: Whether the client may ask the user.
            vouched: Whether the system's authorities vouch where the user hasn't said which servers to trust.
            web: Whether the target is a WebSocket's.

        Raises:
            OptionError: The options contradict each other.
            FingerprintError: The fingerprint is none.
        """
        if not wanted:
            if self.chooses_trust or self.cert or self.key:
                raise OptionError("Options of TLS are given, and TLS is not: add --tls, or write tls://HOST:PORT.")
            return None
        refuse_lone_key(self.cert, self.key)
        authorities = self.ca is not None or self.verify_system
        if sum((self.fingerprint is not None, self.accept_new, authorities)) > 1:
            raise OptionError("--fingerprint, --accept-new and authorities exclude each other: leave all but one out.")
        from sockctl.client.trust import TlsPolicy
        from sockctl.net.fingerprints import parse_fingerprint
        from sockctl.net.tls_client import PLAIN_SCHEMES
        from sockctl.paths import find_state_dir

        return TlsPolicy(
            ca=self.ca,
            system_authorities=self.verify_system or (vouched and not self.chooses_trust),
            fingerprint=None if self.fingerprint is None else parse_fingerprint(self.fingerprint),
            accept_new=self.accept_new,
            certificate=self.cert,
            key=self.key,
            state_dir=find_state_dir(state_dir),
            may_ask=may_ask,
            vouched=vouched and not self.chooses_trust,
            plain_schemes=("ws",) if web else PLAIN_SCHEMES,
        )


@dataclass(kw_only=True, eq=False, repr=False)
class TlsOptions(TrustOptions, _TlsWish):  # in this order: the help shows the fields of the last class first
    """All options of a client, by the names that users write."""


def refuse_lone_key(cert: Path | None, key: Path | None) -> None:
    """Refuse a key without its certificate.

    Raises:
        OptionError: There is a key, and no certificate.
    """
    if key is not None and cert is None:
        raise OptionError("--key belongs to --cert: give both.")
