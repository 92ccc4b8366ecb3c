"""Rollouts through git, which Argo CD brings to a cluster."""
