"""The screen Risk: what is where, how far it is from a margin call, and what could be lost."""
