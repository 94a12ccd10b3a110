"""Sockets and threads: the server core, the watcher, the client."""
