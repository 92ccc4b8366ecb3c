"""Logs and metrics: what the operator of Quarterdeck sees."""
