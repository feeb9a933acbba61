"""Circuits: what a batch may do to the state, restated as tables that are proven. Start reading in `batch.py`."""
