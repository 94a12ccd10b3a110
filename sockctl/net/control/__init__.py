"""The control socket of a server: those who may, ask it what it does."""
