"""The proxy: a server that stands between a client and another server, and tells what passes."""
