"""An Ethereum in the process itself: one writer, one file, and the rules of Osaka as its specification runs them."""
