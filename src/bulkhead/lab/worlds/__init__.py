"""Worlds by name, as the command line and reports write them: `regimes,correlation=one+thin-book:depth=0.1`."""

from bulkhead.lab.worlds.registry import WORLDS, symbols_in, world_of
from bulkhead.lab.worlds.scripted import ScriptedWorld
from bulkhead.lab.worlds.scripts import SCRIPTS, Script, script_of

__all__ = ["SCRIPTS", "WORLDS", "Script", "ScriptedWorld", "script_of", "symbols_in", "world_of"]
