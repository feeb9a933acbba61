"""How a statement about tables is written: expressions, chips, buses, systems, and their readers."""
