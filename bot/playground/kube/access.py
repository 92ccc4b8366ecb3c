"""Who calls, and what their roles allow: RBAC as the API server applies it.

Everybody may do everything until ``only`` names a user's rules. The same rules answer a
SelfSubjectAccessReview and refuse a call.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.playground.kube.refusals import ApiError, forbidden
from bot.playground.kube.resources import Json, Resource

ANY = "*"
DEFAULT_USER = "system:serviceaccount:quarterdeck:quarterdeck"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a Role, bound in ``namespace``, or in all of them where that is empty.

    ``resources`` are plurals, with a subresource as ``deployments/scale``.
    """

    verbs: Sequence[str]
    groups: Sequence[str]
    resources: Sequence[str]
    names: Sequence[str] = ()
    namespace: str = ""

    def allows(self, asked: Attributes) -> bool:
        """Whether this rule alone allows it."""
        return (
            _covers(self.verbs, asked.verb)
            and _covers(self.groups, asked.group)
            and _covers(self.resources, asked.resource)
            and (not self.names or asked.name in self.names)
            and self.namespace in {"", asked.namespace}
        )


@dataclass(frozen=True, slots=True)
class Attributes:
    """What somebody wants to do, as RBAC sees it."""

    verb: str
    group: str
    resource: str
    namespace: str = ""
    name: str = ""


class Access:
    """Tokens by their user, and rules by user."""

    def __init__(self) -> None:
        self._users: dict[str, str] = {}
        self._rules: dict[str, list[Rule]] = {}
        self._revoked: list[tuple[str, Rule]] = []

    def admit(self, token: str, user: str) -> None:
        """Let ``token`` speak for ``user``."""
        self._users[token] = user

    def dismiss(self, token: str) -> None:
        """Know that token no more."""
        self._users.pop(token, None)

    def user(self, authorization: str) -> str | None:
        """Whose ``Authorization`` header that is."""
        scheme, _, token = authorization.partition(" ")
        return self._users.get(token.strip()) if scheme.lower() == "bearer" else None

    def only(self, rules: Sequence[Rule], user: str = DEFAULT_USER) -> None:
        """Give the user exactly these rules."""
        self._rules[user] = list(rules)

    def revoke(self, verb: str, resource: str, namespace: str = "") -> None:
        """Take one verb on a resource away from everybody, whatever the rules say."""
        rule = Rule((verb,), (ANY,), (resource,), namespace=namespace)
        self._revoked.append((verb, rule))

    def restore(self) -> None:
        """Let everybody do everything again."""
        self._rules.clear()
        self._revoked.clear()

    def allows(self, user: str, asked: Attributes) -> bool:
        """Whether the user may do that."""
        if any(rule.allows(asked) for _, rule in self._revoked):
            return False
        rules = self._rules.get(user)
        return rules is None or any(rule.allows(asked) for rule in rules)

    def review(self, user: str, body: Json) -> Json:
        """The answer to a SelfSubjectAccessReview."""
        spec = body.get("spec", {})
        wanted = spec.get("resourceAttributes", {})
        plural, sub = wanted.get("resource", ""), wanted.get("subresource", "")
        asked = Attributes(
            wanted.get("verb", ""),
            wanted.get("group", ""),
            f"{plural}/{sub}" if sub else plural,
            wanted.get("namespace", ""),
            wanted.get("name", ""),
        )
        allowed = "nonResourceAttributes" in spec or self.allows(user, asked)
        return {
            "kind": "SelfSubjectAccessReview",
            "apiVersion": "authorization.k8s.io/v1",
            "metadata": {},
            "spec": spec,
            "status": {"allowed": allowed, "reason": "RBAC: allowed" if allowed else ""},
        }


def denial(user: str, resource: Resource, asked: Attributes) -> ApiError:
    """The API server's refusal where no rule allows it."""
    where = f'in the namespace "{asked.namespace}"' if asked.namespace else "at the cluster scope"
    why = (
        f'User "{user}" cannot {asked.verb} resource "{asked.resource}" in API group '
        f'"{asked.group}" {where}'
    )
    return forbidden(resource, asked.name, why)


def _covers(given: Sequence[str], wanted: str) -> bool:
    return ANY in given or wanted in given
