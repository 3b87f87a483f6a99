"""The cases of pot.json, by subject."""
