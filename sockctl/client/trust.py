"""Trust in a server: by authorities, a given fingerprint, or the certificate that the client saw first, as ssh does.

Nothing of the application's is sent before this is settled: the handshake is done, then the certificate is compared,
and only then does the session begin.
"""

import hmac
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sockctl.client.known_hosts import KnownHosts
from sockctl.errors import UnknownCertificateError, UntrustedError
from sockctl.events.base import Event
from sockctl.events.client_tls import HostTrusted, TlsEstablished
from sockctl.net.address import Endpoint
from sockctl.net.fingerprints import compute_fingerprint
from sockctl.net.tls import TlsSocket
from sockctl.net.tls_client import PLAIN_SCHEMES, make_client_context, shake_hands
from sockctl.net.wait import Wait, wait_for
from sockctl.terminal import discard_typed, read_line, say
from sockctl.text import make_visible


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsPolicy:
    """The user's options for TLS.

    Attributes:
        ca: Authorities that vouch for the server (PEM), or None.
        system_authorities: Whether the system's do.
        fingerprint: The only certificate to be trusted, as `parse_fingerprint` returns it, or None.
        accept_new: Whether an unknown server is trusted without a question.
        certificate: This side's own certificate (PEM), or None.
        key: Its key (PEM), or None.
        state_dir: Where known servers are kept.
        may_ask: Whether a person at a terminal may be asked.
        vouched: Whether the system's authorities vouch since the server has a public name, and not by an option.
        plain_schemes: The schemes that do without TLS, for advice.
    """

    ca: Path | None
    system_authorities: bool
    fingerprint: str | None
    accept_new: bool
    certificate: Path | None
    key: Path | None
    state_dir: Path
    may_ask: bool
    vouched: bool = False
    plain_schemes: Sequence[str] = PLAIN_SCHEMES


class Trust:
    """Makes TLS of a connected socket, and decides whether to trust its server.

    Args:
        endpoint: The server, as the user has named it.
        policy: The user's options.
        emit: Emits an event.

    Raises:
        CertificateError: A file can't be used.
    """

    def __init__(self, endpoint: Endpoint, policy: TlsPolicy, emit: Callable[[Event], None]) -> None:
        self._endpoint = endpoint
        self._policy = policy
        self._emit = emit
        self._vouched = policy.ca is not None or policy.system_authorities
        self._context = make_client_context(
            ca=policy.ca,
            system_authorities=policy.system_authorities,
            certificate=policy.certificate,
            key=policy.key,
        )

    def secure(self, sock: socket.socket, timeout_s: float, wait: Wait = wait_for) -> TlsSocket:
        """Shake hands within `timeout_s` seconds, and compare the certificate; close the socket on errors.

        Args:
            sock: The connected socket.
            timeout_s: As above.
            wait: Waits for the server; errors of its own pass.

        Raises:
            UntrustedError: The server is not to be trusted; nothing was sent to it.
            TlsError: The two sides don't come to speak TLS.
            ConnectTimeoutError: The handshake was not done in time.
            StoreError: The file of known servers can't be read or written.
        """
        tls = self._shake_hands(sock, timeout_s, wait)
        try:
            fingerprint = compute_fingerprint(tls.get_certificate())
            self._check(fingerprint)
            version, cipher = tls.describe()
            self._emit(TlsEstablished(version=version, cipher=cipher, fingerprint=fingerprint))
        except BaseException:
            tls.close()
            raise
        return tls

    def _shake_hands(self, sock: socket.socket, timeout_s: float, wait: Wait) -> TlsSocket:
        plain = self._policy.plain_schemes
        try:
            return shake_hands(sock, self._context, self._endpoint, timeout_s, plain_schemes=plain, wait=wait)
        except UntrustedError as error:
            if not self._policy.vouched:
                raise
            raise UntrustedError(
                f"{error} The system's authorities must vouch for a public name. If the server has a certificate of "
                f"its own, give --fingerprint with what it has told at its start, or --ca."
            ) from error

    def _check(self, fingerprint: str) -> None:
        given = self._policy.fingerprint
        if given is not None:
            if not hmac.compare_digest(given, fingerprint):
                raise UntrustedError(
                    f"The certificate of {self._endpoint} is another one than --fingerprint says. It has\n"
                    f"  SHA256 {fingerprint}\nand --fingerprint says\n  SHA256 {given}\nNothing was sent to it."
                )
        elif not self._vouched:
            self._check_known(fingerprint)

    def _check_known(self, fingerprint: str) -> None:
        endpoint, hosts = self._endpoint, KnownHosts(self._policy.state_dir)
        known = hosts.find(endpoint.host, endpoint.port)
        if known is None:
            self._accept(fingerprint)
            hosts.trust(endpoint.host, endpoint.port, fingerprint)
            self._emit(HostTrusted(host=str(endpoint), fingerprint=fingerprint, asked=not self._policy.accept_new))
        elif not hmac.compare_digest(known, fingerprint):
            raise UntrustedError(
                f"The certificate of {endpoint} has CHANGED: somebody may be in between, or the server has a new one. "
                f"It has\n  SHA256 {fingerprint}\nand was known by\n  SHA256 {known}\nNothing was sent to it. If the "
                f"change is right, forget the old one: sockctl hosts remove {endpoint}"
            )

    def _accept(self, fingerprint: str) -> None:
        """Check whether an unknown server is to be trusted."""
        if self._policy.accept_new:
            return
        if not self._policy.may_ask:
            raise UnknownCertificateError(
                f"{self._endpoint} is not known yet. Its certificate has\n  SHA256 {fingerprint}\nCompare that with "
                f"what the server has told at its start, then write --fingerprint with it, or --accept-new, or "
                f"'sockctl hosts add {self._endpoint} {fingerprint}'. Nothing was sent to it."
            )
        say(f"{make_visible(str(self._endpoint))} is not known yet. Its certificate has\n  SHA256 {fingerprint}")
        say("Compare that with what the server has told at its start.")
        discard_typed()  # it was typed before the fingerprint could be seen
        while True:
            say("Trust it from now on? [yes/no]: ", end="")
            answer = read_line()
            if answer is None or answer.strip().lower() in {"no", "n"}:
                raise UntrustedError(f"{self._endpoint} is not trusted. Nothing was sent to it.")
            if answer.strip().lower() in {"yes", "y"}:
                return
            say("Please type yes or no.")
