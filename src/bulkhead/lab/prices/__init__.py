"""Prices: recorded bars, the paths between them, and simulated worlds."""
