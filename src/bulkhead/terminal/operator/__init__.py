"""The screen Operator: markets, oracle, insurance, liquidations, the machine, and drafts of other parameters."""
