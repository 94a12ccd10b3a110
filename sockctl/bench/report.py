"""What was measured, as one JSON object: what ``sockctl bench … --json`` prints.

    schema            1; another number where a field's meaning has changed
    kind              echo, chat or login
    target            the server, HOST:PORT; of a chat on several servers all of them, with commas between
    servers           how many they are
    tls               whether its connections were encrypted
    udp               whether the messages were datagrams of UDP
    loop              closed (each client waits for its answers) or open (messages are due on a clock)
    clients, joined   how many were wanted, and how many got in before the measuring; for logins they are the same
    senders           how many members of a chat spoke; else null
    size_bytes        bytes of a message as asked for; null for logins
    depth             messages of a client in flight; null in an open loop, and for logins
    rate              messages per second that were due, in an open loop; else null
    processes         how many processes were the clients
    seconds           from the end of the warm-up to the last answer, or to the end of the measuring
    sent              messages (logins) that were sent, or due
    unsent            messages that were due in an open loop, and that the tool didn't come to send
    expected          answers to be had for them: as many, but for a chat one from each member
    answered          answers that came, and were right: messages, deliveries, logins
    lost              expected less answered
    per_second        answered by seconds
    bytes             bytes of messages in what was answered; with bytes_per_second
    errors            what went wrong, by reason: each client's first error, after which it is out (but for logins)
    out_of_order      datagrams that came back behind a later one; null over TCP, as the next two
    duplicates        datagrams that came back once more
    late              datagrams that came back when their time was up; they count as lost
    held_back         how often a chat's flood limit held messages back
    latency_us        min, mean, p50, p90, p99, p99.9, max in microseconds; null where nothing was answered. It runs
                      from when a message was sent, in an open loop from when it was due, to its answer; in a chat to
                      each delivery. A login's runs from its connecting to the welcome
    echo_us           the same of a chat's senders alone, until each hears itself; else null
    latency_error     by which part of its value a percentile may be off
    bands             [{"below_us", "count"}]: how many latencies were below this, and not below the one before
    own_cpu           which part of the processor time that the processes could take they took while they sent; 1 is all
    own_limit         whether that is so much that the tool itself may have been the limit, or something is unsent
    checks            {"order", "loss", "repetition"}: of a chat, whether each held at all members of all servers; else
                      null. Order: all members heard the messages in one order, in which each sender's are its own
    interrupted       whether the user stopped it
    ok                whether nothing was lost or wrong

Reasons of errors: not_connected (refused, or no answer in time), refused (by ICMP), tls (no TLS, or another
certificate), closed (by the server), reset, no_answer (in time), corrupt, missing or doubled (bytes, or messages of a
chat), reordered (messages of a chat: other members heard them in another order, or their sender said them in another),
extra (more than was sent), not_greeted and the other codes of protocol errors, name_refused, password_asked,
no_password (it was let in without one), and the codes of a server's own `error` messages, such as busy, throttled,
login_failed and flooding.

With ``--compare`` the object is {"schema", "kind", "compare": [TARGET, TARGET2], "rounds": [[report, report], …],
"ratios", "interrupted", "ok"}. `ratios` has, for per_second, p50 and p99, the first server's figure divided by the
second's, round by round: {"median", "min", "max"}; null where there is none. A round that was interrupted is left out.
"""

import statistics
from collections.abc import Sequence
from typing import Any

from sockctl.bench.coordinator import Outcome
from sockctl.bench.histogram import ERROR, Histogram
from sockctl.bench.plan import Kind, Plan
from sockctl.bench.stats import Stats

SCHEMA = 1
OWN_LIMIT = 0.9
"""From which part of its own processor time on the tool may be the limit."""
_PERCENTILES = (50, 90, 99, 99.9)
COMPARED = ("per_second", "p50", "p99")
Fields = dict[str, Any]


def report(plan: Plan, outcome: Outcome, *, cores: int) -> Fields:
    """Return what was measured, as the fields that this module describes.

    Args:
        plan: What all processes together were to do.
        outcome: What came of it.
        cores: How many processors they could use.
    """
    stats = outcome.stats
    seconds = stats.seconds
    own_cpu = stats.cpu_s / stats.cpu_of_s / min(1.0, cores / stats.processes) if stats.cpu_of_s > 0 else 0.0
    login, open_loop = plan.kind is Kind.LOGIN, plan.rate is not None
    return {
        "schema": SCHEMA,
        "kind": plan.kind.value,
        "target": plan.target,
        "servers": len(plan.servers),
        "tls": all(server.tls is not None for server in plan.servers),
        "udp": plan.udp,
        "loop": "open" if open_loop else "closed",
        "clients": plan.clients,
        "joined": stats.clients,
        "senders": plan.senders if plan.kind is Kind.CHAT else None,
        "size_bytes": None if login else plan.size_bytes,
        "depth": None if login or open_loop else plan.depth,
        "rate": plan.rate,
        "processes": stats.processes,
        "seconds": round(seconds, 6),
        "sent": stats.sent,
        "unsent": stats.unsent,
        "expected": stats.expected,
        "answered": stats.answered,
        "lost": stats.lost,
        "per_second": _divide(stats.answered, seconds),
        "bytes": stats.bytes,
        "bytes_per_second": _divide(stats.bytes, seconds),
        "errors": dict(stats.errors.most_common()),
        "out_of_order": stats.out_of_order if plan.udp else None,
        "duplicates": stats.duplicates if plan.udp else None,
        "late": stats.late if plan.udp else None,
        "held_back": stats.held_back,
        "latency_us": _encode_latencies(stats.latencies),
        "echo_us": _encode_latencies(stats.echoes),
        "latency_error": round(ERROR, 5),
        "bands": [
            {"below_us": round(below_s * 1e6), "count": count} for below_s, count in stats.latencies.list_bands()
        ],
        "own_cpu": round(own_cpu, 3),
        "own_limit": own_cpu >= OWN_LIMIT or stats.unsent > 0,
        "checks": _check(stats) if plan.kind is Kind.CHAT else None,
        "interrupted": outcome.interrupted,
        "ok": not stats.errors and not stats.lost and stats.answered > 0,
    }


def make_comparison(rounds: Sequence[tuple[Fields, Fields]], *, interrupted: bool) -> Fields:
    """Return two servers' reports, taken in turns, with their ratios.

    Args:
        rounds: The reports of both, of one round at least.
        interrupted: Whether there were to be more of them.
    """
    ratios = {}
    for name in COMPARED:
        each = [
            _find_figure(one, name) / _find_figure(other, name) for one, other in rounds if _find_figure(other, name)
        ]
        each = [ratio for ratio in each if ratio]
        ratios[name] = (
            {"median": round(statistics.median(each), 3), "min": round(min(each), 3), "max": round(max(each), 3)}
            if each
            else None
        )
    first, second = rounds[0]
    return {
        "schema": SCHEMA,
        "kind": first["kind"],
        "compare": [first["target"], second["target"]],
        "rounds": [list(both) for both in rounds],
        "ratios": ratios,
        "interrupted": interrupted,
        "ok": all(one["ok"] for both in rounds for one in both),
    }


def _find_figure(one: Fields, name: str) -> float:
    value = one[name] if name == "per_second" else (one["latency_us"] or {}).get(name)
    return float(value or 0)


def _divide(count: int, seconds: float) -> float:
    return round(count / seconds, 3) if seconds > 0 else 0.0


def _check(stats: Stats) -> Fields:
    """Return which of a chat's promises held."""
    return {
        "order": not stats.errors["reordered"],
        "loss": not stats.lost and not stats.errors["missing"],
        "repetition": not stats.errors["doubled"],
    }


def _encode_latencies(latencies: Histogram) -> Fields | None:
    if not latencies.count:
        return None
    figures = {"min": latencies.min_s, "mean": latencies.mean_s}
    figures |= {f"p{percent:g}": latencies.find_percentile_s(percent) for percent in _PERCENTILES}
    figures["max"] = latencies.max_s
    return {name: round(seconds * 1e6, 1) for name, seconds in figures.items()}
