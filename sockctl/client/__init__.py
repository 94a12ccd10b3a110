"""The client of ``connect``: its session, the one loop that moves bytes, reconnecting, trust and kept tokens."""
