"""People, policies and facts that the policy's tests share."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from bot.model.catalog import FreezeWindow, People, Policy
from bot.model.deployment import (
    SYSTEM,
    Ballot,
    Deployment,
    Freeze,
    Image,
    Kind,
    Lock,
    Pause,
    Person,
    Requester,
    Status,
    Target,
    Vote,
)
from bot.policy.facts import Facts

NOW = datetime(2026, 3, 4, 15, 30, tzinfo=UTC)
TARGET = Target("backend", "production")
DIGEST = "sha256:" + "a" * 64
OTHER_DIGEST = "sha256:" + "b" * 64
IMAGE = Image("123456789012.dkr.ecr.eu-west-1.amazonaws.com/backend", DIGEST, "v2")

DEPLOYERS, APPROVERS, SECURITY, RESPONDERS = "SDEP", "SAPP", "SSEC", "SINC"

POLICY = Policy(
    deployers=People(users=("UDEP",), groups=(DEPLOYERS,)),
    approvers=People(users=("UAPP",), groups=(APPROVERS,)),
    approvals=0,
    incident_responders=People(groups=(RESPONDERS,)),
)
WINDOW = FreezeWindow.model_validate(
    {
        "name": "release *party*",
        "from": datetime(2026, 3, 4, 12, tzinfo=UTC),
        "until": datetime(2026, 3, 4, 20, tzinfo=UTC),
        "reason": "cake",
    }
)


def somebody(user: str, *groups: str, channel: str = "CDEPLOY") -> Requester:
    return Requester(Person(user, user.lower()), frozenset(groups), channel)


DEPLOYER = somebody("U01", DEPLOYERS)
APPROVER = somebody("U02", APPROVERS)
RESPONDER = somebody("U03", RESPONDERS)
DEPLOYING_RESPONDER = somebody("U04", RESPONDERS, DEPLOYERS)
NOBODY = somebody("U09")
OUTSIDER = replace(somebody("U08", DEPLOYERS, APPROVERS, RESPONDERS), outsider=True)
BOT = replace(somebody("U07", DEPLOYERS, APPROVERS, RESPONDERS), is_bot=True)

LOCK = Lock("backend", "production", Person("U05", "eve <!channel>"), "a *test*", NOW, None)
STAR = Lock("*", "production", Person("U05", "eve"), "", NOW, NOW + timedelta(hours=1))
HOLD = Lock("backend", "production", SYSTEM, "held after backend-production-1", NOW, None)
FREEZE = Freeze("production", Person("U05", "eve"), "sale", NOW, NOW + timedelta(hours=1))
PAUSE = Pause(Person("U05", "eve"), "incident", NOW)


def facts(
    requester: Requester = DEPLOYER, policy: Policy = POLICY, kind: Kind = Kind.DEPLOY
) -> Facts:
    return Facts(NOW, kind, TARGET, policy, requester, IMAGE)


def with_policy(**changes: object) -> Policy:
    return POLICY.model_copy(update=changes)


def deployment(**changes: object) -> Deployment:
    made = Deployment(
        id="backend-production-7",
        kind=Kind.DEPLOY,
        target=TARGET,
        requester=DEPLOYER.person,
        requester_is_bot=False,
        channel="CDEPLOY",
        image=IMAGE,
        previous=None,
        previous_revision=None,
        reason="",
        status=Status.AWAITING_APPROVAL,
        created_at=NOW - timedelta(hours=1),
        request_id="r1",
        approvals_needed=1,
        expires_at=NOW + timedelta(hours=3),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def vote(user: str, ballot: Ballot = Ballot.APPROVE, digest: str = DIGEST) -> Vote:
    return Vote("backend-production-7", Person(user, user.lower()), ballot, digest, NOW)
