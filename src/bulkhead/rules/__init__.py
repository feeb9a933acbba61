"""The exchange's rules as pure functions, values in and values out: one object serves venue, prover and lab."""
