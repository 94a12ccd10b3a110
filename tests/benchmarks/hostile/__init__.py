"""Attacks on a server, and what the others notice: ``python -m tests.benchmarks.hostile``. Linux only: it reads /proc.

Each attack runs for some seconds against a real server process on loopback. A table tells its figures, the goals, and
whether each goal is held. The attackers, and the polite clients whose latency is measured, are processes of their own:
no lock of one interpreter disturbs another. The attackers run at nice 10; where there are several cores, they share the
last one. Every attack is bounded in time and connections, and ends its processes by their ids.
"""
