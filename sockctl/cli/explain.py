"""``sockctl explain``: topics of networking, shown live on real sockets."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from sockctl.cli.commands import declare_command, suggest
from sockctl.cli.exit_codes import ExitCode, explain_exit_codes
from sockctl.cli.options import Json
from sockctl.errors import OptionError
from sockctl.text import is_whole_number

if TYPE_CHECKING:
    from sockctl.explain.topic import Topic

app = declare_command()

_EXIT_CODES = explain_exit_codes(
    meanings={ExitCode.FAILED: "a run failed", ExitCode.INTERRUPTED: "interrupted (nothing is left behind)"}
)


_DROP_PERCENT = range(1, 51)
"""What ``--drop`` may be: with more, TCP doesn't get through within the time of a run."""


def _parse_drop(text: str) -> float:
    """Return the share for a text such as ``20%`` or ``20``."""
    digits = text.removesuffix("%")
    if not (is_whole_number(digits) and int(digits) in _DROP_PERCENT):
        raise typer.BadParameter(
            f"'{text}' is no share of packets from {_DROP_PERCENT[0]}% to {_DROP_PERCENT[-1]}%, such as 20%."
        )
    return int(digits) / 100


def _complete_topic(incomplete: str) -> list[str]:
    from sockctl.explain.catalogue import NAMES

    return [name for name in NAMES if name.startswith(incomplete)]


@app.command(
    epilog="Examples:\n  sockctl explain\n  sockctl explain handshake\n  sockctl explain nagle --guess\n"
    "  sockctl explain loss --drop 30%\n  sockctl explain --all --json\n\n"
    f"{_EXIT_CODES}\n\n"
    "The fields of --json are described by 'python -m pydoc sockctl.explain.topic.Run.make_fields', and those of a "
    "topic's figures by 'python -m pydoc sockctl.explain.topics.TOPIC'."
)
def explain(
    topic: Annotated[
        str | None,
        typer.Argument(
            metavar="[TOPIC]",
            help="The topic; without one, all topics are listed.",
            show_default=False,
            autocompletion=_complete_topic,
        ),
    ] = None,
    *,
    all_topics: Annotated[
        bool, typer.Option("--all", help="Show all topics, one after the other.", show_default=False)
    ] = False,
    guess: Annotated[
        bool, typer.Option("--guess", help="Ask what you expect, before the run.", show_default=False)
    ] = False,
    slow: Annotated[
        bool, typer.Option("--slow", help="Wait for Enter before each line, for a projector.", show_default=False)
    ] = False,
    drop: Annotated[
        float | None,
        typer.Option(
            metavar="PERCENT",
            parser=_parse_drop,
            help="How many of the packets the link of the topic 'loss' drops, at most 50% (20% without it).",
            show_default="20%",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Show how sockets work, live: the handshake, the end, loss and more.

    A topic answers a question on real sockets, within seconds. Each number was measured in that run. A topic that shows
    packets needs no root: it makes a network of its own, which ends with the run. Where the system refuses that, the
    topic shows what loopback shows, and says what is missing.
    """
    from sockctl.cli.explain_runner import Wanted, list_topics, show_topics

    if all_topics and topic is not None:
        raise OptionError("TOPIC and --all exclude each other.")
    if json and slow:
        raise OptionError("--json and --slow exclude each other.")
    if topic is None and not all_topics:
        if guess or slow or drop is not None:
            raise OptionError("Say which topic: 'sockctl explain' lists them; or --all.")
        list_topics(json=json)
        return
    topics = _choose(topic)
    if drop is not None:
        from sockctl.explain.topics.loss import make_topic

        if "loss" not in topics:
            raise OptionError(f"--drop is for the topic 'loss': the topic '{topic}' has no link that drops packets.")
        topics["loss"] = make_topic(drop=drop)
    show_topics(topics, Wanted(guess=guess, slow=slow, json=json), as_list=all_topics)


def _choose(topic: str | None) -> "dict[str, Topic[Any]]":
    from sockctl.explain.catalogue import NAMES, load_topic

    if topic is None:
        return {name: load_topic(name) for name in NAMES}
    topic = topic.lower()
    if topic not in NAMES:
        from sockctl.cli.topics import list_topics

        if topic in list_topics():
            raise typer.BadParameter(f"There is no topic '{topic}' to see live, but a page: 'sockctl help {topic}'.")
        hint = suggest(topic, list(NAMES), otherwise="'sockctl explain' lists the topics.")
        raise typer.BadParameter(f"There is no topic '{topic}'.{hint}")
    return {topic: load_topic(topic)}
