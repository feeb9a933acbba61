"""Compare before you commit: one order in four margin modes, along prices that have not come; which mode for whom."""
