"""The exchange. Start reading at ledger/apply.py: what a transaction may do to the state, and when it is refused."""
