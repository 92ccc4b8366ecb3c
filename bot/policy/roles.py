"""Who somebody is to a policy. Ambiguous means no: a bot is never part of ``everyone``."""

from __future__ import annotations

from collections.abc import Iterable

from bot.model.catalog import People, Policy
from bot.model.deployment import Requester


def names(people: People, person_id: str, groups: frozenset[str]) -> bool:
    """Whether ``people`` names a person of these groups: by id, by group, or as a member."""
    return people.everyone or person_id in people.users or not groups.isdisjoint(people.groups)


def belongs(people: People, requester: Requester) -> bool:
    """Whether ``people`` names the requester. Outsiders never belong; bots only by id or group."""
    if requester.outsider:
        return False
    listed = people.model_copy(update={"everyone": False}) if requester.is_bot else people
    return names(listed, requester.person.id, requester.groups)


def approves(policy: Policy, person_id: str, groups: frozenset[str]) -> bool:
    """Whether a person is an approver. To require a group's approval is to name it as approvers."""
    return names(policy.approvers, person_id, groups) or policy.required_group in groups


def is_deployer(policy: Policy, requester: Requester) -> bool:
    """Whether they may ask for deployments."""
    return belongs(policy.deployers, requester)


def is_approver(policy: Policy, requester: Requester) -> bool:
    """Whether they may approve: people only."""
    trusted = not requester.outsider and not requester.is_bot
    return trusted and approves(policy, requester.person.id, requester.groups)


def is_responder(policy: Policy, requester: Requester) -> bool:
    """Whether they may act in an incident: people only."""
    return not requester.is_bot and belongs(policy.incident_responders, requester)


def may_take_back(policy: Policy, requester: Requester) -> bool:
    """Whether they may roll back: whoever has any part in the target."""
    return (
        is_deployer(policy, requester)
        or is_approver(policy, requester)
        or is_responder(policy, requester)
    )


def may_promote(policy: Policy, requester: Requester) -> bool:
    """Whether they may bring a canary on or hold it: whom the policy names, else whoever may
    deploy or approve. People only, but for bots that are named as promoters."""
    if policy.promoters is not None:
        return belongs(policy.promoters, requester)
    return is_deployer(policy, requester) or is_approver(policy, requester)


def oversees(policy: Policy, requester: Requester) -> bool:
    """Whether they may stop everybody else: approvers and incident responders."""
    return is_approver(policy, requester) or is_responder(policy, requester)


def approvers_of(policy: Policy) -> People:
    """The approvers with the required group among them."""
    group = policy.required_group
    extra = (group,) if group is not None and group not in policy.approvers.groups else ()
    return policy.approvers.model_copy(update={"groups": (*policy.approvers.groups, *extra)})


def promoters(policy: Policy) -> str:
    """Who may tell a canary what to do, as Slack mentions; empty where nobody is named."""
    if policy.promoters is not None:
        return mentions(policy.promoters)
    return mentions(policy.deployers, approvers_of(policy))


def called(policy: Policy) -> str:
    """Who is called when a canary needs people: its approvers, else whoever is on call."""
    return mentions(approvers_of(policy)) or mentions(policy.incident_responders)


def abilities(policy: Policy, requester: Requester) -> tuple[str, ...]:
    """What ``whoami`` lists: the things they may do under this policy."""
    able = (
        ("deploy", is_deployer(policy, requester)),
        ("approve", is_approver(policy, requester)),
        ("promote canaries", may_promote(policy, requester)),
        ("roll back", may_take_back(policy, requester)),
        ("lock", may_take_back(policy, requester)),
        ("freeze and pause", oversees(policy, requester)),
        ("override freezes", is_responder(policy, requester)),
    )
    return tuple(name for name, can in able if can)


def mentions(*groups_of_people: People) -> str:
    """The people as Slack mentions, groups first, each once; empty where nobody is named."""
    return ", ".join(dict.fromkeys(_mention(groups_of_people)))


def _mention(groups_of_people: Iterable[People]) -> Iterable[str]:
    everybody = tuple(groups_of_people)
    if any(people.everyone for people in everybody):
        yield "any full member of the workspace"
    for people in everybody:
        yield from (f"<!subteam^{group}>" for group in people.groups)
    for people in everybody:
        yield from (f"<@{user}>" for user in people.users)


def ask(*groups_of_people: People) -> str:
    """``Ask <@U1> or ...``: who can help, or that the policy names nobody."""
    found = mentions(*groups_of_people)
    return (
        f"Ask one of: {found}."
        if found
        else "The policy names nobody for that: it is changed in quarterdeck.yaml."
    )
