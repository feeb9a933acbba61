"""Tests of what is not installed everywhere: ray by `pip install bulkhead[cluster]`, pgserver up to Python 3.12."""

from importlib.util import find_spec

NEEDED = {"test_cluster.py": "ray", "test_postgres.py": "pgserver"}
collect_ignore = [name for name, module in NEEDED.items() if find_spec(module) is None]
