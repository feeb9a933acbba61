"""The proof library: field, hashing and (later) prover and verifier. It knows nothing of exchanges."""
