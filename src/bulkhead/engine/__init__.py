"""The engine: the order book, matching, the sequencer and triggers; it holds no balances."""
