"""What the thread and the trail keep of what a provider answered."""

from __future__ import annotations

import pytest

from bot.commands.model import Approve, Deploy
from bot.model.catalog import TargetSpec
from bot.model.places import Manifests
from bot.workflows.telling import told
from tests.fakes.inner_rooms import ANALYTICS, PRODUCTION, Rooms, a_catalog, person, under_argo_cd

COMMIT = "0123456789abcdef0123456789abcdef01234567"
ECS = a_catalog().spec(ANALYTICS)
ARGO_CD = under_argo_cd(a_catalog(), ANALYTICS).spec(ANALYTICS)
KUBERNETES = TargetSpec.model_validate(
    {
        "service": "analytics",
        "environment": "staging",
        "kubernetes": {"namespace": "apps", "deployment": "analytics", "container": "app"},
    }
)


@pytest.mark.parametrize(
    ("spec", "handle", "said"),
    [
        (ARGO_CD, COMMIT, "Committed 0123456 to acme/manifests."),
        (ARGO_CD, "pull/12", "Pull request #12 in acme/manifests waits to be merged."),
        (
            ARGO_CD,
            f"rollback/{COMMIT}",
            "Argo CD takes analytics-staging back to 0123456 of its history.",
        ),
        (ARGO_CD, "other/4", "The provider accepted the rollout (other/4)."),
        (KUBERNETES, "7", "Patched the Deployment apps/analytics (generation 7)."),
        (KUBERNETES, "x", "The provider accepted the rollout (x)."),
        (ECS, "ecs-svc/1", "The provider accepted the rollout (ecs-svc/1)."),
        (None, COMMIT, f"The provider accepted the rollout ({COMMIT})."),
        (ARGO_CD, None, "Rollout started."),
        (ECS, "", "Rollout started."),
    ],
)
def test_the_thread_says_it_in_the_providers_terms(
    spec: TargetSpec | None, handle: str | None, said: str
) -> None:
    assert told(spec, handle) == said


@pytest.mark.parametrize(
    "remote",
    [
        "https://github.com/acme/manifests.git",
        "https://github.com/acme/manifests",
        "https://git.example.com:8443/group/acme/manifests.git/",
        "git@github.com:acme/manifests.git",
        "ssh://git@git.example.com:2222/acme/manifests.git",
    ],
)
def test_a_repository_is_called_as_people_call_it(remote: str) -> None:
    place = Manifests.model_validate({"repository": remote, "kustomize": {"image": "app"}})
    assert place.name == "acme/manifests"


def test_the_trail_keeps_the_handle(rooms: Rooms) -> None:
    made = rooms.started()
    intent, done = rooms.rows(action="rollout.tell")
    assert (intent.entry.decision, intent.entry.detail) == ("intent", {})
    assert (done.entry.decision, done.entry.detail) == ("done", {"handle": made.handle})


def test_the_provider_is_told_who_asked_who_approved_and_why(rooms: Rooms) -> None:
    rooms.catalog = a_catalog(approvals=2)
    made = rooms.asked("alice", Deploy((PRODUCTION,), "v2", reason="checkout fix"))
    for name in ("bob", "carol"):
        rooms.says(name, Approve(made.id))
    rooms.start(rooms.get(made.id))
    (order,) = rooms.rollouts.orders
    assert (order.requester, order.reason) == (person("alice"), "checkout fix")
    assert order.approvers == (person("bob"), person("carol"))
