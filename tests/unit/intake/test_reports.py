from __future__ import annotations

from datetime import timedelta

import pytest

from bot.commands.model import (
    Cancel,
    DeclareFreeze,
    ExplainDeployment,
    ExplainTarget,
    LockTarget,
    OpenDeployForm,
    PauseAll,
    Reject,
    Rollback,
    ShowAudit,
    ShowDeployment,
    ShowHelp,
    ShowHistory,
    ShowQueue,
    ShowStatus,
    ShowWhoAmI,
)
from bot.model.canary import Canary, Measured, Phase, Reading
from bot.model.canary_plan import CanaryPlan, Native
from bot.model.catalog import FreezeWindow, People
from bot.model.counts import Arm
from bot.model.deployment import Status, Target
from bot.model.errors import AccessDenied
from bot.model.reply import (
    AuditReport,
    CardFacts,
    ChartFacts,
    DeployForm,
    DeploymentList,
    Details,
    Help,
    Refused,
    StatusReport,
    TargetStatus,
    WhoAmI,
    Why,
)
from bot.policy.reasons import ReasonCode, explain
from tests.fakes.inner_rooms import (
    ANALYTICS,
    CAPTAINS,
    PRODUCTION,
    STAGING,
    Rooms,
    a_catalog,
    person,
    without,
)


def status(rooms: Rooms, target: Target = STAGING) -> TargetStatus:
    reply = rooms.says("alice", ShowStatus(target.service, target.environment))
    assert isinstance(reply, StatusReport)
    (line,) = reply.targets
    return line


# --- status ---


@pytest.mark.parametrize(
    ("command", "count"),
    [
        (ShowStatus(), 4),
        (ShowStatus("backend"), 2),
        (ShowStatus(environment="staging"), 2),
        (ShowStatus("backend", "staging"), 1),
        (ShowStatus("nothing"), 0),
    ],
)
def test_status_is_of_what_was_asked(rooms: Rooms, command: ShowStatus, count: int) -> None:
    reply = rooms.says("alice", command)
    assert isinstance(reply, StatusReport)
    assert len(reply.targets) == count
    assert reply.paused is None


def test_status_tells_what_runs_since_when_and_by_whom(rooms: Rooms) -> None:
    began = rooms.clock.now()
    rooms.finished("v2")
    line = status(rooms)
    assert line.running is not None
    assert line.running.digest == rooms.digests["v2"]
    assert (line.since, line.by) == (began, person("alice"))
    assert (line.active, line.locks, line.frozen) == ((), (), "")
    assert (line.drift, line.unreadable) == ((), "")


def test_status_of_what_nobody_released_has_no_drift(rooms: Rooms) -> None:
    line = status(rooms)
    assert line.running is not None
    assert (line.since, line.by, line.drift) == (None, None, ())


def test_status_tells_that_somebody_deployed_past_quarterdeck(rooms: Rooms) -> None:
    rooms.finished("v2")
    rooms.rollouts.deploy_elsewhere(STAGING, rooms.image("backend", "v3"))
    (drift,) = status(rooms).drift
    assert rooms.digests["v3"][7:19] in drift
    assert "v2 was released last: changed outside Quarterdeck" in drift


def test_drift_to_an_image_without_a_digest_names_the_revision(rooms: Rooms) -> None:
    rooms.finished("v2")
    revision = rooms.rollouts.deploy_elsewhere(STAGING, None)
    assert status(rooms).drift[0].startswith(f"is set to {revision}, but v2")


def test_while_something_is_under_way_there_is_no_drift(rooms: Rooms) -> None:
    rooms.finished("v2")
    running = rooms.started("v3")
    line = status(rooms)
    assert line.drift == ()
    assert [active.id for active in line.active] == [running.id]


def test_a_target_that_cannot_be_read_says_so_and_hides_no_other(rooms: Rooms) -> None:
    rooms.rollouts.break_next("live", AccessDenied("No ecs:DescribeServices on main."))
    reply = rooms.says("alice", ShowStatus())
    assert isinstance(reply, StatusReport)
    unreadable = [line for line in reply.targets if line.unreadable]
    assert [line.unreadable for line in unreadable] == ["No ecs:DescribeServices on main."]
    assert (unreadable[0].running, unreadable[0].drift) == (None, ())
    assert sum(line.running is not None for line in reply.targets) == 3


def test_status_shows_what_is_in_the_way(rooms: Rooms) -> None:
    rooms.says("iris", PauseAll("outage"))
    rooms.says("alice", LockTarget("*", "staging", reason="migration"))
    rooms.says("iris", DeclareFreeze("staging", reason="holidays"))
    reply = rooms.says("alice", ShowStatus("backend"))
    assert isinstance(reply, StatusReport)
    assert reply.paused is not None
    lines = {line.target: line for line in reply.targets}
    assert [lock.owner for lock in lines[STAGING].locks] == [person("alice")]
    assert lines[STAGING].frozen == "by iris: holidays"
    assert (lines[PRODUCTION].locks, lines[PRODUCTION].frozen) == ((), "")


def test_status_names_the_catalogs_window(rooms: Rooms) -> None:
    nights = FreezeWindow(name="nights", cron="0 0 * * *", duration=timedelta(hours=20))
    rooms.catalog = a_catalog(relaxed={"freezes": (nights,)})
    assert status(rooms).frozen == "nights, until 2026-03-02 20:00 UTC"


# --- lists ---


def ids(rooms: Rooms, command: ShowQueue | ShowHistory) -> list[str]:
    reply = rooms.says("alice", command)
    assert isinstance(reply, DeploymentList)
    return [deployment.id for deployment in reply.deployments]


def test_the_queue_is_in_the_order_of_turns(rooms: Rooms) -> None:
    rooms.finished("v2")
    rooms.deploy("v2", PRODUCTION)
    rooms.deploy("v2")
    running = rooms.started("v3", ANALYTICS)
    rollback = rooms.asked("alice", Rollback(STAGING, "v1"))
    assert ids(rooms, ShowQueue()) == [
        running.id,
        rollback.id,
        "backend-staging-2",
        "backend-production-1",
    ]


def test_history_is_newest_first_and_of_what_was_asked(rooms: Rooms) -> None:
    for target in (STAGING, PRODUCTION, ANALYTICS):
        rooms.deploy("v2", target)
        rooms.clock.advance(timedelta(minutes=1))
    backend = ["backend-production-1", "backend-staging-1"]
    assert ids(rooms, ShowHistory()) == ["analytics-staging-1", *backend]
    assert ids(rooms, ShowHistory("backend")) == backend
    assert ids(rooms, ShowHistory("backend", "staging")) == ["backend-staging-1"]
    assert ids(rooms, ShowHistory(environment="staging")) == [
        "analytics-staging-1",
        "backend-staging-1",
    ]


def test_history_of_an_environment_is_not_hidden_by_another_ones(rooms: Rooms) -> None:
    rooms.deploy("v2", PRODUCTION)
    for _ in range(20):
        made = rooms.deploy("v2", STAGING)
        rooms.says("alice", Cancel(made.id))
        rooms.clock.advance(timedelta(minutes=1))
    assert ids(rooms, ShowHistory(environment="production")) == ["backend-production-1"]
    assert ids(rooms, ShowHistory("backend", "production")) == ["backend-production-1"]


# --- show, why ---


def test_show_has_the_card_and_the_rows_behind_it(rooms: Rooms) -> None:
    made = rooms.finished("v2")
    reply = rooms.says("alice", ShowDeployment(made.id))
    assert isinstance(reply, Details)
    assert reply.facts == rooms.intake.card(made.id)
    assert [row.entry.action for row in reply.rows] == [
        "deploy.succeeded",
        "rollout.tell",
        "rollout.tell",
        "deploy.started",
        "deploy.requested",
    ]


def why(rooms: Rooms, deployment_id: str) -> Why:
    reply = rooms.says("alice", ExplainDeployment(deployment_id))
    assert isinstance(reply, Why)
    return reply


def test_why_tells_each_decision_with_what_to_do(rooms: Rooms) -> None:
    made = rooms.deploy("v2", PRODUCTION)
    rooms.says("iris", Reject(made.id))
    rooms.says("bob", Reject(made.id, "not on a Friday"))
    told = why(rooms, made.id)
    assert told.subject.startswith(f"{made.id} was rejected. Rejected by bob: not on a Friday")
    (refused, ended) = told.lines
    assert refused[0] == "NOT_APPROVER"
    assert refused[1].startswith("vote.reject by iris: iris is not an approver")
    assert refused[2] == explain("NOT_APPROVER").what_to_do
    assert ended[:2] == ("REJECTED", "deploy.rejected by bob: Rejected by bob: not on a Friday")


def test_why_of_what_is_fine_has_no_lines(rooms: Rooms) -> None:
    told = why(rooms, rooms.deploy("v2").id)
    assert told.lines == ()
    assert told.subject == "backend-staging-1 is queued."


@pytest.mark.parametrize(
    ("end", "code"),
    [
        ("take_back", "ROLLED_BACK"),
        ("break_down", "FAILED"),
        ("lose", "OUTCOME_UNKNOWN"),
        ("deploy_elsewhere", "SUPERSEDED"),
    ],
)
def test_why_explains_every_end_that_a_rollout_comes_to(rooms: Rooms, end: str, code: str) -> None:
    made = rooms.started("v2")
    getattr(rooms.rollouts, end)(STAGING)
    rooms.observer.look()
    ended = rooms.get(made.id)
    assert (ended.status.name, ended.reason_code) == (code, code)
    (line,) = why(rooms, made.id).lines
    assert line[0] == code
    assert ended.explanation in line[1]
    assert line[2] == explain(ReasonCode(code)).what_to_do


def test_why_of_a_target_is_what_a_deployment_would_meet(rooms: Rooms) -> None:
    fine = rooms.says("alice", ExplainTarget(STAGING))
    assert fine == Why("backend/staging would take a deployment now.", ())
    waits = rooms.says("alice", ExplainTarget(PRODUCTION))
    assert waits == Why("backend/production would wait for 1 approval(s).", ())
    rooms.says("iris", PauseAll("outage"))
    rooms.says("iris", LockTarget("backend", "staging", reason="migration"))
    refuses = rooms.says("alice", ExplainTarget(STAGING))
    assert isinstance(refuses, Why)
    assert refuses.subject == "backend/staging would refuse a deployment now."
    assert [line[0] for line in refuses.lines] == ["PAUSED", "LOCKED"]
    gone = rooms.says("alice", ExplainTarget(Target("backend", "moon")))
    assert isinstance(gone, Refused)
    assert gone.reason_code == "UNKNOWN_TARGET"


# --- audit, whoami, help, form ---


def rows(rooms: Rooms, command: ShowAudit) -> list[str]:
    reply = rooms.says("alice", command)
    assert isinstance(reply, AuditReport)
    return [f"{row.entry.action} {row.entry.target}" for row in reply.rows]


def test_audit_is_filtered_by_target_person_deployment_and_action(rooms: Rooms) -> None:
    made = rooms.deploy("v2")
    rooms.deploy("v2", ANALYTICS)
    rooms.says("iris", LockTarget("backend", "production", reason="migration"))
    staging, analytics, lock = (
        "deploy.requested backend/staging",
        "deploy.requested analytics/staging",
        "target.lock backend/production",
    )
    assert rows(rooms, ShowAudit()) == [lock, analytics, staging]
    assert rows(rooms, ShowAudit(limit=1)) == [lock]
    assert rows(rooms, ShowAudit(service="backend")) == [lock, staging]
    assert rows(rooms, ShowAudit(service="backend", environment="staging")) == [staging]
    assert rows(rooms, ShowAudit(environment="staging")) == [analytics, staging]
    assert rows(rooms, ShowAudit(person_id=person("iris").id)) == [lock]
    assert rows(rooms, ShowAudit(deployment_id=made.id)) == [staging]
    assert rows(rooms, ShowAudit(action="target")) == [lock]
    assert rows(rooms, ShowAudit(service="back")) == []


def test_audit_says_what_it_was_filtered_by(rooms: Rooms) -> None:
    reply = rooms.says("alice", ShowAudit("backend", person_id="U0IRIS000"))
    assert isinstance(reply, AuditReport)
    assert reply.filters["actor"] == "U0IRIS000"
    assert reply.filters["target"].startswith("backend")
    assert set(reply.filters) == {"actor", "target"}


def test_whoami_tells_what_one_may_do_where(rooms: Rooms) -> None:
    reply = rooms.says("bob", ShowWhoAmI())
    assert isinstance(reply, WhoAmI)
    assert (reply.person, reply.groups) == (person("bob"), (CAPTAINS,))
    may = dict(reply.may)
    assert list(may) == sorted(may)
    assert "approve" in may["backend/production"]
    assert "approve" not in may["backend/staging"]
    bot = rooms.says("robo", ShowWhoAmI())
    assert isinstance(bot, WhoAmI)
    assert dict(bot.may)["backend/production"] == "look"


def test_help_comes_from_the_grammar(rooms: Rooms) -> None:
    everything = rooms.says("alice", ShowHelp())
    topic = rooms.says("alice", ShowHelp("freeze"))
    assert isinstance(everything, Help)
    assert isinstance(topic, Help)
    assert "/deploy" in everything.text
    assert "freeze" in topic.text
    assert topic.text != everything.text


def test_the_deploy_form_offers_the_catalog(rooms: Rooms) -> None:
    reply = rooms.says("alice", OpenDeployForm())
    assert reply == DeployForm(("backend", "analytics"), ("staging", "production"))


# --- cards ---


def facts(rooms: Rooms, deployment_id: str) -> CardFacts:
    found = rooms.intake.card(deployment_id)
    assert found is not None
    return found


def test_a_card_tells_the_place_in_the_queue(rooms: Rooms) -> None:
    running, second, third = rooms.started("v2"), rooms.deploy("v3"), rooms.deploy("v1")
    places = [facts(rooms, made.id).position for made in (running, second, third)]
    assert places == [None, 1, 2]
    other = rooms.deploy("v2", ANALYTICS)
    assert facts(rooms, other.id).position == 1


def test_a_card_tells_the_median_of_earlier_rollouts(rooms: Rooms) -> None:
    assert facts(rooms, rooms.deploy("v2").id).usual is None
    for version, minutes in (("v2", 2), ("v3", 30), ("v1", 3)):
        made = rooms.start(
            rooms.get("backend-staging-1") if version == "v2" else rooms.deploy(version)
        )
        rooms.clock.advance(timedelta(minutes=minutes))
        rooms.finish(made)
    assert facts(rooms, rooms.deploy("v2").id).usual == timedelta(minutes=3)


def test_a_card_is_current_until_another_version_has_run_well(rooms: Rooms) -> None:
    first = rooms.finished("v2")
    assert facts(rooms, first.id).current
    second = rooms.started("v3")
    assert facts(rooms, first.id).current
    rooms.finish(second)
    assert not facts(rooms, first.id).current
    assert facts(rooms, second.id).current
    rollback = rooms.asked("alice", Rollback(STAGING))
    assert facts(rooms, second.id).current
    rooms.finish(rooms.start(rollback))
    assert rooms.get(rollback.id).status is Status.SUCCEEDED
    assert not facts(rooms, second.id).current
    assert not facts(rooms, rollback.id).current


def test_a_card_tells_the_lock_on_its_target(rooms: Rooms) -> None:
    made = rooms.deploy("v2")
    assert facts(rooms, made.id).lock is None
    rooms.says("iris", LockTarget("*", "staging", reason="migration"))
    lock = facts(rooms, made.id).lock
    assert lock is not None
    assert lock.owner == person("iris")


def test_a_card_of_what_left_the_catalog_is_still_drawn(rooms: Rooms) -> None:
    made = rooms.deploy("v2", PRODUCTION)
    rooms.catalog = without(rooms.catalog, PRODUCTION, Target("analytics", "production"))
    assert facts(rooms, made.id).deployment == made


def test_a_canary_stands_on_its_card_in_status_and_in_the_queue(rooms: Rooms) -> None:
    made = rooms.started("v2")
    assert facts(rooms, made.id).canary is None
    one = Canary(made.id, CanaryPlan(native=Native()), Phase.BAKING, rooms.clock.now(), share=0.1)
    with rooms.database.begin() as tx:
        tx.canaries.add(one)
    assert facts(rooms, made.id).canary == one
    assert status(rooms).canary == one
    queue = rooms.says("alice", ShowQueue())
    assert isinstance(queue, DeploymentList)
    assert queue.canary_of(made.id) == one
    with rooms.database.begin() as tx:
        tx.canaries.change(one, phase=Phase.OVER)
    assert facts(rooms, made.id).canary is not None
    assert status(rooms).canary is None


def test_a_card_names_who_may_tell_a_canary_what_to_do(rooms: Rooms) -> None:
    made = rooms.deploy("v2", PRODUCTION)
    everybody = "any full member of the workspace"
    assert facts(rooms, made.id).promoters == f"{everybody}, <!subteam^{CAPTAINS}>"
    rooms.catalog = a_catalog(promoters=People(users=("U0BOB",)))
    assert facts(rooms, made.id).promoters == "<@U0BOB>"


def test_a_chart_is_drawn_from_all_ticks(rooms: Rooms) -> None:
    made = rooms.started("v2")
    assert rooms.intake.chart(made.id) is None
    now = rooms.clock.now()
    one = Canary(made.id, CanaryPlan(native=Native()), Phase.BAKING, now)
    tick = Measured(Reading(now, 30, Arm(10), Arm(90, 1)), 0)
    with rooms.database.begin() as tx:
        tx.canaries.add(one)
        tx.canaries.tick(made.id, 0, tick)
    assert rooms.intake.chart(made.id) == ChartFacts(rooms.get(made.id), one, (tick,))
    assert rooms.intake.chart("backend-staging-99") is None
