"""Programs for people who work on the code; nothing here is installed."""
