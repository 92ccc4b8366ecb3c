"""Which resources the local cluster serves, and how each of them is written.

A resource with a *status* subresource keeps what the main endpoint says of ``status`` away from
the stored object, and the other way round. Argo CD's Application has none: its whole object is
written at once, and its generation counts every change outside of ``metadata``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar, cast

T = TypeVar("T")
# An object as it goes over the wire.
Json = dict[str, Any]

READS = ("get", "list", "watch")
WRITES = ("create", "update", "patch", "delete")


@dataclass(frozen=True, slots=True, eq=False)  # there is one of each: keys are hashed often
class Resource:
    """One kind of object and its address.

    ``custom`` ones come from a CustomResourceDefinition: no strategic merge, no update without a
    resourceVersion. ``virtual`` ones are answered and not kept.
    """

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True
    short: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()
    custom: bool = False
    virtual: bool = False

    @property
    def api_version(self) -> str:
        """What stands in ``apiVersion``: ``v1``, ``apps/v1``."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def title(self) -> str:
        """How errors name it: ``pods``, ``deployments.apps``."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def counts_status(self) -> bool:
        """Whether ``status`` is written through an endpoint of its own."""
        return "status" in self.subresources


NAMESPACES = Resource("", "v1", "namespaces", "Namespace", namespaced=False, short=("ns",))
PODS = Resource("", "v1", "pods", "Pod", short=("po",), subresources=("status", "log"))
EVENTS = Resource("", "v1", "events", "Event", short=("ev",))
CONFIG_MAPS = Resource("", "v1", "configmaps", "ConfigMap", short=("cm",))
SERVICES = Resource("", "v1", "services", "Service", short=("svc",), subresources=("status",))
SECRETS = Resource("", "v1", "secrets", "Secret")
SERVICE_ACCOUNTS = Resource("", "v1", "serviceaccounts", "ServiceAccount", short=("sa",))
DEPLOYMENTS = Resource(
    "apps", "v1", "deployments", "Deployment", short=("deploy",), subresources=("status", "scale")
)
REPLICA_SETS = Resource(
    "apps", "v1", "replicasets", "ReplicaSet", short=("rs",), subresources=("status", "scale")
)
APPLICATIONS = Resource(
    "argoproj.io",
    "v1alpha1",
    "applications",
    "Application",
    short=("app", "apps"),
    custom=True,
)
APP_PROJECTS = Resource(
    "argoproj.io",
    "v1alpha1",
    "appprojects",
    "AppProject",
    short=("appproj", "appprojs"),
    custom=True,
)
ROLLOUTS = Resource(
    "argoproj.io",
    "v1alpha1",
    "rollouts",
    "Rollout",
    short=("ro",),
    subresources=("status", "scale"),
    custom=True,
)
HTTP_ROUTES = Resource(
    "gateway.networking.k8s.io",
    "v1",
    "httproutes",
    "HTTPRoute",
    subresources=("status",),
    custom=True,
)
ACCESS_REVIEWS = Resource(
    "authorization.k8s.io",
    "v1",
    "selfsubjectaccessreviews",
    "SelfSubjectAccessReview",
    namespaced=False,
    virtual=True,
)

RESOURCES = (
    NAMESPACES,
    PODS,
    EVENTS,
    CONFIG_MAPS,
    SERVICES,
    SECRETS,
    SERVICE_ACCOUNTS,
    DEPLOYMENTS,
    REPLICA_SETS,
    APPLICATIONS,
    APP_PROJECTS,
    ROLLOUTS,
    HTTP_ROUTES,
    ACCESS_REVIEWS,
)


def resource_at(group: str, version: str, plural: str) -> Resource | None:
    """The resource of that address, where it is served."""
    wanted = (group, version, plural)
    return next((r for r in RESOURCES if (r.group, r.version, r.plural) == wanted), None)


def resource_of(api_version: str, kind: str) -> Resource | None:
    """The resource that a manifest's ``apiVersion`` and ``kind`` name, where it is served."""
    wanted = (api_version, kind)
    return next((r for r in RESOURCES if (r.api_version, r.kind) == wanted), None)


def cloned(found: T) -> T:
    """A deep copy of an object as it goes over the wire; in there are only JSON's own types."""
    return cast("T", _cloned(found))


def _cloned(found: Any) -> Any:
    if isinstance(found, dict):
        return {key: _cloned(each) for key, each in found.items()}
    if isinstance(found, list):
        return [_cloned(each) for each in found]
    return found
