"""Usage errors in the form of all errors: the usage line, then ``sockctl: `` and what is wrong, and what to do."""

from typing import Any

from sockctl.cli.commands import find_name, find_variable, obey_color, suggest, word_problem
from sockctl.terminal import format_error
from sockctl.text import visible


def describe_usage_error(error: Any) -> str:
    """Return the lines that tell a user of a usage error that Typer found."""
    ctx = getattr(error, "ctx", None)
    if ctx is None:
        return format_error(visible(error.format_message()))
    obey_color(ctx)
    problem = format_error(f"{visible(_describe(error, ctx))} '{ctx.command_path} -h' explains it.")
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
    """Return which environment variable has set a parameter, if one has."""
    source = ctx.get_parameter_source(parameter.name)
    if source is None or source.name != "ENVIRONMENT":
        return ""
    return f" (set by {find_variable(parameter, ctx)})"
