"""Measurements, not run with the tests: each module is a command."""
