"""Deployments that are changed in the cluster itself, where no Argo CD follows git."""
