"""Canaries by the steps of an Argo Rollouts Rollout that Argo CD brings to the cluster."""
