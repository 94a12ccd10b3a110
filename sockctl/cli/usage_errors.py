"""Formats Typer's usage errors as all errors: the usage line, then ``sockctl:``, the problem, and what to do."""

import re
from typing import Any

from sockctl.cli.commands import find_name, find_variable, obey_color, suggest, word_problem
from sockctl.terminal import format_error
from sockctl.text import is_whole_number, make_visible

_TOO_MANY = re.compile(r"Got unexpected extra argument\S* \((.*)\)")
"""What Typer says of words that a command doesn't take; the group holds them."""
_OVER_UDP = {
    "sockctl connect": " The scheme says so: sockctl connect udp://HOST:PORT.",
    "sockctl bench echo": " The scheme says so: sockctl bench echo udp://HOST:PORT.",
    "sockctl listen": " UDP is answered by 'sockctl serve echo --udp'.",
}
"""What takes the place of ``--udp``, by commands without that option."""
_NC_COMMANDS = frozenset({"sockctl", "sockctl connect", "sockctl listen"})
"""The commands that do what nc does."""
_NC_OPTIONS = {
    "-l": "'sockctl listen PORT' waits for a client.",
    "-k": "'sockctl listen PORT --keep-open' takes one client after another.",
    "-p": "The port stands without an option: 'sockctl listen 9090'. connect's own is --source ADDRESS:PORT.",
    "-u": "'sockctl connect udp://HOST:PORT' sends datagrams, 'sockctl serve echo --udp' answers them.",
    "-U": "A Unix socket is written unix:PATH in the place of host and port.",
    "-N": "Leave it out: the end of the input always half-closes the connection.",
    "-n": "Leave it out: names alone are looked up, addresses never are.",
    "--listen": "'sockctl listen PORT' waits for a client.",
    "--chat": "'sockctl serve chat' is a chat.",
    "--broker": "'sockctl listen PORT --many' takes several clients, 'sockctl serve chat' lets them hear each other.",
    **dict.fromkeys(
        ("-e", "-c", "--exec", "--sh-exec"), "'sockctl serve exec -- COMMAND' starts a program for each client."
    ),
}
"""What does the work of an option of nc or ncat, for a command without such an option."""


def describe_usage_error(error: Any) -> str:
    """Return the lines that tell the user of a usage error."""
    ctx = getattr(error, "ctx", None)
    if ctx is None:
        return format_error(make_visible(error.format_message()))
    obey_color(ctx)
    problem = format_error(f"{make_visible(_describe(error, ctx))} '{ctx.command_path} -h' explains it.")
    return f"{ctx.get_usage()}\n{problem}"


def _describe(error: Any, ctx: Any) -> str:
    if option := getattr(error, "option_name", ""):
        if hasattr(error, "possibilities"):
            return f"There is no option {option}.{_find_place(option, ctx) or suggest(option, _list_options(ctx))}"
        return word_problem(str(error.message))
    parameter = getattr(error, "param", None)
    if parameter is None:
        words = _TOO_MANY.fullmatch(str(error.message))
        return word_problem(str(error.message)) if words is None else _explain_words(words[1].split(), ctx)
    name = find_name(parameter) if parameter.param_type_name == "option" else parameter.human_readable_name
    if type(error).__name__ == "MissingParameter":
        return f"{name} is missing."
    return f"{name}{_find_source(parameter, ctx)}: {word_problem(str(error.message))}"


def _list_options(ctx: Any) -> list[str]:
    return [each for parameter in ctx.command.get_params(ctx) for each in parameter.opts if each.startswith("-")]


def _find_place(option: str, ctx: Any) -> str:
    """Return the sentence that tells where a command takes what servers or nc take by an option; else an empty text."""
    if ctx.command_path in _NC_COMMANDS and option in _NC_OPTIONS:
        return f" {_NC_OPTIONS[option]}"
    if option == "--udp":
        return _OVER_UDP.get(ctx.command_path, "")
    takes_port = any("PORT" in str(each.metavar) for each in ctx.command.params if each.param_type_name == "argument")
    if option in {"--host", "--port"} and takes_port:
        return f" Host and port stand without options: {ctx.command_path} HOST:PORT."
    return ""


def _explain_words(words: list[str], ctx: Any) -> str:
    """Return the sentence about words that a command doesn't take; for a server, they are where it shall listen."""
    problem = f"{' '.join(words)!r} is more than the command takes."
    host, _, port = ":".join(words).rpartition(":")
    if not is_whole_number(port) or "--port" not in _list_options(ctx):
        return problem
    place = f"--host {host} --port {port}" if host else f"--port {port}"
    return f"{problem} A server's port is an option: {ctx.command_path} {place}."


def _find_source(parameter: Any, ctx: Any) -> str:
    """Return the remark that an environment variable has set a parameter; empty if none has."""
    source = ctx.get_parameter_source(parameter.name)
    if source is None or source.name != "ENVIRONMENT":
        return ""
    return f" (set by {find_variable(parameter, ctx)})"
