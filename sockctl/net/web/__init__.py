"""The web door: HTTP at the beginning of a connection, and WebSocket from then on."""
