"""What the providers need of a cluster's API server: the port, and the resources they use.

An object is the API's own JSON. What is read of it is read once, into values of the ``views``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

#: An object as the API server writes it.
Raw = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource of the API; ``group`` is empty for the core.

    ``subresource`` is the part of each object that is written by itself, such as ``status``.
    """

    group: str
    version: str
    plural: str
    kind: str
    subresource: str = ""

    @property
    def base(self) -> str:
        """Where its group begins."""
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"

    @property
    def title(self) -> str:
        """How the API server's own messages name it."""
        return f"{self.rule}.{self.group}" if self.group else self.rule

    @property
    def rule(self) -> str:
        """How a rule of RBAC names it: ``rollouts/status``."""
        return f"{self.plural}/{self.subresource}" if self.subresource else self.plural


APPLICATIONS = Resource("argoproj.io", "v1alpha1", "applications", "Application")
PROJECTS = Resource("argoproj.io", "v1alpha1", "appprojects", "AppProject")
ROLLOUTS = Resource("argoproj.io", "v1alpha1", "rollouts", "Rollout")
ROLLOUT_STATUS = Resource("argoproj.io", "v1alpha1", "rollouts", "Rollout", "status")
DEPLOYMENTS = Resource("apps", "v1", "deployments", "Deployment")
HTTP_ROUTES = Resource("gateway.networking.k8s.io", "v1", "httproutes", "HTTPRoute")
REPLICA_SETS = Resource("apps", "v1", "replicasets", "ReplicaSet")
PODS = Resource("", "v1", "pods", "Pod")
EVENTS = Resource("", "v1", "events", "Event")
ACCESS_REVIEWS = Resource(
    "authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview"
)


@dataclass(frozen=True, slots=True)
class Listing:
    """What stood there at ``version``, from which a watch goes on."""

    items: tuple[Raw, ...]
    version: str


@dataclass(frozen=True, slots=True)
class Change:
    """One event of a watch: ADDED, MODIFIED, DELETED or BOOKMARK, and the object."""

    kind: str
    object: Raw


@dataclass(frozen=True, slots=True)
class Select:
    """Which objects of a namespace are listed: by labels, by fields, and at most how many."""

    labels: str = ""
    fields: str = ""
    limit: int = 0


ALL = Select()


class Stream(Protocol):
    """A watch under way, which may be closed by another thread."""

    def __iter__(self) -> Iterator[Change]: ...

    def close(self) -> None:
        """End it."""
        ...


class Cluster(Protocol):
    """One cluster's API server. Safe to share between threads; each call is made once.

    Faults are those of ``bot.providers.kube.faults``.
    """

    @property
    def name(self) -> str:
        """How messages name it."""
        ...

    def get(self, resource: Resource, namespace: str, name: str) -> Raw | None:
        """The object now; ``None`` where there is none of that name."""
        ...

    def list(self, resource: Resource, namespace: str, select: Select = ALL) -> Listing:
        """The namespace's objects."""
        ...

    def patch(self, resource: Resource, namespace: str, name: str, body: Raw) -> Raw:
        """A JSON merge patch; returns the object afterwards.

        With ``metadata.resourceVersion`` in it, ``Conflict`` tells that somebody was faster.
        """
        ...

    def watch(
        self, resource: Resource, namespace: str, version: str, seconds: int
    ) -> AbstractContextManager[Stream]:
        """What changes after ``version``, for so many seconds at most.

        Raises ``Gone`` where the server does not remember that version any more, also from the
        stream; ``Unreachable`` where nothing is heard of it for longer than it was to last.
        """
        ...

    def allowed(self, verb: str, resource: Resource, namespace: str) -> bool:
        """Whether we may, by a SelfSubjectAccessReview."""
        ...


class Clusters(Protocol):
    """Every cluster that the catalog names; none is called before it is asked for."""

    def at(self, context: str | None) -> Cluster:
        """By the kubeconfig's context; ``None`` is the current one, or the own cluster.

        Raises ``Misconfigured`` where there is none.
        """
        ...
