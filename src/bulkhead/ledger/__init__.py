"""The ledger: the only owner of balances. `apply(state, tx)` in apply.py says yes or no; start reading there."""
