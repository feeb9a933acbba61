"""Derived tables: history that the journal implies, written from events, and rebuilt from the journal on request."""
