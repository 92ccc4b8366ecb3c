"""What must fit together between the parts of a catalog, beyond what each part says alone.

These checks read the plain values of the file and leave out what is malformed, which is told
elsewhere: so a wrong reference is found beside a wrong key, and not only after it is mended.
"""

from __future__ import annotations

from collections.abc import Iterator

from bot.model.catalog import window_shape
from bot.settings.document import Document, Value, Where, dotted
from bot.settings.overlap import application, claims
from bot.settings.problems import Problem, did_you_mean, quoted

Mapping_ = dict[str, Value]


def check_whole(document: Document, reserved: frozenset[str]) -> Iterator[Problem]:
    """Every problem between the parts. ``reserved`` are words that commands begin with."""
    yield from _references(document)
    yield from _target_problems(document)
    yield from _name_problems(document, reserved)
    for where, policy in _named(document, "policies"):
        yield from _approval_problems(document, where, policy)
        yield from _window_problems(document, where, policy)


def _references(document: Document) -> Iterator[Problem]:
    for where, environment in _named(document, "environments"):
        yield from _unresolved(document, where, environment, "policy", "policies")
    for where, target in _targets(document):
        yield from _unresolved(document, where, target, "service", "services")
        yield from _unresolved(document, where, target, "environment", "environments")
        yield from _unresolved(document, where, target, "policy", "policies")


def _unresolved(
    document: Document, where: Where, part: Mapping_, key: str, section: str
) -> Iterator[Problem]:
    name = part.get(key)
    known = _mapping(_mapping(document.root).get(section))
    if isinstance(name, str) and name not in known:
        message = f"there is no {key} {quoted(name)} in {section}"
        yield document.problem((*where, key), message, did_you_mean(name, known))


def _target_problems(document: Document) -> Iterator[Problem]:
    """One entry per service and environment, and one per thing that is changed."""
    seen: dict[tuple[str, ...], Where] = {}
    environments: dict[tuple[str, ...], tuple[Value, Where]] = {}
    for where, target in _targets(document):
        for key, what, taken in claims(target):
            if key in seen:
                yield _taken(document, where, f"{what} {taken}", seen[key])
            seen.setdefault(key, where)
        if of := application(target):
            here = target.get("environment")
            other, at = environments.setdefault(of, (here, where))
            if other != here:
                what = "this Application in another environment is a target already"
                yield _taken(document, where, what, at)


def _taken(document: Document, where: Where, what: str, by: Where) -> Problem:
    message = f"{what}: {dotted(by)} in line {document.values[by][0]}"
    return document.problem(where, message, "Remove one of them.")


def _name_problems(document: Document, reserved: frozenset[str]) -> Iterator[Problem]:
    """Services, environments and their aliases share one set of names: people type them alike."""
    taken: dict[str, tuple[str, int]] = {}
    for where, name, what in _names(document):
        line = document.keys.get(where, document.values.get(where, (1, 1)))[0]
        if name in reserved:
            message = f"{quoted(name)} is a word of Quarterdeck's own commands"
            yield document.problem(where, message, "Choose another name.", at_key=True)
        if name in taken:
            other, at = taken[name]
            message = f"{quoted(name)} is {other} already, in line {at}"
            suggestion = "Names and aliases of services and environments must all differ."
            yield document.problem(where, message, suggestion, at_key=True)
        taken.setdefault(name, (what, line))


def _names(document: Document) -> Iterator[tuple[Where, str, str]]:
    for section, what in (("services", "a service"), ("environments", "an environment")):
        for where, part in _named(document, section):
            yield where, str(where[-1]), what
            for index, alias in enumerate(_list(part.get("aliases"))):
                if isinstance(alias, str):
                    yield (*where, "aliases", index), alias, f"an alias in {dotted(where)}"


def _approval_problems(document: Document, where: Where, policy: Mapping_) -> Iterator[Problem]:
    needed = policy.get("approvals")
    count = int(needed) if isinstance(needed, str) and needed.isdecimal() else 0
    here = (*where, "approvals")
    if count == 0:
        if policy.get("required_group") is not None and needed in (None, "0"):
            message = "a group is required to approve, but no approvals are"
            yield document.problem(
                (*where, "required_group"), message, 'Set "approvals" to 1 or more.'
            )
        return
    users, open_ended = _people(policy, "approvers")
    if open_ended:
        return
    if not users:
        message = f"{count} approvals are needed, but nobody may approve"
        yield document.problem(here, message, 'List users or groups under "approvers".')
    elif len(users) < count:
        message = f"{count} approvals are needed, but only {len(users)} may approve"
        yield document.problem(here, message, 'Add "approvers", or lower "approvals".')
    elif _all_short(policy, users, count):
        message = "whoever may deploy leaves too few others to approve"
        suggestion = 'Add "approvers": a requester\'s own approval does not count.'
        yield document.problem(here, message, suggestion)


def _all_short(policy: Mapping_, approvers: set[str], count: int) -> bool:
    """Whether for every deployer the approvers besides them are too few."""
    deployers, open_ended = _people(policy, "deployers")
    if open_ended or not deployers or policy.get("self_approval") is True:
        return False
    return all(len(approvers - {deployer}) < count for deployer in deployers)


def _people(policy: Mapping_, role: str) -> tuple[set[str], bool]:
    """The users named for a role, and whether groups or everyone are named as well."""
    people = _mapping(policy.get(role))
    users = {user for user in _list(people.get("users")) if isinstance(user, str)}
    return users, bool(_list(people.get("groups"))) or people.get("everyone") is True


def _window_problems(document: Document, where: Where, policy: Mapping_) -> Iterator[Problem]:
    for index, window in enumerate(_list(policy.get("freezes"))):
        if isinstance(window, dict):
            given = {key for key, value in window.items() if value is not None}
            if wrong := window_shape(given):
                yield document.problem((*where, "freezes", index), wrong)


def _named(document: Document, section: str) -> Iterator[tuple[Where, Mapping_]]:
    for name, part in _mapping(_mapping(document.root).get(section)).items():
        yield (section, name), _mapping(part)


def _targets(document: Document) -> Iterator[tuple[Where, Mapping_]]:
    for index, target in enumerate(_list(_mapping(document.root).get("targets"))):
        yield ("targets", index), _mapping(target)


def _mapping(value: Value) -> Mapping_:
    return value if isinstance(value, dict) else {}


def _list(value: Value) -> list[Value]:
    return value if isinstance(value, list) else []
