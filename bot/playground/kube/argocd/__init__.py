"""A simulated Argo CD: it brings to the local cluster what stands in real git repositories.

Behaviour and texts follow Argo CD 3.1 (``controller/appcontroller.go``, ``state.go``, ``sync.go``)
and its gitops-engine.
"""
