"""``sockctl cluster …``: the engine behind a chat on several machines."""

from typing import TYPE_CHECKING

import typer

from sockctl.cli import options
from sockctl.cli.commands import declare_group
from sockctl.cli.engine_options import EngineOptions, Url, ask_in_time, needing_redis, with_engine_options
from sockctl.cli.exit_codes import ExitCode, explain_exit_codes
from sockctl.cli.tables import print_json, print_sentences, print_text
from sockctl.palette import Style, paint
from sockctl.terminal import STDOUT, is_terminal, measure_columns, wants_colour
from sockctl.text import format_count, make_visible
from sockctl.wrapping import wrap_lines

if TYPE_CHECKING:
    from sockctl.cluster.engine import Engine
    from sockctl.cluster.engine_access import EngineAccess
    from sockctl.cluster.engine_findings import Finding, Report
    from sockctl.cluster.engine_status import Status

_EXAMPLES = """Examples:
  sockctl cluster check redis://localhost:6379
  sockctl cluster check rediss://engine.example --engine-ca ca.pem --engine-login-file login.txt"""
_NO_CHAT = {ExitCode.FAILED: "failed, or there is no chat", ExitCode.BROKEN: "something else answers"}
_WRONG = {ExitCode.FAILED: "failed, or the engine can't be used as it is", ExitCode.BROKEN: "something else answers"}

_STATUS_EXAMPLES = """Examples:
  sockctl cluster status redis://localhost:6379
  sockctl cluster status redis+sentinel://one.example,two.example/chat --json"""

app = declare_group(
    "See and check the engine of a chat on several machines: Redis 7.0 or newer, or Valkey.",
    "Examples:\n  sockctl cluster check redis://localhost:6379\n  sockctl cluster status redis://localhost:6379",
)


@app.command(
    epilog=f"{_EXAMPLES}\n\n"
    + explain_exit_codes(ExitCode.UNREACHABLE, ExitCode.NOT_LET_IN, ExitCode.TIMED_OUT, meanings=_WRONG)
)
@with_engine_options
def check(url: Url, *, json: options.Json = False, engine: EngineOptions) -> None:
    """Say what is wrong with an engine's settings, each with the line that mends it. Change nothing there.

    User and password come from --engine-login-file, or from SOCKCTL_ENGINE_USER and SOCKCTL_ENGINE_PASSWORD.
    """
    from sockctl.cluster.engine_check import check_engine

    access = engine.make_access(url)

    def ask(client: "Engine") -> "tuple[EngineAccess, Report]":
        place = client.find_place()
        return place, check_engine(client, place)

    place, report = ask_in_time(access, ask)
    if json:
        findings = [one.as_fields for one in report.findings]
        print_json({"url": str(place), "engine": report.engine, "usable": report.is_usable, "findings": findings})
    else:
        _print(report, place)
    if not report.is_usable:
        raise typer.Exit(ExitCode.FAILED)


@app.command(
    epilog=f"{_STATUS_EXAMPLES}\n\n"
    + explain_exit_codes(ExitCode.UNREACHABLE, ExitCode.NOT_LET_IN, ExitCode.TIMED_OUT, meanings=_NO_CHAT)
)
@with_engine_options
def status(url: Url, *, json: options.Json = False, engine: EngineOptions) -> None:
    """Show what an engine knows of its chat: the nodes, the log, memory and disk.

    Columns: the node; what is left of its lease, after which the others count it as gone; its members; what its reader
    had not read, and what waited to be posted, at its last beat; when it began (UTC).
    """
    from sockctl.cli.cluster_status import make_fields, print_status

    with needing_redis():
        from sockctl.cluster.engine_status import read_status

    access = engine.make_access(url)

    def ask(client: "Engine") -> "tuple[EngineAccess, Status]":
        place = client.find_place()
        return place, read_status(client, access)

    place, found = ask_in_time(access, ask)
    if json:
        print_json(make_fields(found, place))
    else:
        print_status(found, place)


def _print(report: "Report", access: "EngineAccess") -> None:
    """Print a report for a person. The lines to copy are never wrapped."""
    from sockctl.cluster.engine_findings import Level

    counts = [format_count(count, level.value) for level in Level if (count := report.count(level))]
    result = f"{access} is {report.engine or 'an engine'}"
    if not counts:
        print_sentences(f"{result}, and right for a chat on several machines.")
        return
    print_sentences(f"{result}: {', '.join(counts)}.")
    for one in report.findings:
        _print_finding(one)
    if any(word in one.fix for one in report.findings for word in (" SET ", " SETUSER ")):
        print_text("")
        print_sentences("The engine forgets these changes when it restarts, unless it rewrites its configuration:")
        print_text(f"    {access.write_command('CONFIG', 'REWRITE')}")


def _print_finding(one: "Finding") -> None:
    style = {"error": Style.ERROR, "warning": Style.WARNING}.get(one.level.value, Style.FAINT)
    level = paint(one.level.value, style) if wants_colour(STDOUT) else one.level.value
    text = f"{level}: {make_visible(one.text)}"
    print_text("")
    print_text(wrap_lines(text, measure_columns(STDOUT)) if is_terminal(STDOUT) else text)
    print_text(f"    {make_visible(one.fix)}")
