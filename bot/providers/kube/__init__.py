"""What both Kubernetes providers share: clusters, watches, workloads and why their pods fail."""
