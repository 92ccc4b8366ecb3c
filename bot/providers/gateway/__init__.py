"""Canaries by the weights of a Gateway API HTTPRoute, written through git."""
