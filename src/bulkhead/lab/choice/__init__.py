"""Which margin mode: one portfolio under isolated, cross, every partition into strategies, and scenario margin.

Start at `compare` (comparison.py), which gives a `Comparison`; `needs.py` is why every partition can be looked at.
"""
