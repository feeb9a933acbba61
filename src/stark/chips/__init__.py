"""Ready chips: ranges, Poseidon, memory, and updates of a Merkle tree."""
