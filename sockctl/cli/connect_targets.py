"""The servers that a user of ``connect`` names, completed by questions where something is missing."""

from typing import TYPE_CHECKING

from sockctl.cli.prompts import DEFAULT_HOST, ask, ask_target, may_ask
from sockctl.errors import InputNeededError

if TYPE_CHECKING:
    from sockctl.net.address import Endpoint, Target


def find_targets(target: str | None, port: str | None, *, no_input: bool) -> "tuple[list[Endpoint], Target]":
    """Return the servers and the first target, after asking for what is missing."""
    from sockctl.net.address import Endpoint, is_unix, parse_host, parse_port, parse_target

    asks = may_ask(no_input=no_input)
    wanted = [parse_target(None, port)] if target is None else parse_any_targets(target, port)
    if target is None and asks:
        wanted = [ask_target()]
    endpoints: list[Endpoint] = []
    for each in wanted:
        host, number = each.host, each.port
        if asks and not (host is not None and is_unix(host)):
            host = host or ask("Host", DEFAULT_HOST, parse_host)
            number = number or ask("Port" if len(wanted) == 1 else f"Port of {host}", "9090", parse_port)
        if host is None or number is None:
            raise _make_missing_error(host, number)
        if (endpoint := Endpoint(host, number)) not in endpoints:
            endpoints.append(endpoint)
    return endpoints, wanted[0]


def parse_any_targets(text: str, port: str | None = None) -> "list[Target]":
    """Return the targets that a text names, or the one WebSocket; raise an AddressError where it names none."""
    from sockctl.net.address import parse_targets
    from sockctl.net.schemes import is_udp_address, is_web_address

    if is_udp_address(text):
        from sockctl.net.udp.target import parse_udp_target

        return [parse_udp_target(text, port)]
    if not is_web_address(text):
        return parse_targets(text, port)
    from sockctl.net.web.url import parse_web_target

    return [parse_web_target(text, port)]


def _make_missing_error(host: str | None, number: int | None) -> InputNeededError:
    missing = "HOST and PORT are" if host is None and number is None else "HOST is" if host is None else "PORT is"
    hint = f" An IPv6 address with a port is written [{host}]:PORT." if host is not None and ":" in host else ""
    return InputNeededError(f"{missing} missing and can't be asked for here: write sockctl connect HOST PORT.{hint}")
