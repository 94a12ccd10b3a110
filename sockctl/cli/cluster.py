"""``sockctl cluster …``: the engine behind a chat on several machines."""

from typing import TYPE_CHECKING

import typer

from sockctl.cli import options
from sockctl.cli.commands import declare_group
from sockctl.cli.engine_options import EngineOptions, Url, open_engine, with_engine_options
from sockctl.cli.exit_codes import ExitCode, explain_exit_codes
from sockctl.cli.tables import print_json, print_sentences, print_text
from sockctl.palette import Style, paint
from sockctl.terminal import STDOUT, is_terminal, measure_columns, wants_colour
from sockctl.text import format_count, make_visible
from sockctl.wrapping import wrap_lines

if TYPE_CHECKING:
    from sockctl.cluster.engine_access import EngineAccess
    from sockctl.cluster.engine_findings import Finding, Report

_EXAMPLES = """Examples:
  sockctl cluster check redis://localhost:6379
  sockctl cluster check rediss://engine.example --ca ca.pem --login-file login.txt"""
_WRONG = {ExitCode.FAILED: "failed, or the engine can't be used as it is", ExitCode.BROKEN: "something else answers"}

app = declare_group(
    "Check the engine of a chat on several machines: Redis 7.0 or newer, or Valkey.",
    "Example:\n  sockctl cluster check redis://localhost:6379",
)


@app.callback()
def _cluster() -> None:
    """Let Typer make a group of a single command."""


@app.command(
    epilog=f"{_EXAMPLES}\n\n"
    + explain_exit_codes(ExitCode.UNREACHABLE, ExitCode.NOT_LET_IN, ExitCode.TIMED_OUT, meanings=_WRONG)
)
@with_engine_options
def check(url: Url, *, json: options.Json = False, engine: EngineOptions) -> None:
    """Say what is wrong with an engine's settings, each with the line that mends it. Change nothing there.

    User and password come from --login-file, or from SOCKCTL_ENGINE_USER and SOCKCTL_ENGINE_PASSWORD.
    """
    from sockctl.cluster.engine_check import check_engine

    access = engine.make_access(url)
    client = open_engine(access)
    try:
        report = check_engine(client, access)
    finally:
        client.close()
    if json:
        findings = [one.as_fields for one in report.findings]
        print_json({"url": str(access), "engine": report.engine, "usable": report.is_usable, "findings": findings})
    else:
        _print(report, access)
    if not report.is_usable:
        raise typer.Exit(ExitCode.FAILED)


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
