"""The exchange's rules as pure functions: values in, values out. The same objects serve the live exchange, the prover and the lab."""
