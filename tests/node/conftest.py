"""The test of a cluster is collected only where ray is installed: `pip install bulkhead[cluster]`."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("ray") else ["test_cluster.py"]
