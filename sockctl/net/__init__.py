"""Sockets and threads: the server with its event loops, TLS, and the connector of clients."""
