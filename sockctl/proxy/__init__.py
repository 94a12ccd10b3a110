"""The proxy: a server between clients and another server, which shows what passes."""
