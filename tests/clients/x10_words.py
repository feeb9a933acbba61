"""The closed enums of the official SDK, as JSON in the last line. Runs in the environment of the SDK."""

import enum
import importlib
import json
import pkgutil

import x10.models

found: dict = {}
for module in pkgutil.iter_modules(x10.models.__path__, "x10.models."):
    for name, kind in vars(importlib.import_module(module.name)).items():
        if isinstance(kind, type) and issubclass(kind, enum.Enum) and len(kind):
            found[name] = sorted(str(one.value) for one in kind)
print(json.dumps(found))
