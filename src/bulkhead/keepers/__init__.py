"""The keepers: ticks when they are due, and liquidation by rule. Start with `venue`."""
