"""Members of a chat on several nodes: they talk, and go on at another node when theirs fails."""

import contextlib
import random
import socket
import threading
import time
from collections.abc import Sequence

from tests.support.cluster_acts import Acts
from tests.support.cluster_manner import Manner
from tests.support.frames import Fields, FrameBuffer, framed
from tests.support.transcript import Arrived, Heard, Refused, Sent, Told, Transcript, find_person
from tests.support.two_hosts import Host

CONNECT_S = 1.0
PAUSE_S = (0.05, 0.2)
"""How long a member waits before it goes on at the next node."""
IN_ONE_ROOM = 5
"""Messages that a member says before it goes on to the next room."""
BLOCKS = 0.1
"""The share of messages that are blocks."""
TAKEOVERS = 0.5
"""The share of hops after which the old connection is still open, so that the chat ends it."""


class Member(threading.Thread):
    """A member in a thread of its own.

    Args:
        name: The name.
        ports: Where the nodes are; the member begins at the first one.
        rooms: Where it talks.
        manner: How it behaves.
        seed: Decides what it does when.
        others: Those to whom it writes.
        machine: The machine that it and its nodes are on; None for this one.

    Attributes:
        transcript: What it lives through; others take a copy.
        is_talking: Set while it may say something.
        is_hopping: Set while it may move without need.
    """

    def __init__(
        self,
        name: str,
        ports: Sequence[int],
        rooms: Sequence[str],
        manner: Manner,
        *,
        seed: int,
        others: Sequence[str] = (),
        machine: Host | None = None,
    ) -> None:
        super().__init__(name=f"member {name}", daemon=True)
        self.transcript = Transcript(name)
        self.is_talking = threading.Event()
        self.is_hopping = threading.Event()
        self._name = name
        self._ports = ports
        self._rooms = rooms
        self._manner = manner
        self._machine = machine
        self._chance = random.Random(f"{seed} {name}")
        self._acts = Acts(self.transcript, others, random.Random(f"{seed} acts of {name}"))
        self._done = threading.Event()
        self._is_asking = threading.Event()
        self._is_to_move = threading.Event()
        self._node = 0
        self._token = ""
        self._seen: dict[str, int] = {}
        self._said = 0
        # Of the connection:
        self._sock: socket.socket
        self._is_in = False
        self._is_ending = False
        self._began_at_s = 0.0
        self._hops_at_s = 0.0
        self._acts_at_s = 0.0
        self._waiting: dict[str, float] = {}  # its own lines that it has not heard yet, and when they were sent
        self._numbers: dict[int, Sequence[str]] = {}
        self._ahead: socket.socket | None = None  # the connection before, which the chat must end

    # What others may ask and do.

    @property
    def is_in(self) -> bool:
        """Whether a node has let it in."""
        return self._is_in

    @property
    def port(self) -> int:
        """Where its node is: a busy machine may have sent it on to another one."""
        return self._ports[self._node]

    @property
    def has_heard_its_words(self) -> bool:
        """Whether it is in, and waits for none of its own words."""
        return self._is_in and not self._waiting

    @property
    def name_now(self) -> str:
        """What it is called."""
        return self._acts.name

    @property
    def seen(self) -> dict[str, int]:
        """The last id that it has heard in each room in which all are."""
        return {room: last for room, last in [*self._seen.items()] if room in self._rooms}

    def ask_who(self) -> None:
        """Ask who is in the rooms in which all are."""
        self._is_asking.set()

    def move(self) -> None:
        """Go on at the next node, once all own words are heard."""
        self._is_to_move.set()

    def finish(self) -> None:
        """End the thread."""
        self._done.set()
        self.join()

    # The thread.

    def run(self) -> None:
        """Be at one node after the other, until all is done."""
        with contextlib.nullcontext() if self._machine is None else self._machine.here():
            self._run()

    def _run(self) -> None:
        while not self._done.is_set():
            try:
                with socket.create_connection(("127.0.0.1", self._ports[self._node]), CONNECT_S) as self._sock:
                    self._live()
            except OSError as error:
                self.transcript.ends.append(f"node {self._node}: {error}")
            self._is_in = False
            if not self._manner.comes_back and self.transcript.arrivals:
                break
            self._node = (self._node + 1) % len(self._ports)
            self._done.wait(self._chance.uniform(*PAUSE_S))
        self._drop_old()

    def _live(self) -> None:
        """Be connected, until the connection ends or is left."""
        self._begin()
        frames = FrameBuffer()
        next_at_s = 0.0
        while not self._done.is_set() and not self._is_ending:
            now = time.monotonic()
            if self._is_in and self.is_talking.is_set() and now >= next_at_s and not self._wants_to_hop(now):
                self._talk()
                next_at_s = now + self._manner.every_s
            if self._is_in:
                self._act(now)
            if self._is_in and self._wants_to_hop(now) and not self._waiting:
                self._hop()
                return
            oldest = min(self._waiting.values(), default=self._began_at_s if not self._is_in else now)
            if now - oldest > self._manner.patience_s:
                self.transcript.ends.append(f"node {self._node}: no answer")
                return
            self._sock.settimeout(min(0.02, self._manner.every_s))
            try:
                data = self._sock.recv(65_536)
            except TimeoutError:
                continue
            if not data:
                self.transcript.ends.append(f"node {self._node}: closed")
                return
            for one in frames.take(data):
                self._hear(one)

    def _begin(self) -> None:
        self._is_in = self._is_ending = False
        self._acts.begin(self.transcript.arrivals + 1)
        self._waiting.clear()
        self._numbers = {}
        self._began_at_s = time.monotonic()
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._send(kind="hello", client="torture", can=["blocks"] if self._manner.shows_blocks else [])

    def _wants_to_hop(self, now: float) -> bool:
        hops = bool(self._manner.hops_every_s) and self.is_hopping.is_set() and now >= self._hops_at_s
        return hops or self._is_to_move.is_set()

    def _hop(self) -> None:
        """Leave, once all own words are heard."""
        self._is_to_move.clear()
        self.transcript.ends.append(f"node {self._node}: hop")
        if self._chance.random() < TAKEOVERS:
            self._ahead = self._sock.dup()

    def _drop_old(self) -> None:
        if self._ahead is not None:
            self._ahead.close()
            self._ahead = None

    # What it says.

    def _send(self, **fields: object) -> None:
        self._sock.settimeout(CONNECT_S)
        self._sock.sendall(framed(**fields))

    def _talk(self) -> None:
        """Say a line or a block; before that, go on to the next room now and then."""
        if self._said % IN_ONE_ROOM == 0:
            room = self._rooms[self._said // IN_ONE_ROOM % len(self._rooms)]
            self._send(kind="line", text=f"/join {room}")
        self._said += 1
        n = self._said
        count = self._chance.randint(2, 4) if self._chance.random() < BLOCKS else 1
        lines = tuple(f"{self._name} {n}.{number}" for number in range(count))
        now = time.monotonic()
        self.transcript.sent.append(Sent(n, lines, self.transcript.arrivals, now))
        self._waiting.update(dict.fromkeys(lines, now))
        self._numbers[n] = lines
        if count == 1:
            self._send(kind="line", text=lines[0], n=n)
        else:
            self._send(kind="block", lines=lines, n=n)

    def _act(self, now: float) -> None:
        """Do what is due besides talking."""
        may_act = self._manner.acts_every_s and self.is_talking.is_set() and self.is_hopping.is_set()
        if may_act and now >= self._acts_at_s:
            self._acts_at_s = now + self._manner.acts_every_s * self._chance.uniform(0.5, 1.5)
            self._said += 1
            self._send(kind="line", text=self._acts.choose(self._said, may_leave=not self._waiting), n=self._said)
        if self._is_asking.is_set():
            self._is_asking.clear()
            for room in self._rooms:
                self._send(kind="line", text=f"/who {room}")

    # What it hears.

    def _hear(self, one: Fields) -> None:
        """Hear what the talk is about; the rest is about the connection."""
        match one["kind"]:
            case "say" | "history" if one.get("id"):
                self._hear_lines(one)
            case "notice" if one.get("code") in {"lost", "missed"}:
                self.transcript.events.append(Told(one["code"], one.get("room", ""), time.monotonic()))
                self._waiting.clear()  # its own words may be among what it doesn't hear
            case _ if self._acts.hear(one):
                if one["kind"] == "left" and find_person(one["name"]) == self._name:
                    self._seen.pop(one["room"], None)
            case "error":
                self._take_error(one)
            case _:
                self._follow(one)

    def _follow(self, one: Fields) -> None:
        """Do what the server asks for."""
        match one["kind"]:
            case "ask" if self._token:
                self._send(kind="resume", token=self._token, seen=self._seen, name=self._acts.name)
            case "ask":
                self._send(kind="answer", field="name", text=self._name)
            case "token":
                self._token = one["token"]
            case "welcome":
                self._settle_in(one.get("name", self._name))
            case "ping":
                self._send(kind="pong")
            case "bye":
                self.transcript.ends.append(f"node {self._node}: bye {one.get('reason')}")
                self._is_ending = True

    def _settle_in(self, name: str) -> None:
        self._is_in = True
        self._acts.name = name
        self._hops_at_s = time.monotonic() + self._manner.hops_every_s * self._chance.uniform(0.5, 1.5)
        self.transcript.arrivals += 1
        self.transcript.events.append(Arrived(self.transcript.arrivals, time.monotonic()))
        self._drop_old()
        for room in self._rooms:
            self._send(kind="line", text=f"/join {room}")

    def _hear_lines(self, one: Fields) -> None:
        lines = one.get("lines") or [one["text"]]
        first = one["id"] - len(lines) + 1
        now = time.monotonic()
        for number, line in enumerate(lines, first):
            sender = find_person(one["sender"])
            heard = Heard(one["room"], number, sender, line, self.transcript.arrivals, now, one["kind"] == "say")
            self.transcript.events.append(heard)
            self._waiting.pop(line, None)
        self._seen[one["room"]] = one["id"]

    def _take_error(self, one: Fields) -> None:
        code, n = one.get("code", ""), one.get("n")
        if n is not None:
            self.transcript.events.append(Refused(n, code))
            for line in self._numbers.get(n, ()):
                self._waiting.pop(line, None)
            return
        self.transcript.ends.append(f"node {self._node}: {code}: {one['text']}")
        if code == "bad_token":
            self._token = ""
        elif not self._is_in:
            self._is_ending = True  # a name that is taken, or an engine that is away: at the next node, or later
