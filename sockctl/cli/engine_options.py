"""The options of commands that use an engine, and where user and password come from: never from an argument."""

import dataclasses
import functools
import os
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from sockctl.cli.extras import needing
from sockctl.cli.options import Seconds, declare_time, with_option_group
from sockctl.errors import AddressError, EngineTimeoutError, OptionError
from sockctl.text import is_whole_number

if TYPE_CHECKING:
    from sockctl.cluster.engine import Engine
    from sockctl.cluster.engine_access import EngineAccess, EngineLogin, Place

DEFAULT_TIMEOUT_S = 5
SCHEMES = ("redis", "rediss", "redis+sentinel", "rediss+sentinel")
USER, PASSWORD = "SOCKCTL_ENGINE_USER", "SOCKCTL_ENGINE_PASSWORD"
_LAST_DATABASE = 65_535
_Made = TypeVar("_Made")
_PANEL = "Several machines"

Url = Annotated[
    str,
    typer.Argument(
        metavar="URL",
        help="The engine: redis://HOST:PORT, or rediss:// for TLS. By Sentinels: redis+sentinel://HOST,HOST/NAME. "
        "/N at the end chooses a database.",
        show_default=False,
    ),
]


@dataclasses.dataclass(kw_only=True, eq=False, repr=False)  # as `ServerOptions`
class EngineOptions:
    """The options, by the names that users write."""

    engine_login_file: Annotated[
        Path | None,
        typer.Option(
            help="Take USER:PASSWORD from the first line of this file, which only you may read (mode 0600 or 0400).",
            envvar="SOCKCTL_ENGINE_LOGIN_FILE",
            metavar="FILE",
            rich_help_panel=_PANEL,
        ),
    ] = None
    engine_ca: Annotated[
        Path | None,
        typer.Option(
            help="Trust what these authorities (PEM) vouch for. [default: the system's]",
            envvar="SOCKCTL_ENGINE_CA",
            metavar="FILE",
            show_default=False,
            rich_help_panel=_PANEL,
        ),
    ] = None
    engine_cert: Annotated[
        Path | None,
        typer.Option(
            help="Show the engine this certificate (PEM) if it asks for one.",
            envvar="SOCKCTL_ENGINE_CERT",
            metavar="FILE",
            rich_help_panel=_PANEL,
        ),
    ] = None
    engine_key: Annotated[
        Path | None,
        typer.Option(
            help="The key (PEM) of --engine-cert.",
            envvar="SOCKCTL_ENGINE_KEY",
            metavar="FILE",
            rich_help_panel=_PANEL,
        ),
    ] = None
    engine_timeout: Annotated[
        float, declare_time("How long the engine may take to answer.", at_least=0.1, panel=_PANEL)
    ] = Seconds(DEFAULT_TIMEOUT_S)

    def make_access(self, url: str) -> "EngineAccess":
        """Return the way to the engine that a URL names.

        Raises:
            AddressError: The URL names no engine.
            OptionError: Options contradict each other, or the URL.
            SecretFileError: The file with the login can't be used.
        """
        access = parse_url(url)
        given = {"--engine-ca": self.engine_ca, "--engine-cert": self.engine_cert, "--engine-key": self.engine_key}
        if not access.tls and (names := [name for name, file in given.items() if file is not None]):
            raise OptionError(f"{names[0]} is for TLS, which rediss:// asks for: {access} goes without.")
        if self.engine_key is not None and self.engine_cert is None:
            raise OptionError("--engine-key is the key of --engine-cert: give both, or none.")
        return dataclasses.replace(
            access,
            login=read_login(self.engine_login_file),
            ca=self.engine_ca,
            certificate=self.engine_cert,
            key=self.engine_key,
            timeout_s=self.engine_timeout,
        )

    def refuse_without_engine(self, missing: str) -> None:
        """Refuse these options where the user names no engine.

        Args:
            missing: The option that names an engine.

        Raises:
            OptionError: One of them is given.
        """
        timeout_s = None if self.engine_timeout == DEFAULT_TIMEOUT_S else self.engine_timeout
        given = {
            "--engine-login-file": self.engine_login_file,
            "--engine-ca": self.engine_ca,
            "--engine-cert": self.engine_cert,
            "--engine-key": self.engine_key,
            "--engine-timeout": timeout_s,
        }
        for name, value in given.items():
            if is_given(name, value):
                raise OptionError(f"{name} is about an engine, and none is named: add {missing} URL.")


def is_given(option: str, value: object) -> bool:
    """Return whether the user gives an option to this command: a variable of all commands may be there for others."""
    variable = f"SOCKCTL_{option.removeprefix('--').replace('-', '_').upper()}"
    return value is not None and os.environ.get(variable) != str(value)


with_engine_options = functools.partial(with_option_group, name="engine", group=EngineOptions)


def parse_url(url: str) -> "EngineAccess":
    """Return the way that a URL names. No error repeats a secret in it.

    Raises:
        AddressError: It names no engine.
        OptionError: It holds a user, a password or settings.
    """
    from sockctl.cluster.engine_access import SENTINEL_PORT, USUAL_PORT, EngineAccess

    if "@" in url or "?" in url:
        raise OptionError(
            f"The URL of an engine holds no user, password or setting: other users of this machine see it. Give "
            f"--engine-login-file FILE, or {USER} and {PASSWORD}. Change a password that you have typed there."
        )
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in SCHEMES:
        raise AddressError(f"{url!r} names no engine: write redis://HOST:PORT, or rediss://HOST:PORT for TLS.")
    tls = scheme.startswith("rediss")
    places, _, rest = rest.partition("/")
    if not scheme.endswith("+sentinel"):
        place = _parse_place(url, places, USUAL_PORT)
        return EngineAccess(host=place.host, port=place.port, database=_parse_database(url, rest), tls=tls)
    group, _, number = rest.partition("/")
    if not group:
        raise AddressError(
            f"{url!r} has no name of the engine: write {scheme}://HOST:PORT,HOST:PORT/NAME, with the name behind "
            f"'sentinel monitor' in the Sentinels' configuration."
        )
    sentinels = tuple(_parse_place(url, place, SENTINEL_PORT) for place in places.split(","))
    return EngineAccess(sentinels=sentinels, group=group, database=_parse_database(url, number), tls=tls)


def _parse_place(url: str, text: str, usual_port: int) -> "Place":
    from sockctl.cluster.engine_access import Place
    from sockctl.net.address import parse_target

    target = parse_target(text)
    if target.host is None or not text:
        raise AddressError(f"{url!r} has no host: write redis://HOST:PORT, such as redis://localhost:6379.")
    return Place(target.host, usual_port if target.port is None else target.port)


def _parse_database(url: str, text: str) -> int:
    if text and not (is_whole_number(text) and int(text) <= _LAST_DATABASE):
        raise AddressError(f"{url!r} ends with no number of a database: write /0 there, or leave it out.")
    return int(text or 0)


def read_login(file: Path | None) -> "EngineLogin | None":
    """Return the login of a file, else of the environment; None for none. Remove it from the environment.

    Raises:
        OptionError: There are two, or only a user.
        SecretFileError: The file can't be read, or other users may read or write it.
    """
    from sockctl.cli.passwords import read_secret_file
    from sockctl.cluster.engine_access import EngineLogin

    user, password = (os.environ.pop(name, "") for name in (USER, PASSWORD))
    if file is None:
        if user and not password:
            raise OptionError(f"{USER} is set, and {PASSWORD} is not: set both, or give --engine-login-file FILE.")
        return EngineLogin(user=user or "default", password=password) if password else None
    if user or password:
        raise OptionError(
            f"--engine-login-file and {PASSWORD if password else USER} contradict each other: give one of them."
        )
    user, colon, password = read_secret_file(file, "login").partition(":")
    if not colon or not password:
        raise OptionError(f"The login file {file} has no USER:PASSWORD in its first line. The first user is default.")
    return EngineLogin(user=user or "default", password=password)


def open_engine(access: "EngineAccess") -> "Engine":
    """Return the client of an engine, which connects at its first request.

    Raises:
        LibraryMissingError: redis-py isn't installed.
        CertificateError: A file of the certificates can't be used.
    """
    with needing_redis():
        from sockctl.cluster.engine import Engine
    return Engine(access)


def needing_redis() -> AbstractContextManager[None]:
    """Explain where the block imports redis-py with hiredis, and they aren't installed.

    Raises:
        LibraryMissingError: One of them isn't installed.
    """
    return needing("cluster", "redis://")


def ask_in_time(access: "EngineAccess", ask: Callable[["Engine"], _Made]) -> _Made:
    """Return what `ask` makes of an engine's answers; all of them have twice the time of one.

    An engine that sends a byte now and then never exceeds the time of an answer; a thread of its own waits for it.

    Raises:
        LibraryMissingError: redis-py isn't installed.
        CertificateError: A file of the certificates can't be used.
        EngineError: The engine can't be asked, or not in time.
    """
    from concurrent.futures import Future

    engine = open_engine(access)
    made: Future[_Made] = Future()
    limit_s = 2 * access.timeout_s

    def work() -> None:
        try:
            made.set_result(ask(engine))
        except Exception as error:  # noqa: BLE001 - the caller raises it again
            made.set_exception(error)
        finally:
            engine.close()

    threading.Thread(target=work, name="sockctl-engine", daemon=True).start()
    try:
        return made.result(limit_s)
    except TimeoutError:
        raise EngineTimeoutError(
            f"{access} did not answer all within {limit_s:g} s: --engine-timeout gives it more time."
        ) from None
