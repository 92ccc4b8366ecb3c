"""What stands in the git repository of the demo's company, which Argo CD follows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

README: Final = """\
# What runs in the clusters

Argo CD follows this repository. Quarterdeck changes the `newTag` of a kustomization, one commit for
each deployment.
"""
_KUSTOMIZATION = """\
# What runs in {environment}. Quarterdeck writes the tag; everything else is yours.
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
{resources}
images:
  - name: {service}
    newName: {registry}
    newTag: {tag}@{digest}
"""
_DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {service}
spec:
  replicas: {replicas}
  progressDeadlineSeconds: 90
  selector:
    matchLabels: {{app: {service}}}
  strategy:
    type: RollingUpdate
    rollingUpdate: {{maxSurge: 1, maxUnavailable: 0}}
  template:
"""
_ROLLOUT = """\
# Quarterdeck ends the pauses. The Ingress that divides the visitors is the platform team's.
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata:
  name: {service}
spec:
  replicas: {replicas}
  progressDeadlineSeconds: 90
  selector:
    matchLabels: {{app: {service}}}
  strategy:
    canary:
      stableService: {service}-stable
      canaryService: {service}-canary
      maxUnavailable: 0
      trafficRouting:
        nginx: {{stableIngress: {service}}}
      steps:
        - setWeight: 10
        - pause: {{}}
        - setWeight: 50
        - pause: {{}}
  template:
"""
_TEMPLATE = """\
    metadata:
      labels: {{app: {service}}}
    spec:
      containers:
        - name: app
          image: {service}
          readinessProbe:
            httpGet: {{path: /healthz, port: 8080}}
            periodSeconds: 5
"""
_SERVICE = """\
apiVersion: v1
kind: Service
metadata:
  name: {service}-{side}
spec:
  selector: {{app: {service}}}
  ports: [{{port: 80, targetPort: 8080}}]
"""


def deployment(words: Mapping[str, object]) -> Mapping[str, str]:
    """The files of a service that is a Deployment; ``words`` are service and replicas."""
    return {"deployment.yaml": (_DEPLOYMENT + _TEMPLATE).format(**words)}


def rollout(words: Mapping[str, object]) -> Mapping[str, str]:
    """The same of one that is a Rollout, with the Services of its two versions."""
    services = [_SERVICE.format(side=each, **words) for each in ("stable", "canary")]
    return {
        "rollout.yaml": (_ROLLOUT + _TEMPLATE).format(**words),
        "services.yaml": "---\n".join(services),
    }


def kustomization(files: Mapping[str, str], words: Mapping[str, object]) -> str:
    """What makes one of those files, and says which image runs."""
    return _KUSTOMIZATION.format(resources="\n".join(f"  - {each}" for each in files), **words)
