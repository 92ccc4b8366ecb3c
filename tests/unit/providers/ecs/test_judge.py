"""The judge's table: what ECS shows on the left, what is true of our rollout on the right."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.model.rollout import End
from bot.providers.ecs.judge import GRACE, QUOTED, Watch, judge, plain
from bot.providers.ecs.views import (
    DeploymentView,
    EventView,
    ServiceDeploymentView,
    ServiceView,
)

T0 = datetime(2026, 1, 1, 12, tzinfo=UTC)
OURS, OLD, OTHER = "td/app:42", "td/app:41", "td/app:43"
WATCH = Watch(OURS, "ecs-svc/42", since=T0)


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def deployment(revision: str, status: str, **facts: object) -> DeploymentView:
    number = revision.rpartition(":")[2]
    made = at(-1000) if revision == OLD else at(1)
    base = DeploymentView(f"ecs-svc/{number}", status, revision, desired=2, created_at=made)
    return replace(base, **facts)  # type: ignore[arg-type]  # facts are its own fields


def service(*deployments: DeploymentView, **facts: object) -> ServiceView:
    running = sum(each.running for each in deployments)
    base = ServiceView("app", "arn:app", "ACTIVE", 2, running, deployments)
    return replace(base, **facts)  # type: ignore[arg-type]  # facts are its own fields


def history(status: str, reason: str = "", **facts: object) -> ServiceDeploymentView:
    base = ServiceDeploymentView("arn:sd/1", status, OURS, reason, created_at=at(1))
    return replace(base, **facts)  # type: ignore[arg-type]  # facts are its own fields


def event(seconds: float, message: str) -> EventView:
    return EventView(f"e{seconds}", at(seconds), f"(service app) {message}")


ROLLING = service(
    deployment(OURS, "PRIMARY", running=1, pending=1, state="IN_PROGRESS"),
    deployment(OLD, "ACTIVE", running=2, state="COMPLETED"),
)
DONE = service(deployment(OURS, "PRIMARY", running=2, state="COMPLETED"))
DRAINING = service(
    deployment(OURS, "PRIMARY", running=2, state="COMPLETED"),
    deployment(OLD, "ACTIVE", running=1, state="COMPLETED"),
)
SHORT = service(deployment(OURS, "PRIMARY", running=1, state="COMPLETED"))
EMPTY = service(deployment(OURS, "PRIMARY", desired=0, state="COMPLETED"), desired=0)
BREAKER = "ECS deployment circuit breaker: tasks failed to start."
TAKING_BACK = service(
    deployment(OLD, "PRIMARY", running=2, state="IN_PROGRESS", reason="rolling back to X."),
    deployment(OURS, "ACTIVE", failed=3, state="FAILED", reason=BREAKER),
)
TAKEN_BACK = service(
    deployment(OLD, "PRIMARY", running=2, state="COMPLETED"),
    deployment(OURS, "ACTIVE", failed=3, state="FAILED", reason=BREAKER),
)
ROLLBACK_BROKEN = service(
    deployment(OLD, "PRIMARY", running=0, state="FAILED", reason="no luck"),
    deployment(OURS, "ACTIVE", state="FAILED", reason=BREAKER),
)
FAILED = service(deployment(OURS, "PRIMARY", state="FAILED", reason=BREAKER))
REPLACED = service(
    deployment(OTHER, "PRIMARY", state="IN_PROGRESS"),
    deployment(OURS, "ACTIVE", running=1, state="IN_PROGRESS"),
)
BACK_ON_OLD = service(deployment(OLD, "PRIMARY", running=2, state="COMPLETED"))
ON_OTHER = service(deployment(OTHER, "PRIMARY", running=2, state="COMPLETED"))
FAILED_EVENTS = (
    event(30, "(deployment ecs-svc/42) deployment failed: tasks failed to start."),
    event(31, "rolling back to deployment ecs-svc/41."),
)
AGAIN = service(
    deployment(OURS, "PRIMARY", id="ecs-svc/99", running=1, state="IN_PROGRESS"),
    deployment(OURS, "ACTIVE", running=1, state="IN_PROGRESS"),
)
AGAIN_DONE = service(deployment(OURS, "PRIMARY", id="ecs-svc/99", running=2, state="COMPLETED"))
SEEN = replace(WATCH, seen=True)
LATE = replace(WATCH, odd_for=GRACE + 1)


@pytest.mark.parametrize(
    ("view", "told", "watch", "end"),
    [
        # plainly under way
        (ROLLING, None, WATCH, None),
        (ROLLING, history("IN_PROGRESS"), WATCH, None),
        (ROLLING, history("PENDING"), WATCH, None),
        # E4: "COMPLETED" is no success while tasks are missing, old ones run or ECS goes on
        (DRAINING, None, WATCH, None),
        (SHORT, None, WATCH, None),
        (DONE, history("IN_PROGRESS"), WATCH, None),
        (DRAINING, history("SUCCESSFUL"), WATCH, None),
        (SHORT, history("SUCCESSFUL"), WATCH, None),
        # success
        (DONE, None, WATCH, End.SUCCEEDED),
        (DONE, history("SUCCESSFUL"), WATCH, End.SUCCEEDED),
        (EMPTY, None, WATCH, End.SUCCEEDED),
        (EMPTY, history("SUCCESSFUL"), WATCH, End.SUCCEEDED),
        # E3: the breaker or an alarm takes it back
        (TAKING_BACK, None, WATCH, None),
        (TAKING_BACK, history("ROLLBACK_IN_PROGRESS"), WATCH, None),
        (TAKING_BACK, history("ROLLBACK_REQUESTED"), WATCH, None),
        (TAKEN_BACK, None, WATCH, End.ROLLED_BACK),
        (BACK_ON_OLD, history("ROLLBACK_SUCCESSFUL", "why"), WATCH, End.ROLLED_BACK),
        (DONE, history("ROLLBACK_SUCCESSFUL", "why"), WATCH, End.ROLLED_BACK),
        (replace(BACK_ON_OLD, events=FAILED_EVENTS), None, WATCH, End.ROLLED_BACK),
        # it failed and stayed
        (ROLLBACK_BROKEN, None, WATCH, End.FAILED),
        (ROLLBACK_BROKEN, history("ROLLBACK_FAILED", "no luck"), WATCH, End.FAILED),
        (FAILED, None, WATCH, End.FAILED),
        (FAILED, history("STOPPED", "stopped"), WATCH, End.FAILED),
        (replace(FAILED, rolls_back=True), None, WATCH, None),
        (replace(FAILED, rolls_back=True), None, LATE, End.FAILED),
        (replace(ON_OTHER, events=FAILED_EVENTS[:1]), None, WATCH, End.FAILED),
        # stopped by a person, and nothing came of it
        (ROLLING, history("STOP_REQUESTED"), WATCH, None),
        (ROLLING, history("STOPPED"), WATCH, None),
        (ROLLING, history("STOPPED"), LATE, End.FAILED),
        # somebody else deployed
        (REPLACED, None, WATCH, End.SUPERSEDED),
        (REPLACED, history("STOPPED"), WATCH, End.SUPERSEDED),
        (REPLACED, history("STOP_REQUESTED"), WATCH, None),
        (ON_OTHER, history("STOPPED"), WATCH, End.SUPERSEDED),
        (ON_OTHER, None, SEEN, End.SUPERSEDED),
        (ON_OTHER, history("SUCCESSFUL"), SEEN, End.SUPERSEDED),
        (ON_OTHER, history("SUCCESSFUL"), WATCH, None),
        # the same revision, deployed again: what counts is what runs
        (AGAIN, None, WATCH, None),
        (AGAIN, history("STOPPED"), WATCH, None),
        (AGAIN_DONE, history("STOPPED"), WATCH, End.SUCCEEDED),
        (AGAIN_DONE, None, SEEN, End.SUCCEEDED),
        (AGAIN_DONE, None, WATCH, None),
        # not visible yet, just after the start: neither superseded nor rolled back
        (BACK_ON_OLD, None, WATCH, None),
        (BACK_ON_OLD, history("PENDING"), WATCH, None),
        (BACK_ON_OLD, history("SUCCESSFUL"), WATCH, None),
        (BACK_ON_OLD, None, SEEN, None),
        (ON_OTHER, None, WATCH, None),
        (service(), None, WATCH, None),
        # nothing tells any more
        (BACK_ON_OLD, None, LATE, End.UNKNOWN),
        (ON_OTHER, None, LATE, End.UNKNOWN),
        (service(), None, LATE, End.UNKNOWN),
        # the service itself is gone
        (replace(ROLLING, status="DRAINING"), None, WATCH, End.FAILED),
        (replace(ROLLING, status="INACTIVE"), history("IN_PROGRESS"), WATCH, End.FAILED),
        # a status that ECS may invent
        (DONE, history("SOMETHING_NEW"), WATCH, None),
    ],
)
def test_ends(
    view: ServiceView, told: ServiceDeploymentView | None, watch: Watch, end: End | None
) -> None:
    observed = judge(view, told, watch)
    assert observed.end is end
    assert observed.end in {None, End.SUCCEEDED} or observed.explanation


def test_a_rollback_waits_until_the_old_tasks_are_complete() -> None:
    primary, ours = TAKEN_BACK.deployments
    short = replace(TAKEN_BACK, deployments=(replace(primary, running=1), ours))
    assert judge(short, None, WATCH).end is None


def test_reasons_are_ecs_own() -> None:
    assert judge(TAKEN_BACK, None, WATCH).explanation == BREAKER
    told = history("ROLLBACK_SUCCESSFUL", rollback_reason="Rolled back.", alarms=("errors-high",))
    assert judge(BACK_ON_OLD, told, WATCH).explanation == "Rolled back. Alarms: errors-high."


def test_without_a_handle_the_revision_is_followed() -> None:
    watch = replace(WATCH, handle=None)
    assert judge(DONE, None, watch).end is End.SUCCEEDED
    assert judge(ROLLING, None, watch).end is None
    assert judge(BACK_ON_OLD, history("ROLLBACK_SUCCESSFUL", "x"), watch).end is End.ROLLED_BACK


def test_a_handle_is_told_apart_from_one_it_begins() -> None:
    other = event(30, "(deployment ecs-svc/421) deployment failed: tasks failed to start.")
    assert judge(replace(BACK_ON_OLD, events=(other,)), None, WATCH).end is None


def test_progress_counts_ours_and_everything_else() -> None:
    progress = judge(ROLLING, None, WATCH).progress
    assert (progress.desired, progress.running, progress.pending, progress.old) == (2, 1, 1, 2)


def test_events_are_those_of_our_time_once_each_oldest_first() -> None:
    told = (
        event(40, "has started 1 tasks: (task b)."),
        event(20, "is unable to place a task."),
        event(30, "is unable to place a task."),
        event(10, "has started 1 tasks: (task a)."),
        event(-5, "has reached a steady state."),
    )
    observed = judge(replace(ROLLING, events=told), None, replace(WATCH, reasons=("Task died.",)))
    assert observed.events == (
        "Task died.",
        "(service app) has started 1 tasks: (task a).",
        "(service app) is unable to place a task.",
        "(service app) has started 1 tasks: (task b).",
    )


def test_events_of_one_moment_keep_ecs_order() -> None:
    told = (event(10, "third"), event(10, "second"), event(10, "first"))
    observed = judge(replace(ROLLING, events=told), None, WATCH)
    assert [line.rpartition(" ")[2] for line in observed.events] == ["first", "second", "third"]


def test_events_are_bounded_to_the_newest() -> None:
    told = tuple(event(n, f"event {n}") for n in range(2, 90))
    observed = judge(replace(ROLLING, events=told), None, WATCH)
    assert len(observed.events) == QUOTED
    assert observed.events[-1].endswith("event 89")


def test_without_any_beginning_no_event_is_claimed() -> None:
    view = replace(BACK_ON_OLD, events=(event(5, "something"),))
    assert judge(view, None, replace(WATCH, since=None)).events == ()


STATES = st.sampled_from(["IN_PROGRESS", "COMPLETED", "FAILED", ""])
DEPLOYMENTS = st.builds(
    lambda revision, status, state, running: deployment(
        revision, status, state=state, running=running
    ),
    st.sampled_from([OURS, OLD, OTHER]),
    st.sampled_from(["PRIMARY", "ACTIVE"]),
    STATES,
    st.integers(0, 3),
)
HISTORIES = st.one_of(
    st.none(),
    st.sampled_from(
        [
            "PENDING",
            "IN_PROGRESS",
            "SUCCESSFUL",
            "STOPPED",
            "STOP_REQUESTED",
            "ROLLBACK_REQUESTED",
            "ROLLBACK_IN_PROGRESS",
            "ROLLBACK_SUCCESSFUL",
            "ROLLBACK_FAILED",
        ]
    ).map(history),
)


@given(
    st.lists(DEPLOYMENTS, max_size=3, unique_by=lambda each: each.id),
    HISTORIES,
    st.booleans(),
    st.sampled_from([0.0, GRACE + 1]),
)
def test_success_is_never_claimed_unless_ours_alone_runs_completely(
    deployments: list[DeploymentView],
    told: ServiceDeploymentView | None,
    seen: bool,  # noqa: FBT001  hypothesis passes it by position
    odd_for: float,
) -> None:
    view = service(*deployments)
    observed = judge(view, told, replace(WATCH, seen=seen, odd_for=odd_for))
    if observed.end is End.SUCCEEDED:
        running = {each.revision for each in deployments if each.running}
        assert running == {OURS}
        assert view.running == view.desired
        assert told is None or told.status in {"SUCCESSFUL", "STOPPED"}


@given(st.lists(DEPLOYMENTS, max_size=3, unique_by=lambda each: each.id), HISTORIES)
def test_a_plain_rollout_never_ends_by_the_service_alone(
    deployments: list[DeploymentView], told: ServiceDeploymentView | None
) -> None:
    view = service(*deployments)
    if plain(view, WATCH) and told is None:
        assert judge(view, None, WATCH).end is None
