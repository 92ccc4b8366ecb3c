"""Pure functions from a domain value to blocks, one file per message."""
