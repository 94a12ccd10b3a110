"""Runs ``sockctl bench``: connects to a server once to check its certificate, measures it, and prints the result."""

import dataclasses
import secrets
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import typer

from sockctl.bench.coordinator import measure
from sockctl.bench.plan import Kind, Plan, Tls, Where
from sockctl.bench.report import make_comparison, report
from sockctl.cli.bench_datagrams import find_datagram_server
from sockctl.cli.bench_options import BenchOptions
from sockctl.cli.bench_output import format_comparison, format_report
from sockctl.cli.bench_progress import ProgressLine
from sockctl.cli.exit_codes import ExitCode
from sockctl.cli.look import Look
from sockctl.cli.prompts import may_ask
from sockctl.cli.tables import print_text
from sockctl.client.plaintext_guard import is_in_clear
from sockctl.errors import AddressError, InsecureError
from sockctl.events.base import Event
from sockctl.net.address import Endpoint, find_unix_address, is_unix, parse_targets
from sockctl.net.connector import Secure, connect
from sockctl.net.schemes import is_udp_address
from sockctl.net.transport import TlsTransport, Transport
from sockctl.os_limits import count_usable_cores
from sockctl.terminal import STDERR, is_terminal, say_error

if TYPE_CHECKING:
    from sockctl.client.trust import TlsPolicy

_SCHEMES = {Kind.ECHO: ("tcp", "tls"), Kind.CHAT: ("sockctl", "sockctls"), Kind.LOGIN: ("sockctl", "sockctls")}
_MOST_PROCESSES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The measurement that the user asks for.

    Attributes:
        kind: What the clients do.
        options: The options that all kinds share.
        size_bytes: Bytes of a message.
        depth: Messages of a client in flight.
        rate: Messages per second, on a clock; None for a closed loop.
        processes: How many processes; None to choose the number.
        senders: How many members of a chat speak.
        user: The name of the user that logs in.
        password: The user's password.
        insecure: Whether the password may go in clear.
    """

    kind: Kind
    options: BenchOptions
    size_bytes: int = 64
    depth: int = 1
    rate: float | None = None
    processes: int | None = None
    senders: int = 1
    user: str = ""
    password: str = field(default="", repr=False)
    insecure: bool = False

    def plan(self, servers: Sequence[Where]) -> Plan:
        """Return the plan for servers that are one chat, or for one server."""
        return Plan(
            kind=self.kind,
            servers=tuple(servers),
            run="",
            clients=self.options.clients,
            duration_s=self.options.seconds,
            count=self.options.count,
            size_bytes=self.size_bytes,
            depth=self.depth,
            rate=self.rate,
            warm_up_s=self.options.warm_up_s,
            timeout_s=self.options.find_timeout_s(udp=servers[0].udp),
            senders=self.senders,
            user=self.user,
            password=self.password,
            progress=is_terminal(STDERR),
        )

    @property
    def chosen_processes(self) -> int:
        """The number of processes: for echo one a processor, but no more than clients; for other kinds one."""
        most = self.options.clients if self.options.count is None else min(self.options.clients, self.options.count)
        if self.processes is not None:
            return min(self.processes, most)
        return min(count_usable_cores(), _MOST_PROCESSES, most) if self.kind is Kind.ECHO else 1


def run_bench(target: str, port: str | None, wanted: Wanted) -> ExitCode:
    """Measure, print, and return the exit code.

    Args:
        target: The server, as the user named it.
        port: Its port, where the user gave it apart.
        wanted: The measurement.

    Raises:
        SockctlError: The server can't be reached or trusted, or the measurement failed.
    """
    other = wanted.options.compare
    targets = [(target, port), *([] if other is None else [(other, None)])]
    plans = [wanted.plan(servers) for servers in _find_servers(targets, wanted)]
    try:
        if len(plans) == 1:
            result = _measure_once(plans[0], wanted, "")
        else:
            rounds, interrupted = _measure_rounds(plans[0], plans[1], wanted)
            if not rounds:
                say_error("The comparison was interrupted in its first round: there is nothing to compare.")
                return ExitCode.INTERRUPTED
            result = make_comparison(rounds, interrupted=interrupted)
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED  # a second time, or before there was anything to print
    _print(result, json=wanted.options.json)
    if result["interrupted"]:
        return ExitCode.INTERRUPTED
    return ExitCode.DONE if result["ok"] else ExitCode.FAILED


def _print(result: dict[str, Any], *, json: bool) -> None:
    if json:
        from json import dumps

        typer.echo(dumps(result, ensure_ascii=False))
        return
    look = Look.of_output()
    for line in format_comparison(result, look) if "compare" in result else format_report(result, look):
        print_text(line)


def _measure_rounds(
    first: Plan, second: Plan, wanted: Wanted
) -> tuple[list[tuple[dict[str, Any], dict[str, Any]]], bool]:
    """Measure both servers in each round, beginning with the other one each time.

    Returns:
        The complete rounds, and whether the user interrupted the others.
    """
    done: list[tuple[dict[str, Any], dict[str, Any]]] = []
    count = wanted.options.rounds
    for number in range(count):
        reports: list[dict[str, Any]] = []
        for plan in (second, first) if number % 2 else (first, second):
            try:
                reports.append(_measure_once(plan, wanted, f"round {number + 1} of {count}, "))
            except KeyboardInterrupt:
                return done, True
            if reports[-1]["interrupted"]:
                return done, True
        one, other = reversed(reports) if number % 2 else reports
        done.append((one, other))
    return done, False


def _measure_once(plan: Plan, wanted: Wanted, label: str) -> dict[str, Any]:
    plan = dataclasses.replace(plan, run=secrets.token_hex(3))
    line = ProgressLine(plan, label) if plan.progress else None
    try:
        outcome = measure(plan.divide(wanted.chosen_processes), None if line is None else line.show)
    finally:
        if line is not None:
            line.clear()
    return report(plan, outcome, cores=count_usable_cores())


def _find_servers(targets: Sequence[tuple[str, str | None]], wanted: Wanted) -> list[list[Where]]:
    """Return the servers of each target.

    Connects to each server once, as ``connect`` does, to find an address that answers, and to check the certificate.
    """
    options = wanted.options
    if any(is_udp_address(target) for target, _ in targets):
        return [
            [find_datagram_server(target, port, wanted.kind, wanted.size_bytes, options)]
            if is_udp_address(target)
            else _find_servers([(target, port)], wanted)[0]
            for target, port in targets
        ]
    groups = [_parse_servers(target, port, wanted) for target, port in targets]
    policy = options.tls_options.make_policy(
        wanted=any(encrypted for group in groups for _, encrypted in group),
        state_dir=options.state_dir,
        may_ask=may_ask(no_input=options.no_input),
    )
    return [
        [_find_server(endpoint, wanted, policy if encrypted else None) for endpoint, encrypted in group]
        for group in groups
    ]


def _parse_servers(target: str, port: str | None, wanted: Wanted) -> list[tuple[Endpoint, bool]]:
    """Return the servers that a target names, and whether TLS is spoken with each.

    Raises:
        AddressError: One of them is incomplete or of another kind; or there are several that can't be one chat.
    """
    plain, secure = _SCHEMES[wanted.kind]
    servers: list[tuple[Endpoint, bool]] = []
    for one in parse_targets(target, port):
        if one.host is None or one.port is None:
            raise AddressError(f"{target!r} is not complete: write HOST:PORT, such as localhost:9090.")
        if one.scheme not in {None, plain, secure}:
            raise AddressError(f"{target!r}: bench {wanted.kind} is for {plain}:// and {secure}:// only.")
        encrypted = one.scheme == secure or (wanted.options.tls_options.tls and one.scheme is None)
        servers.append((Endpoint(one.host, one.port), encrypted))
    if len(servers) > 1 and wanted.kind is not Kind.CHAT:
        raise AddressError(f"{target!r} names several servers: only bench {Kind.CHAT} takes them, as one chat.")
    return servers


def _find_server(endpoint: Endpoint, wanted: Wanted, policy: "TlsPolicy | None") -> Where:
    """Connect to a server, and return the place of the connection."""
    places: list[tuple[int, Any]] = []
    secure: Secure | None = None
    if policy is not None:
        from sockctl.client.trust import Trust

        trust = Trust(endpoint, policy, _ignore)

        def secure(sock: socket.socket, timeout_s: float) -> Transport:
            places.append(_find_place(sock, endpoint))
            return trust.secure(sock, timeout_s)

    with connect(endpoint, tell=_ignore, timeout_s=wanted.options.find_timeout_s(), secure=secure) as sock:
        if isinstance(sock, socket.socket):
            places.append(_find_place(sock, endpoint))
        if wanted.kind is Kind.LOGIN and not wanted.insecure and is_in_clear(sock):
            raise InsecureError(
                f"The password was not sent: the connection to {endpoint} is not encrypted, and anybody on the way "
                f"could read it. If the server speaks TLS, write sockctls://{endpoint}; --insecure sends it in clear."
            )
        tls = _describe_tls(endpoint, policy, sock)
    family, address = places[-1]
    return Where(name=str(endpoint), family=family, address=address, tls=tls)


def _find_place(sock: socket.socket, endpoint: Endpoint) -> tuple[int, Any]:
    """Return the family and the address that a connection has reached."""
    if is_unix(endpoint.host):
        return sock.family, (find_unix_address(endpoint.host),)
    return sock.family, sock.getpeername()


def _describe_tls(endpoint: Endpoint, policy: "TlsPolicy | None", sock: Transport) -> Tls | None:
    """Return the TLS of the clients, with the certificate of the trusted connection; None without TLS."""
    if policy is None or not isinstance(sock, TlsTransport):
        return None
    from sockctl.net.fingerprints import compute_fingerprint

    vouched = policy.ca is not None or policy.system_authorities
    return Tls(
        server_name="localhost" if is_unix(endpoint.host) else endpoint.host,
        fingerprint="" if vouched else compute_fingerprint(sock.get_certificate()),
        ca="" if policy.ca is None else str(policy.ca),
        system_authorities=policy.system_authorities,
        certificate="" if policy.certificate is None else str(policy.certificate),
        key="" if policy.key is None else str(policy.key),
    )


def _ignore(_: Event) -> None:
    """Drop an event: only the result counts."""
