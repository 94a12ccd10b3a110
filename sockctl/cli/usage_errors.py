"""Formats Typer's usage errors as all errors: the usage line, then ``sockctl:``, the problem, and what to do."""

from typing import Any

from sockctl.cli.commands import find_name, find_variable, obey_color, suggest, word_problem
from sockctl.terminal import format_error
from sockctl.text import make_visible

_NC_COMMANDS = frozenset({"sockctl", "sockctl connect", "sockctl listen"})
"""The commands that do what nc does."""
_NC_OPTIONS = {
    "-l": "'sockctl listen PORT' waits for a client.",
    "-k": "'sockctl listen PORT --keep-open' takes one client after another.",
    "-p": "The port stands without an option: 'sockctl listen 9090'. connect's own is --source ADDRESS:PORT.",
    "-u": "'sockctl connect udp://HOST:PORT' sends datagrams, 'sockctl serve echo --udp' answers them.",
    "-e": "'sockctl serve exec -- COMMAND' starts a program for each client.",
}
"""What does the work of an option of nc, for a command without such an option."""


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
            if ctx.command_path in _NC_COMMANDS and option in _NC_OPTIONS:
                return f"There is no option {option}. {_NC_OPTIONS[option]}"
            known = [each for parameter in ctx.command.get_params(ctx) for each in parameter.opts]
            return f"There is no option {option}.{suggest(option, known)}"
        return word_problem(str(error.message))
    parameter = getattr(error, "param", None)
    if parameter is None:
        return word_problem(str(error.message))
    name = find_name(parameter) if parameter.param_type_name == "option" else parameter.human_readable_name
    if type(error).__name__ == "MissingParameter":
        return f"{name} is missing."
    return f"{name}{_find_source(parameter, ctx)}: {word_problem(str(error.message))}"


def _find_source(parameter: Any, ctx: Any) -> str:
    """Return the remark that an environment variable has set a parameter; empty if none has."""
    source = ctx.get_parameter_source(parameter.name)
    if source is None or source.name != "ENVIRONMENT":
        return ""
    return f" (set by {find_variable(parameter, ctx)})"
