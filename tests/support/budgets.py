"""Budgets for tests."""

from sockctl.net.input_budget import InputRates

NO_WORK = InputRates(rate=1e-6, burst_s=1e-6, address_rate=1e-6, address_burst_s=1e-6, flooding_s=1e9)
"""A first settlement is the last for a long time."""
