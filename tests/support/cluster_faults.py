"""What breaks in a chat on several nodes, by the names that the torture takes."""

import random
import signal
import time
from collections.abc import Callable, Mapping

from tests.support.cluster_nodes import ChatNode, Cluster
from tests.support.node_entry import TIMES
from tests.support.tcp_proxy import TcpProxy

MOST_LOST_BYTES = 20_000
"""What a crash takes from the engine at most: some 40 messages."""
CUT_WAIT_S = 2.0
"""How long a reply that is to be cut off is waited for."""


class Faults:
    """Breaks one thing after the other, and mends it. Each fault is over when its method returns.

    Args:
        cluster: What it breaks.
        chance: Decides which part, and for how long.
    """

    def __init__(self, cluster: Cluster, chance: random.Random) -> None:
        self._cluster = cluster
        self._chance = chance
        self.by_name: Mapping[str, Callable[[], None]] = {
            "node": self.kill_node,
            "term": self.restart_node,
            "stop": self.stop_node,
            "engine": self.kill_engine,
            "crash": self.crash_engine,
            "freeze": self.freeze_engine,
            "memory": self.fill_engine,
            "hole": self.open_hole,
            "reset": self.reset,
            "cut": self.cut_reply,
            "slow": self.slow_down,
        }

    def kill_node(self) -> None:
        """Kill a node, and start it again, before or after its lease is over."""
        node = self._node()
        node.kill()
        self._wait(0.1, TIMES.lease_s + 1.5)
        node.start()

    def restart_node(self) -> None:
        """Ask a node to stop, and start it again."""
        node = self._node()
        node.terminate()
        self._wait(0.0, 1.0)
        node.start()

    def stop_node(self) -> None:
        """Stop a node until its lease is over: it is buried."""
        node = self._node()
        node.send(signal.SIGSTOP)
        self._wait(TIMES.lease_s + 1.0, TIMES.lease_s + 2.5)
        node.send(signal.SIGCONT)

    def kill_engine(self) -> None:
        """Kill the engine, and start it again."""
        self._cluster.engine.kill()
        self._wait(0.0, 1.0)
        self._cluster.engine.start()

    def crash_engine(self) -> None:
        """Kill the engine together with its machine, so that it loses what it had acknowledged last."""
        self._cluster.engine.kill()
        self._cluster.engine.lose(self._chance.randint(1, MOST_LOST_BYTES))
        self._cluster.engine.start()

    def freeze_engine(self) -> None:
        """Stop the engine for a while."""
        with self._cluster.engine.stopped():
            self._wait(0.2, TIMES.lease_s)

    def fill_engine(self) -> None:
        """Let the engine be out of memory for a while."""
        self._cluster.engine.ask("CONFIG", "SET", "maxmemory", 1)
        self._wait(0.5, TIMES.lease_s)
        self._cluster.engine.ask("CONFIG", "SET", "maxmemory", 0)

    def open_hole(self) -> None:
        """Cut a node off from the engine; what was on its way arrives late, or never."""
        proxy = self._proxy()
        proxy.open_hole()
        self._wait(0.5, TIMES.lease_s + 2.0)
        proxy.close_hole(late=self._chance.random() < 0.5)

    def reset(self) -> None:
        """Reset a node's connections to the engine."""
        self._proxy().reset()

    def cut_reply(self) -> None:
        """Cut off a reply to what a node has posted."""
        proxy = self._proxy()
        before = proxy.cut_replies
        proxy.cut_reply(b"_post")
        until = time.monotonic() + CUT_WAIT_S
        while proxy.cut_replies == before and time.monotonic() < until:
            time.sleep(0.01)
        proxy.cut_reply(b"")

    def slow_down(self) -> None:
        """Let a node's line to the engine be long and thin."""
        proxy = self._proxy()
        proxy.slow_down(delay_s=0.03, bytes_per_s=self._chance.choice([0.0, 100_000.0]))
        self._wait(1.0, 3.0)
        proxy.slow_down()

    def _node(self) -> ChatNode:
        return self._chance.choice(self._cluster.nodes)

    def _proxy(self) -> TcpProxy:
        return self._chance.choice(self._cluster.proxies)

    def _wait(self, least_s: float, most_s: float) -> None:
        time.sleep(self._chance.uniform(least_s, most_s))
