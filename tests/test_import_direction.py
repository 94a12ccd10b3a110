"""The house has floors: a room imports only from floors below its own, and rooms of one floor not from each other.

Modules don't import each other in a circle, either: not at their top, in a function, or for types alone.
"""

import ast
import functools
import importlib
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import sockctl

ROOT = Path(sockctl.__file__).parent
FLOORS = {
    "__main__": 6,
    "cli": 5,
    "client": 4,
    "services": 4,
    "bench": 4,
    "explain": 4,
    "proxy": 4,
    "net": 3,
    "accounts": 3,
    "cluster": 3,
    "protocol": 2,
    "events": 2,
    "stores": 2,
    "text": 1,
    "hex_dump": 1,
    "byte_queue": 1,
    "os_limits": 1,
    "paths": 1,
    "terminal": 1,
    "durations": 1,
    "token_bucket": 1,
    "signals": 1,
    "source_network": 1,
    "deadline": 0,
    "interrupts": 0,
    "local_user": 0,
    "palette": 0,
    "wrapping": 0,
    "errors": 0,
    "__init__": 0,
}
FOREIGN_BELOW = {
    "typer": {"cli"},
    "argon2": {"accounts/passwords"},
    "redis": {"cluster/engine_connection", "cluster/engine_errors"},
    "ifaddr": {"net/reachability"},
    "cryptography": {"net/certificates"},
    "confusable_homoglyphs": {"protocol/look_alikes"},
    "precis_i18n": {"accounts/password_normalization", "protocol/names"},
    "zxcvbn": {"accounts/password_rules"},
    "h11": {"net/web"},
    "prometheus_client": {"net/metrics"},
    "websockets": {"client/web_exchange", "net/web", "protocol/web_decoder"},
}
"""Libraries that only these rooms may import."""


def room_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


@functools.cache
def imported_by(path: Path) -> frozenset[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return frozenset(names)


MODULES = sorted(ROOT.rglob("*.py"))


def test_arrows_point_down() -> None:
    for path in MODULES:
        room = room_of(path)
        if room == "__init__":
            continue  # it hands names on when they are asked for, and loads none of them before: see test_public_api
        for name in imported_by(path):
            parts = name.split(".")
            if parts[0] != "sockctl":
                continue
            target = parts[1] if parts[1] in FLOORS else "__init__"
            inside = target == room and path.parent != ROOT
            assert inside or FLOORS[target] < FLOORS[room], (
                f"{path.relative_to(ROOT)} imports {name}, which is not below it"
            )


def test_libraries_stay_in_their_rooms() -> None:
    for path in MODULES:
        place = str(path.relative_to(ROOT)).removesuffix(".py")
        for name in imported_by(path):
            rooms = FOREIGN_BELOW.get(name.split(".")[0])
            assert rooms is None or any(place == room or place.startswith(f"{room}/") for room in rooms), (
                f"{place} imports {name}, which only these may: {rooms}"
            )
            assert name.split(".")[0] != "click", f"{place}: typer carries click inside, its own is not ours to import"


def test_every_room_has_a_floor() -> None:
    assert {room_of(path) for path in MODULES} <= set(FLOORS)


def test_an_arrow_up_is_found(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.py"
    wrong.write_text("def f():\n    from sockctl.cli import app\n")
    assert imported_by(wrong) == {"sockctl.cli.app"}
    assert FLOORS["cli"] > FLOORS["net"]


def test_every_module_is_imported() -> None:
    """Import modules that only other processes load: those are forks of one that coverage doesn't measure."""
    for path in MODULES:
        name = ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__")
        if name != "sockctl.__main__":  # it runs a command
            assert importlib.import_module(name).__doc__, f"{path}: no docstring"


def find_circle(imports: Mapping[str, set[str]]) -> list[str]:
    """Return the modules of one circle, of which each imports the one before; none where there is no circle."""
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        circle: list[str] = error.args[1]
        return circle
    return []


def test_no_modules_import_each_other() -> None:
    places = {".".join(path.relative_to(ROOT.parent).with_suffix("").parts): path for path in MODULES}
    imports = {}
    for module, path in places.items():
        names = imported_by(path)
        imports[module] = places.keys() & (names | {name.rpartition(".")[0] for name in names})
    assert not find_circle(imports)


def test_a_circle_is_found() -> None:
    assert not find_circle({"a": {"b", "c"}, "b": {"c"}, "c": set()})
    assert set(find_circle({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}})) == {"a", "b", "c"}
