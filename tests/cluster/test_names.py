"""Tests for the names in `functions.lua`, against a model: any claims, changes, ends and burials."""

import contextlib
import json
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from sockctl.cluster.engine import Engine
from sockctl.cluster.keys import LOOKS, NAMES, NODES, here_key
from sockctl.cluster.outbox import Outbox
from sockctl.cluster.posting import Claim, Posting
from sockctl.cluster.reader import Reader
from sockctl.cluster.registry import bury, register
from sockctl.cluster.writer import Writer
from sockctl.errors import NameTakenError
from sockctl.protocol.look_alikes import compute_skeletons
from tests.support.engines import RedisServer

KEYS = ("pop", "рор", "ann")  # the second is Cyrillic, and looks like the first
ALIKE = {"pop": {"рор"}, "рор": {"pop"}, "ann": set[str]()}
Step = tuple[str, int, str, str]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["claim", "alone", "rename", "went", "bury"]),
        st.integers(0, 1),
        st.sampled_from(["m1", "m2", "m3"]),
        st.sampled_from(KEYS),
    ),
    max_size=25,
)


@dataclass
class Model:
    """The key of each member, and the nodes at which it is."""

    keys: dict[str, str] = field(default_factory=dict)
    nodes: dict[str, set[int]] = field(default_factory=dict)

    def find_taken(self, key: str, member: str) -> bool:
        """Return whether another member has the key, or one that looks like it."""
        return any(other in {key, *ALIKE[key]} for each, other in self.keys.items() if each != member)

    def give(self, key: str, member: str, nodes: set[int]) -> None:
        self.keys[member], self.nodes[member] = key, nodes

    def leave(self, member: str, node: int) -> None:
        self.nodes.get(member, set()).discard(node)
        if not self.nodes.get(member):
            self.keys.pop(member, None)
            self.nodes.pop(member, None)


class Node:
    """A node without threads."""

    def __init__(self, engine: Engine, name: str) -> None:
        self.engine = engine
        self.name = name
        self.begin()

    def begin(self) -> None:
        """Register, under a new name."""
        place = register(self.engine, self.name, rules={}, lease_s=100)
        self.node = place.node
        self.outbox = Outbox()
        self.writer = Writer(self.engine, self.node, self.outbox, Reader(place.last_id), on_refused=lambda _: None)

    def claim(self, kind: str, key: str, member: str, *, alone: bool = False) -> bool:
        """Claim a name, and return whether the member got it."""
        claim = Claim(key, compute_skeletons(key), alone)
        self.outbox.add(Posting(kind, b"", member, claim=claim))
        self.writer.write()
        try:
            return claim.answer.result(timeout=0) > 0
        except NameTakenError:
            return False

    def let_go(self, member: str) -> None:
        self.outbox.add(Posting("went", b"", member))
        self.writer.write()

    def die(self) -> None:
        """Be buried, and come back under another name."""
        self.engine.ask("ZADD", NODES, 1, self.node)
        assert bury(self.engine, self.node)
        self.begin()


def take(step: Step, nodes: list[Node], model: Model) -> None:
    """Take a step in the engine and in the model."""
    what, number, member, key = step
    node = nodes[number]
    match what:
        case "went":
            node.let_go(member)
            model.leave(member, number)
        case "bury":
            node.die()
            for each in list(model.nodes):
                model.leave(each, number)
        case "rename":
            if number not in model.nodes.get(member, ()):
                return  # only a node that has the member renames it
            is_free = not model.find_taken(key, member)
            assert node.claim("renamed", key, member) == is_free
            if is_free:
                model.keys[member] = key
        case _:
            before = model.nodes.get(member, set())
            if model.keys.get(member, key) != key and before - {number}:
                return  # a member has one name, at all its nodes
            is_free = not model.find_taken(key, member)
            assert node.claim("came", key, member, alone=what == "alone") == is_free
            if is_free:
                model.give(key, member, {number} if what == "alone" else {*before, number})


def check(nodes: list[Node], model: Model, engine: Engine) -> None:
    """Check that the engine knows what the model knows, and nothing else."""
    words = engine.ask("HGETALL", NAMES)
    names = {key.decode(): json.loads(value) for key, value in zip(words[::2], words[1::2], strict=True)}
    by_name = {one.node: number for number, one in enumerate(nodes)}
    assert {key: (one["m"], {by_name[node] for node in one["n"]}) for key, one in names.items()} == {
        key: (member, model.nodes[member]) for member, key in model.keys.items()
    }
    for number, node in enumerate(nodes):
        here = [word.decode() for word in engine.ask("HGETALL", here_key(node.node))]
        expected = {member: model.keys[member] for member, at in model.nodes.items() if number in at}
        assert dict(zip(here[::2], here[1::2], strict=True)) == expected
    words = engine.ask("HGETALL", LOOKS)
    looks = {skeleton.decode(): set(json.loads(keys)) for skeleton, keys in zip(words[::2], words[1::2], strict=True)}
    expected_looks: dict[str, set[str]] = {}
    for key in model.keys.values():
        for skeleton in compute_skeletons(key):
            expected_looks.setdefault(skeleton, set()).add(key)
    assert looks == expected_looks


@settings(max_examples=100, deadline=None)
@given(steps=STEPS)
def test_names_are_held_as_the_model_says(steps: list[Step], engine_server: RedisServer) -> None:
    with contextlib.closing(Engine(engine_server.access())) as engine:
        engine.ask("FLUSHALL")
        nodes, model = [Node(engine, name) for name in "ab"], Model()
        for step in steps:
            take(step, nodes, model)
            check(nodes, model, engine)
