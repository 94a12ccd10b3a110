"""Formats Typer's usage errors as all errors: the usage line, then ``sockctl:``, the problem, and what to do."""

from typing import Any

from sockctl.cli.commands import find_name, find_variable, obey_color, suggest, word_problem
from sockctl.terminal import format_error
from sockctl.text import make_visible


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
