"""The screen Keys: accounts on this machine, unlocked, onboarded, given test money."""
