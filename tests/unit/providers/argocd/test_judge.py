"""The judge's table: what Argo CD shows on the left, what is true of our rollout on the right."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.model.deployment import Progress
from bot.model.errors import Unreachable
from bot.model.rollout import End
from bot.providers.argocd.desired import Author, Relation
from bot.providers.argocd.following import Following
from bot.providers.argocd.judge import (
    FLAPS,
    SAME_SECOND,
    TROUBLE,
    Mood,
    judge,
    patience_left,
    read,
)
from bot.providers.argocd.views import application_of
from bot.providers.kube.workload import workload_of
from tests.fakes.argo_views import (
    LATER,
    OLD,
    OLD_VALUE,
    OURS,
    T0,
    VALUE,
    application,
    deployment,
    operation,
    stamp,
)

SETTLE = 10.0
HERE = Following(OURS, VALUE, Relation.OURS, Relation.OURS)
NO_SYNC = replace(HERE, attempted=Relation.WITHOUT)
NOT_SEEN = Following(OURS, VALUE, Relation.WITHOUT, Relation.WITHOUT)
CARRIED = replace(HERE, synced=Relation.CARRIES)
DONE = operation()
DAVE = Author("dave", LATER, "back to v1.4.0", T0)


def look(app: dict[str, Any] | None, following: Following = HERE, lasted: float = 1e6) -> Any:
    """The observation once this look has lasted for ever."""
    view = application_of(app) if app is not None else None
    return judge(view, following, read(view, following), lasted, SETTLE)


@pytest.mark.parametrize(
    ("app", "following", "end", "code"),
    [
        # success
        (application(state=DONE), HERE, End.SUCCEEDED, ""),
        (application(state=operation(revision=LATER)), CARRIED, End.SUCCEEDED, ""),
        # a commit that changes nothing needs no sync
        (application(state=operation(revision=OLD, ended=-500)), NO_SYNC, End.SUCCEEDED, ""),
        (application(state=None), NO_SYNC, End.SUCCEEDED, ""),
        # E7: Synced and Healthy of the old revision
        (application(OLD, state=operation(revision=OLD, ended=-500)), NOT_SEEN, None, ""),
        # the revision moves on, even as Synced, while its sync still runs
        (application(state=operation("Running")), HERE, None, ""),
        (application(state=operation("Terminating")), HERE, None, ""),
        (application(state=None, operation={"sync": {"revision": OURS}}), HERE, None, ""),
        # E7: healthy by a comparison from before the sync ended
        (application(state=DONE, reconciled=19), HERE, None, ""),
        (application(state=DONE, reconciled=None), HERE, None, ""),
        # not in sync, not healthy
        (application(synced="OutOfSync", state=DONE), HERE, None, ""),
        (application(OURS, "OutOfSync", "Degraded", DONE, 19), HERE, None, ""),
        (application(synced="Unknown", state=DONE), HERE, None, ""),
        (application(health="Progressing", state=DONE), HERE, None, ""),
        (application(health="Suspended", state=DONE), HERE, None, ""),
        (application(health="Unknown", state=DONE), HERE, None, ""),
        # ends
        (application(health="Degraded", state=DONE), HERE, End.FAILED, "DEGRADED"),
        (
            application(synced="OutOfSync", health="Degraded", state=DONE),
            HERE,
            End.FAILED,
            "DEGRADED",
        ),
        (application(health="Missing", state=DONE), HERE, End.FAILED, "MISSING"),
        (None, HERE, End.FAILED, "MISSING"),
        (application(metadata={"deletionTimestamp": stamp(30)}), HERE, End.FAILED, "MISSING"),
        (application(state=operation("Failed")), HERE, End.FAILED, "SYNC_FAILED"),
        (application(state=operation("Error")), HERE, End.FAILED, "SYNC_FAILED"),
        # somebody's sync of another revision failed: not ours
        (application(OLD, state=operation("Failed", OLD)), NOT_SEEN, None, ""),
        # degraded before our commit is there says nothing about it
        (application(OLD, health="Degraded"), NOT_SEEN, None, ""),
        (application(synced="OutOfSync", health="Degraded", state=None), NO_SYNC, None, ""),
        (application(synced="OutOfSync", health="Missing", state=None), NO_SYNC, None, ""),
        (
            application(health="Degraded", state=operation("Running")),
            HERE,
            None,
            "",
        ),
        # another author on top
        (
            application(LATER),
            replace(HERE, synced=Relation.CHANGED, author=DAVE),
            End.SUPERSEDED,
            "SUPERSEDED",
        ),
        (application(LATER), replace(HERE, synced=Relation.UNKNOWN), None, ""),
    ],
)
def test_what_a_lasting_look_means(
    app: dict[str, Any] | None, following: Following, end: End | None, code: str
) -> None:
    observed = look(app, following)
    assert (observed.end, observed.reason_code) == (end, code)


def conditioned(kind: str, message: str = "no such chart") -> dict[str, Any]:
    return application(status={"conditions": [{"type": kind, "message": message}]})


@pytest.mark.parametrize(
    ("app", "following", "said"),
    [
        (
            application(OLD),
            NOT_SEEN,
            "has not seen commit aaaaaaa yet; it still compares with 0000000",
        ),
        (
            application(LATER),
            replace(HERE, synced=Relation.UNKNOWN),
            "the repository does not have",
        ),
        (
            application(LATER),
            replace(HERE, synced=Relation.CHANGED, author=DAVE),
            "dave changed the image in git again, in ccccccc (back to v1.4.0)",
        ),
        (conditioned("ComparisonError"), HERE, "cannot compare what is in git: no such chart"),
        (conditioned("InvalidSpecError", "not permitted"), HERE, "refuses it: not permitted"),
        (
            application(OLD, state=operation("Running", OLD)),
            NOT_SEEN,
            "Another operation is in progress: a sync of 0000000 since 12:00 UTC, started by Argo",
        ),
        (
            application(OLD, state=operation("Terminating", OLD)),
            NOT_SEEN,
            "and is being terminated",
        ),
        (
            application(
                OLD, operation={"initiatedBy": {"username": "dave"}, "sync": {"revision": OLD}}
            ),
            NOT_SEEN,
            "started by dave",
        ),
        (
            application(state=operation("Running", message="waiting for healthy state of web")),
            HERE,
            "Argo CD is syncing: waiting for healthy state of web",
        ),
        (
            application(
                state=operation("Running", message="Sync operation blocked by sync window")
            ),
            replace(HERE, closed="The window (0 18 * * *) is closed"),
            "The window (0 18 * * *) is closed: the sync waits until it opens.",
        ),
        (
            application(synced="OutOfSync"),
            replace(NO_SYNC, closed="The window is closed"),
            "The window is closed: Argo CD syncs when it opens.",
        ),
        (application(synced="OutOfSync"), replace(NO_SYNC, turned_off=True), "was turned off"),
        (application(synced="OutOfSync"), NO_SYNC, "about to sync it"),
        (
            application(synced="OutOfSync", spec={"syncPolicy": None}),
            NO_SYNC,
            "Auto-sync is off: a sync is being asked for",
        ),
        (
            application(synced="OutOfSync", spec={"syncPolicy": None}),
            replace(NO_SYNC, may_not="We may not."),
            "We may not.",
        ),
        (application(synced="OutOfSync", state=DONE), HERE, "still OutOfSync: Deployment web"),
        (
            application(
                health="Degraded",
                state=DONE,
                status={
                    "resources": [
                        {
                            "kind": "Deployment",
                            "name": "web",
                            "health": {"status": "Degraded", "message": "exceeded its deadline"},
                        }
                    ]
                },
            ),
            replace(HERE, reasons=("Container app: CrashLoopBackOff",)),
            "Degraded: Deployment web (exceeded its deadline); Container app: CrashLoopBackOff",
        ),
        # Argo CD 3 does not keep the health of resources in the Application
        (
            application(
                health="Degraded",
                state=DONE,
                status={"resources": [], "health": {"message": "Deployment web is bad"}},
            ),
            HERE,
            "Degraded: Deployment web is bad",
        ),
        (application(health="Missing", state=DONE), HERE, "Missing: Deployment web"),
        (application(health="Suspended", state=DONE), HERE, "Paused: Deployment web"),
        (
            application(health="Progressing", state=DONE),
            replace(HERE, reasons=("Container app: ImagePullBackOff",)),
            "It is Progressing: Container app: ImagePullBackOff",
        ),
        (None, HERE, "was deleted while the rollout ran"),
        (
            application(state=operation("Failed", message="Operation terminated")),
            HERE,
            "The sync of our commit was terminated.",
        ),
        (
            application(
                state=operation(
                    "Failed",
                    message="one or more objects failed to apply",
                    syncResult={
                        "resources": [
                            {"kind": "Service", "name": "web", "status": "Synced"},
                            {
                                "kind": "Deployment",
                                "name": "web",
                                "status": "SyncFailed",
                                "message": "field is immutable",
                            },
                            {"kind": "Job", "name": "migrate", "hookPhase": "Failed"},
                        ]
                    },
                )
            ),
            HERE,
            "The sync failed: Deployment web: field is immutable; Job migrate: no reason",
        ),
    ],
)
def test_each_has_words_of_its_own(
    app: dict[str, Any] | None, following: Following, said: str
) -> None:
    assert said in look(app, following).explanation


@pytest.mark.parametrize(
    ("app", "patience"),
    [
        (application(state=DONE), SETTLE),
        (application(health="Degraded", state=DONE), FLAPS * SETTLE),
        (application(health="Missing", state=DONE), FLAPS * SETTLE),
        (None, FLAPS * SETTLE),
        (conditioned("ComparisonError"), TROUBLE),
        (application(state=operation("Failed")), 0.0),
    ],
)
def test_a_look_ends_it_only_when_it_lasted(app: dict[str, Any] | None, patience: float) -> None:
    view = application_of(app) if app is not None else None
    reading = read(view, HERE)
    assert judge(view, HERE, reading, patience, SETTLE).end is not None
    assert patience_left(reading, 0.0, SETTLE) == patience
    if patience:
        early = judge(view, HERE, reading, patience - 0.1, SETTLE)
        assert (early.end, early.reason_code) == (None, "")


def test_a_bad_health_of_the_same_second_may_be_that_of_before() -> None:
    """Where nothing is to settle, a fix on top of what was degraded is not failed for it."""
    view = application_of(application(health="Degraded", state=operation(ended=21), reconciled=21))
    reading = read(view, HERE)
    assert judge(view, HERE, reading, SAME_SECOND - 0.1, 0.0).end is None
    assert judge(view, HERE, reading, SAME_SECOND, 0.0).end is End.FAILED
    late = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
    failed = workload_of(deployment(updated=1, status={"conditions": [late]}))
    agreed = replace(HERE, workload=failed)
    assert judge(view, agreed, read(view, agreed), 0.0, 0.0).end is End.FAILED


def test_within_one_second_it_is_not_known_what_came_first() -> None:
    view = application_of(application(state=operation(ended=21), reconciled=21))
    reading = read(view, HERE)
    assert reading.mood is Mood.SETTLES
    assert judge(view, HERE, reading, SAME_SECOND - 0.1, 0.0).end is None
    assert judge(view, HERE, reading, SAME_SECOND, 0.0).end is End.SUCCEEDED
    agreed = replace(HERE, workload=workload_of(deployment()))
    assert judge(view, agreed, read(view, agreed), 0.0, 0.0).end is End.SUCCEEDED
    for beyond_doubt in (
        application(state=operation(ended=20), reconciled=21),
        application(
            state=operation(ended=21),
            reconciled=21,
            status={"health": {"lastTransitionTime": stamp(22)}},
        ),
    ):
        later = application_of(beyond_doubt)
        assert judge(later, HERE, read(later, HERE), 0.0, 0.0).end is End.SUCCEEDED


@pytest.mark.parametrize(
    ("workload", "end"),
    [
        (deployment(), End.SUCCEEDED),
        (deployment("other/web:v1.4.0@sha256:" + "b2" * 32), None),
        (deployment(updated=1, total=3), None),
        (deployment(available=1), None),
        (deployment(observed=2), None),
    ],
)
def test_the_deployment_has_to_agree(workload: dict[str, Any], end: End | None) -> None:
    observed = look(application(state=DONE), replace(HERE, workload=workload_of(workload)))
    assert observed.end is end
    if end is None:
        assert observed.explanation


def test_pods_are_counted_where_they_can_be() -> None:
    rolling = workload_of(deployment(updated=1, total=3, available=3))
    counts = look(application(state=DONE), replace(HERE, workload=rolling)).progress
    assert (counts.desired, counts.running, counts.pending, counts.old) == (2, 1, 0, 2)
    rough = look(application(health="Progressing", state=DONE)).progress
    assert (rough.desired, rough.running, rough.pending) == (1, 0, 1)


WAITS = application(synced="OutOfSync", state=operation(revision=OLD, ended=-500))


@pytest.mark.parametrize(
    ("app", "following"),
    [
        (application(OLD, state=operation(revision=OLD, ended=-500)), NOT_SEEN),
        (WAITS, NO_SYNC),  # a closed sync window
        (application(synced="OutOfSync", state=operation("Running")), HERE),
    ],
)
def test_what_runs_before_our_commit_is_applied_is_old(
    app: dict[str, Any], following: Following
) -> None:
    """A full bar of the old version would look like the end of ours."""
    before = workload_of(deployment(f"web:{OLD_VALUE}"))
    counts = look(app, replace(following, workload=before)).progress
    assert counts == Progress(desired=2, old=2)
    assert look(app, following).progress == Progress(desired=1)


BACK = Following("rollback/0", VALUE, attempted=Relation.OURS, rollback_id="web-9")


def back(phase: str = "Succeeded", name: str = "web-9", **more: Any) -> dict[str, Any]:
    info = [{"name": "quarterdeck.dev/deployment-id", "value": name}]
    return application(
        LATER,
        "OutOfSync",
        state=operation(phase, OLD, operation={"info": info}),
        **more,
    )


@pytest.mark.parametrize(
    ("app", "end", "code"),
    [
        # the branch is ahead for good: OutOfSync is what a rollback in the history looks like
        (back(), End.SUCCEEDED, ""),
        (back(reconciled=5), None, ""),
        (back("Running"), None, ""),
        (back("Failed"), End.FAILED, "SYNC_FAILED"),
        (back(health="Degraded"), End.FAILED, "DEGRADED"),
        (back(health="Progressing"), None, ""),
        (back(name="web-10"), End.SUPERSEDED, "SUPERSEDED"),
        (
            back(
                name="web-8",
                operation={"info": [{"name": "quarterdeck.dev/deployment-id", "value": "web-9"}]},
            ),
            None,
            "",
        ),
    ],
)
def test_back_in_the_history(app: dict[str, Any], end: End | None, code: str) -> None:
    observed = look(app, BACK)
    assert (observed.end, observed.reason_code) == (end, code)


@pytest.mark.parametrize(
    "change",
    [
        {"status": {"sync": {"revision": 7}}},
        {"status": {"sync": "Synced"}},
        {"status": {"reconciledAt": "yesterday"}},
        {"status": {"reconciledAt": "2026-01-01T12:00:00"}},
        {"status": {"resources": {"web": 1}}},
        {"status": {"history": [{"id": True}]}},
        {"spec": {"syncPolicy": {"automated": {"enabled": "yes"}}}},
        {"spec": {"sources": ["x"]}},
        {"metadata": {"annotations": {"a": 1}}},
    ],
)
def test_what_cannot_be_read_is_a_fault_and_no_guess(change: dict[str, Any]) -> None:
    with pytest.raises(Unreachable, match="cannot be read: Application"):
        application_of(application(**change))


def test_of_several_sources_each_has_its_revision() -> None:
    app = application(
        spec={
            "source": None,
            "sources": [
                {"repoURL": "https://charts.example", "chart": "web"},
                {"repoURL": "x", "ref": "values"},
            ],
        },
        status={"sync": {"revision": None, "revisions": ["1.0.0", OURS]}},
    )
    view = application_of(app)
    assert (view.multiple, view.revisions) == (True, ("1.0.0", OURS))


def test_auto_sync_can_be_switched_off_in_place() -> None:
    assert application_of(application()).automated
    assert application_of(application(spec={"syncPolicy": {"automated": {}}})).automated
    off = application(spec={"syncPolicy": {"automated": {"enabled": False}}})
    assert not application_of(off).automated
    assert not application_of(application(spec={"syncPolicy": None})).automated
