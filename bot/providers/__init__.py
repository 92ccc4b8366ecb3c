"""Adapters to outside systems, each behind a port."""
