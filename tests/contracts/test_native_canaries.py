"""Canaries by ECS's own strategies, on the local AWS: what is answered, and what is left alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.model.canary import Act, Aim, Canary, Crew, Goal, Phase, Stand, Wish
from bot.model.canary_plan import CanaryPlan, CanaryStep, Native
from bot.model.deployment import Image, Person, Status
from bot.model.errors import Misconfigured, Terminal, Unknown
from bot.model.rollout import End, Order
from bot.providers.ecs.native import NativeCanaries
from bot.providers.fleet import Fleet, Reach
from bot.providers.git import GitAccess
from bot.workflows.canary.conductor import ACTIVE
from bot.workflows.canary.course import aim, course
from bot.workflows.canary.turn import Seen
from tests.contracts.stages import REGION, REPOSITORY, SPEC, LocalAws, local_aws
from tests.fakes.clock import FakeClock

TASKS = 3
STEPS = {
    "canary": (0.1,),
    "linear": (0.2, 0.4, 0.6, 0.8),
    "blue_green": (1.0,),
}
WRITES = (
    "TagResource",
    "UpdateService",
    "ContinueServiceDeployment",
    "StopServiceDeployment",
    "UntagResource",
)
TAG = "quarterdeck:before-canary"


class Shop:
    """A service that rolls, with what ECS needs to shift its traffic; and one canary of it."""

    def __init__(self, aws: LocalAws, kind: str = "canary", **options: Any) -> None:
        self.aws, self.world = aws, aws.world
        self.kind = kind
        self.push("v1")
        self.world.create_service(
            "staging",
            "backend",
            **{
                "image": "v1",
                "desired": TASKS,
                "load_balanced": True,
                "strategy": "BLUE_GREEN",
                **options,
            },
        )
        if "strategy" not in options:
            self.change(strategy="ROLLING")
        self.spec = self.spec_with(self.plan())
        self.canaries = NativeCanaries(aws.clients, aws.rollouts)
        self.before = self.configuration()
        self.live = aws.rollouts.live(self.spec)
        self.share = 0.0

    def begin(self, behaviour: str = "good", deployment_id: str = "backend-staging-7") -> None:
        image = self.push(deployment_id, behaviour)
        self.order = Order(deployment_id, image, base=self.aws.rollouts.live(self.spec).revision)
        self.revision = self.aws.rollouts.prepare(self.spec, self.order)
        self.share = 0.0

    def push(self, version: str, behaviour: str = "good") -> Image:
        return Image(REPOSITORY, self.world.push("backend", version, behaviour), version)

    def plan(self, **changes: Any) -> CanaryPlan:
        steps = tuple(CanaryStep(share=share) for share in STEPS[self.kind])
        return CanaryPlan(**{"native": Native(kind=self.kind), "steps": steps, **changes})

    def spec_with(self, plan: CanaryPlan) -> Any:
        return SPEC.model_copy(update={"canary": plan})

    def change(self, **configuration: Any) -> None:
        self.world.update_out_of_band("staging", "backend", deploymentConfiguration=configuration)

    def aim(self, goal: Goal, share: float = 0.0) -> Aim:
        return Aim(goal, self.aws.now(), share=share, before=self.share)

    def look(self, aim: Aim) -> Stand:
        return self.canaries.look(self.spec, self.order, self.revision, aim)

    def toward(self, aim: Aim) -> Stand:
        return self.canaries.toward(self.spec, self.order, self.revision, aim)

    def reach(self, goal: Goal, share: float = 0.0, seconds: int = 1800) -> Stand:
        """As the conductor does it: again and again until it is so, or cannot be."""
        aim = self.aim(goal, share)
        for _ in range(seconds // 5):
            stand = self.toward(aim)
            if stand.reached or stand.blocked or stand.end is not None:
                self.share = aim.share if stand.reached else self.share
                return stand
            self.world.advance(5)
        raise AssertionError(stand)

    def described(self) -> Any:
        ecs = self.aws.clients.ecs(REGION)
        found = ecs.describe_services(cluster="staging", services=["backend"], include=["TAGS"])
        return found["services"][0]

    def configuration(self) -> dict[str, Any]:
        """Without hooks where there are none: ECS has to be told so, and may show that."""
        found: dict[str, Any] = self.described()["deploymentConfiguration"]
        return {key: value for key, value in found.items() if value != []}

    def tags(self) -> dict[str, str]:
        return {each["key"]: each["value"] for each in self.described()["tags"]}

    def groups(self) -> tuple[str, str]:
        """The target group of the service and its alternate."""
        (balancer,) = self.described()["loadBalancers"]
        return balancer["targetGroupArn"], balancer["advancedConfiguration"][
            "alternateTargetGroupArn"
        ]

    def rule(self) -> str:
        (balancer,) = self.described()["loadBalancers"]
        found: str = balancer["advancedConfiguration"]["productionListenerRule"]
        return found

    def weights(self) -> tuple[int, int]:
        found = self.world.balancers.weights(self.rule())
        first, second = self.groups()
        return found[first], found[second]

    def status(self, age: int = 1) -> str:
        return self.world.service("staging", "backend").history[-age].status

    def deployments(self) -> int:
        return len(self.world.service("staging", "backend").history)

    def counts(self, *operations: str) -> list[int]:
        return [self.world.count(operation) for operation in operations]

    def calls(self, operation: str) -> int:
        """All that were made, refused or not."""
        return len(self.world.calls(operation))

    def runs(self) -> Image | None:
        return self.aws.rollouts.live(self.spec).image

    def finish(self) -> None:
        self.reach(Goal.EVERYTHING)
        self.reach(Goal.GONE)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalAws]:
    with local_aws(monkeypatch) as aws:
        yield aws


@pytest.fixture
def shop(aws: LocalAws) -> Shop:
    made = Shop(aws)
    made.begin()
    return made


# --- the whole way -------------------------------------------------------------------------------


@pytest.mark.parametrize("shown", ["as documented", "by the enum"])
@pytest.mark.parametrize("kind", ["canary", "linear", "blue_green"])
def test_from_the_first_task_to_the_whole_service_and_to_nothing_left(
    aws: LocalAws, kind: str, shown: str
) -> None:
    if shown == "by the enum":
        aws.world.shifts.show_by_the_enum()
    shop = Shop(aws, kind, alarms=["errors"])
    shop.begin()
    assert shop.canaries.check(shop.spec) == ()
    for share in STEPS[kind]:
        stand = shop.reach(Goal.SHARE, share)
        assert stand.share == pytest.approx(share)
        assert not stand.blocked
        assert shop.weights()[1] == round(100 * share)
        assert (stand.canary.healthy, stand.stable.healthy) == (TASKS, TASKS)
        assert stand.expires_at is not None
        aws.world.advance(3600)
        assert shop.look(shop.aim(Goal.SHARE, share)).reached, "ECS waits for our word"

    stand = shop.reach(Goal.EVERYTHING)
    assert (stand.share, shop.status()) == (1.0, "SUCCESSFUL")
    assert (stand.canary, stand.stable) == (Crew(TASKS, TASKS, TASKS), Crew(0, 0, 0))
    assert shop.runs() == shop.order.image
    shop.reach(Goal.GONE)
    assert shop.configuration() == shop.before
    assert TAG not in shop.tags()
    assert shop.deployments() == 2
    assert shop.canaries.check(shop.spec) == ()


def test_the_target_groups_take_turns(shop: Shop) -> None:
    first, second = shop.groups()
    load_balancer = "/".join(shop.rule().partition(":listener-rule/")[2].split("/")[:3])
    for number, pair in enumerate([(first, second), (second, first), (first, second)]):
        shop.begin(deployment_id=f"backend-staging-{number}")
        arms = shop.look(shop.aim(Goal.SHARE, 0.1)).arms
        assert arms is not None
        assert (arms.stable, arms.canary, arms.load_balancer) == (*pair, load_balancer)
        assert shop.reach(Goal.SHARE, 0.1).arms == arms
        stand = shop.reach(Goal.EVERYTHING)
        assert stand.arms == arms
        shop.reach(Goal.GONE)


def test_a_target_group_that_ecs_names_only_later(aws: LocalAws) -> None:
    unnamed = True

    def hide(parsed: dict[str, Any], **_: object) -> None:
        for each in parsed.get("serviceRevisions", ()) if unnamed else ():
            each.pop("resolvedConfiguration", None)

    aws.clients.ecs(REGION).meta.events.register("after-call.ecs.DescribeServiceRevisions", hide)
    shop = Shop(aws, "linear")
    shop.begin()
    arms = shop.look(shop.aim(Goal.SHARE, 0.2)).arms
    assert shop.reach(Goal.SHARE, 0.2).arms == arms
    unnamed = False
    for share in (0.4, 0.6, 0.8):
        assert shop.reach(Goal.SHARE, share).arms == arms


def test_what_ecs_is_told(aws: LocalAws) -> None:
    shop = Shop(aws, alarms=["errors"], breaker=False, bake_minutes=4)
    own = {"targetType": "PAUSE", "lifecycleStages": ["POST_SCALE_UP"]}
    shop.change(
        strategy="BLUE_GREEN",
        bakeTimeInMinutes=4,
        lifecycleHooks=[own],
        alarms={"alarmNames": ["errors"], "enable": True, "rollback": False},
    )
    before = shop.configuration()
    shop.spec = shop.spec_with(shop.plan(clean_up_after=timedelta(minutes=3)))
    shop.begin()
    shop.toward(shop.aim(Goal.SHARE, 0.1))
    assert shop.tags()[TAG] == "strategy=BLUE_GREEN bake=4 alarms=stop"
    assert shop.configuration() == before, "it is noted before it is changed"
    shop.toward(shop.aim(Goal.SHARE, 0.1))

    told = shop.configuration()
    assert told["strategy"] == "CANARY"
    assert told["canaryConfiguration"] == {"canaryPercent": 10.0, "canaryBakeTimeInMinutes": 0}
    assert told["bakeTimeInMinutes"] == 3
    assert told["deploymentCircuitBreaker"] == {"enable": True, "rollback": True}
    assert told["alarms"] == {"alarmNames": ["errors"], "enable": True, "rollback": True}
    first, second = told["lifecycleHooks"]
    assert first == own
    # 5 minutes of bake twice, 15 of patience, 2 hours for people.
    assert second["timeoutConfiguration"] == {"timeoutInMinutes": 145, "action": "ROLLBACK"}

    assert shop.world.shifts.run_until_paused("staging", "backend")
    stand = shop.toward(shop.aim(Goal.SHARE, 0.1))
    assert "a pause of the service's own" in stand.doing
    assert shop.world.count("ContinueServiceDeployment") == 0
    shop.world.shifts.answer("staging", "backend")
    shop.reach(Goal.SHARE, 0.1)
    shop.finish()
    assert shop.configuration() == {
        **before,
        "deploymentCircuitBreaker": {"enable": True, "rollback": True},
    }


@pytest.mark.parametrize(
    ("options", "tag"),
    [
        ({"strategy": "BLUE_GREEN", "bake_minutes": 7}, "strategy=BLUE_GREEN bake=7"),
        (
            {"strategy": "CANARY", "percent": 2.5, "step_bake_minutes": 9},
            "strategy=CANARY bake=0 percent=2.5 minutes=9",
        ),
        (
            {"strategy": "LINEAR", "percent": 50, "step_bake_minutes": 3, "bake_minutes": 1},
            "strategy=LINEAR bake=1 percent=50 minutes=3",
        ),
    ],
)
def test_a_service_with_a_strategy_of_its_own_gets_it_back(
    aws: LocalAws, options: dict[str, Any], tag: str
) -> None:
    shop = Shop(aws, "linear", **options)
    shop.begin()
    shop.reach(Goal.SHARE, 0.2)
    assert shop.tags()[TAG] == tag
    shop.reach(Goal.NOTHING)
    shop.reach(Goal.GONE)
    assert shop.configuration() == shop.before


def test_an_aim_that_is_reached_is_only_looked_at(shop: Shop) -> None:
    shop.reach(Goal.SHARE, 0.1)
    before = shop.counts(*WRITES)
    for _ in range(3):
        assert shop.toward(shop.aim(Goal.SHARE, 0.1)).reached
    assert shop.counts(*WRITES) == before
    assert shop.world.count("ContinueServiceDeployment") == 1


class Course:
    """The canary's row as the conductor moves it, with a person in place of the judge."""

    def __init__(self, shop: Shop) -> None:
        self.shop, self.ended = shop, [Status.RUNNING]
        plan = shop.plan()
        self.canary = Canary(shop.order.deployment_id, plan, Phase.SHIFTING, shop.aws.now())

    def says(self, act: Act) -> None:
        wish = Wish(act, Person("U1", "alice"), self.shop.aws.now())
        self.canary = replace(self.canary, wish=wish)

    def goes(self, until: Phase, seconds: int = 1800) -> None:
        """Look and write down until it is in that phase, at least once."""
        for _ in range(seconds // 5):
            shop, canary = self.shop, self.canary
            does = shop.toward if canary.phase in ACTIVE else shop.look
            stand, now = does(aim(canary)), shop.aws.now()
            seen = Seen(canary, stand, None, "", settled=False, timeout=shop.spec.timeout, now=now)
            turn = course(seen)
            self.canary = replace(canary, **turn.changes)
            self.ended += [turn.ended.status] if turn.ended is not None else []
            if self.canary.phase is until:
                return
            assert self.canary.phase is not Phase.ASKING, self.canary.trouble
            shop.world.advance(5)
        raise AssertionError(self.canary)


@pytest.mark.parametrize("kind", ["canary", "linear", "blue_green"])
def test_the_conductor_s_course_promoted_by_hand(aws: LocalAws, kind: str) -> None:
    shop = Shop(aws, kind)
    shop.begin()
    course = Course(shop)
    for step, share in enumerate(STEPS[kind]):
        course.goes(Phase.BAKING)
        assert (course.canary.step, shop.weights()[1]) == (step, round(100 * share))
        aws.world.advance(600)
        course.says(Act.PROMOTE)
        course.goes(Phase.SHIFTING if share != STEPS[kind][-1] else Phase.PROMOTING)
    course.goes(Phase.CLEANING)
    assert course.ended[-1] is Status.SUCCEEDED
    course.goes(Phase.OVER)
    assert shop.configuration() == shop.before
    # One pause before each shift, and the one after the last.
    shifts = len(STEPS[kind]) + (kind != "blue_green")
    assert shop.world.count("ContinueServiceDeployment") == shifts + 1


def test_the_conductor_s_course_aborted_by_hand(aws: LocalAws) -> None:
    shop = Shop(aws, "linear")
    shop.begin()
    course = Course(shop)
    course.goes(Phase.BAKING)
    course.says(Act.PROMOTE)
    course.goes(Phase.SHIFTING)
    course.says(Act.ABORT)
    course.goes(Phase.OVER)
    assert course.ended[-1] is Status.ROLLED_BACK
    assert shop.runs() == shop.live.image
    assert shop.configuration() == shop.before


# --- taken back ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["canary", "linear", "blue_green"])
def test_taken_back_from_a_pause(aws: LocalAws, kind: str) -> None:
    shop = Shop(aws, kind)
    shop.begin()
    for share in STEPS[kind]:
        shop.reach(Goal.SHARE, share)
    stand = shop.reach(Goal.NOTHING)
    assert (stand.share, shop.status()) == (0.0, "ROLLBACK_SUCCESSFUL")
    assert shop.weights()[1] == 0
    assert shop.world.count("StopServiceDeployment") == 0
    assert shop.runs() == shop.live.image
    shop.reach(Goal.GONE)
    assert shop.configuration() == shop.before
    assert TAG not in shop.tags()
    assert shop.canaries.check(shop.spec) is not None


def test_taken_back_while_its_tasks_start(shop: Shop) -> None:
    aim = shop.aim(Goal.SHARE, 0.1)
    for _ in range(3):
        shop.toward(aim)
        shop.world.advance(4)
    assert shop.status() == "IN_PROGRESS"
    shop.reach(Goal.NOTHING)
    assert shop.counts("ContinueServiceDeployment", "StopServiceDeployment") == [0, 1]
    assert shop.status() == "ROLLBACK_SUCCESSFUL"


def test_before_anything_was_told_there_is_nothing_to_take_back(shop: Shop) -> None:
    shop.toward(shop.aim(Goal.SHARE, 0.1))
    assert TAG in shop.tags()
    assert shop.toward(shop.aim(Goal.NOTHING)).reached
    shop.reach(Goal.GONE)
    assert TAG not in shop.tags()
    assert shop.deployments() == 1
    assert shop.world.count("UpdateService") == 0


def test_what_ecs_has_finished_is_rolled_back_as_any_other(shop: Shop) -> None:
    shop.reach(Goal.SHARE, 0.1)
    shop.reach(Goal.EVERYTHING)
    stand = shop.reach(Goal.NOTHING)
    assert shop.runs() == shop.live.image
    assert stand.canary.running == 0
    assert shop.configuration()["strategy"] == "ROLLING"
    shop.reach(Goal.GONE)
    assert TAG not in shop.tags()


def test_an_old_version_that_cannot_be_rolled_out_again(shop: Shop) -> None:
    shop.reach(Goal.SHARE, 0.1)
    shop.reach(Goal.EVERYTHING)
    shop.push("v1", "crashing")
    stand = shop.reach(Goal.NOTHING, seconds=7200)
    assert "could not be rolled out again" in stand.blocked
    assert shop.runs() == shop.order.image


def test_a_rollout_while_the_canary_is_cleared_away_does_not_wait_at_its_pauses(
    shop: Shop,
) -> None:
    shop.reach(Goal.SHARE, 0.1)
    shop.reach(Goal.NOTHING)
    assert shop.configuration()["strategy"] == "CANARY"
    order = Order("backend-staging-8", shop.push("v8"), base=shop.live.revision)
    revision = shop.aws.rollouts.prepare(shop.spec, order)
    shop.aws.rollouts.start(shop.spec, order, revision)
    assert shop.configuration() == shop.before
    shop.world.advance(600)
    assert shop.runs() == order.image
    shop.reach(Goal.GONE)
    assert TAG not in shop.tags()


def test_nothing_is_shifted_back_onto_a_broken_stable_version(shop: Shop) -> None:
    shop.reach(Goal.SHARE, 0.1)
    for _ in range(TASKS - 1):
        shop.world.kill_task("staging", "backend")
        shop.world.advance(1)
    stand = shop.toward(shop.aim(Goal.NOTHING))
    assert "Only 1 of 3 tasks of the stable version are healthy" in stand.blocked
    assert shop.weights() == (90, 10)
    shop.world.advance(60)
    assert shop.reach(Goal.NOTHING).reached


# --- ECS takes it back ---------------------------------------------------------------------------


def test_the_breaker(aws: LocalAws) -> None:
    shop = Shop(aws)
    shop.begin("crashing")
    stand = shop.reach(Goal.SHARE, 0.1, 7200)
    assert (stand.end, stand.share) == (End.ROLLED_BACK, 0.0)
    assert "circuit breaker" in stand.explanation
    shop.reach(Goal.NOTHING)
    shop.reach(Goal.GONE)
    assert shop.counts("ContinueServiceDeployment", "StopServiceDeployment") == [0, 0]


@pytest.mark.parametrize("goal", [Goal.SHARE, Goal.EVERYTHING])
def test_an_alarm(aws: LocalAws, goal: Goal) -> None:
    shop = Shop(aws, alarms=["errors"])
    shop.begin()
    shop.reach(Goal.SHARE, 0.1)
    if goal is Goal.EVERYTHING:
        shop.toward(shop.aim(goal))
        shop.world.advance(20)
    shop.world.trip_alarm("errors")
    shop.world.advance(1)
    stand = shop.toward(shop.aim(goal, 0.1))
    assert stand.end is End.ROLLED_BACK
    assert "alarm was detected" in stand.explanation
    assert "Alarms: errors." in stand.explanation
    shop.reach(Goal.NOTHING)
    assert shop.weights()[1] == 0


def test_a_pause_that_runs_out(shop: Shop) -> None:
    stand = shop.reach(Goal.SHARE, 0.1)
    assert stand.expires_at is not None
    left = stand.expires_at - shop.aws.now()
    assert timedelta(minutes=140) < left <= timedelta(minutes=145)
    shop.world.advance(left.total_seconds() + 5)
    stand = shop.toward(shop.aim(Goal.SHARE, 0.1))
    assert stand.end is End.ROLLED_BACK
    assert "pause hook timed out" in stand.explanation
    shop.reach(Goal.NOTHING)
    shop.reach(Goal.GONE)


# --- lost answers and late reads -----------------------------------------------------------------


@pytest.mark.parametrize("operation", WRITES)
def test_an_answer_that_is_lost_is_made_up_for_by_the_next_look(shop: Shop, operation: str) -> None:
    shop.world.faults.lose_answer(operation)
    ways: list[tuple[Goal, float]] = [(Goal.SHARE, 0.1), (Goal.EVERYTHING, 0.0), (Goal.GONE, 0.0)]
    if operation == "StopServiceDeployment":
        for _ in range(3):
            shop.toward(shop.aim(Goal.SHARE, 0.1))
            shop.world.advance(4)
        ways = [(Goal.NOTHING, 0.0), (Goal.GONE, 0.0)]
    lost = 0
    for goal, share in ways:
        aim = shop.aim(goal, share)
        for _ in range(600):
            try:
                if shop.toward(aim).reached:
                    break
            except Unknown:
                lost += 1
            shop.world.advance(5)
        else:
            raise AssertionError(aim)
        shop.share = share
    assert lost == 1
    assert shop.deployments() == 2
    assert shop.configuration() == shop.before


def test_reads_that_are_late_shift_nothing_twice(shop: Shop) -> None:
    shop.world.faults.lag(12)
    aim = shop.aim(Goal.SHARE, 0.1)
    for _ in range(120):
        if shop.toward(aim).reached:
            break
        shop.world.advance(3)
        assert shop.weights()[1] in {0, 10}
    assert shop.look(aim).reached
    assert shop.deployments() == 2
    shop.world.advance(600)
    assert shop.weights() == (90, 10)


def test_one_that_began_after_all_is_taken_back_before_it_is_gone(shop: Shop) -> None:
    aim = shop.aim(Goal.SHARE, 0.1)
    for _ in range(2):
        shop.toward(aim)
    shop.world.advance(3)
    stand = shop.toward(shop.aim(Goal.GONE))
    assert not stand.reached
    shop.reach(Goal.GONE)
    assert shop.status() == "ROLLBACK_SUCCESSFUL"


# --- other hands ---------------------------------------------------------------------------------


def test_somebody_else_continues_the_first_pause(shop: Shop) -> None:
    for _ in range(2):
        shop.toward(shop.aim(Goal.SHARE, 0.1))
    shop.world.shifts.run_until_paused("staging", "backend")
    shop.world.shifts.answer("staging", "backend")
    assert shop.reach(Goal.SHARE, 0.1).reached
    assert shop.world.count("ContinueServiceDeployment") == 0


def test_somebody_else_continues_the_bake(shop: Shop) -> None:
    shop.reach(Goal.SHARE, 0.1)
    shop.world.shifts.answer("staging", "backend")
    shop.world.advance(60)
    stand = shop.look(shop.aim(Goal.SHARE, 0.1))
    assert (stand.foreign, stand.share) == (True, 1.0)
    assert "100% of the traffic goes to the new version" in stand.blocked
    # Nothing is lost yet: the old version is whole until our last pause is answered.
    assert stand.stable.healthy == TASKS
    shop.reach(Goal.NOTHING)
    assert shop.weights()[1] == 0
    assert shop.status() == "ROLLBACK_SUCCESSFUL"


def test_somebody_else_continues_it_to_the_end(shop: Shop) -> None:
    shop.reach(Goal.SHARE, 0.1)
    for _ in range(2):
        shop.world.shifts.run_until_paused("staging", "backend")
        shop.world.shifts.answer("staging", "backend")
    shop.world.advance(600)
    assert shop.status() == "SUCCESSFUL"
    assert shop.look(shop.aim(Goal.SHARE, 0.1)).foreign
    assert shop.reach(Goal.EVERYTHING).reached
    assert shop.world.count("UpdateService") == 1


def test_somebody_else_continues_past_our_last_pause(aws: LocalAws) -> None:
    shop = Shop(aws, "blue_green")
    shop.spec = shop.spec_with(shop.plan(clean_up_after=timedelta(minutes=10)))
    shop.begin()
    shop.reach(Goal.SHARE, 1.0)
    shop.world.shifts.answer("staging", "backend")
    shop.world.advance(30)
    assert shop.world.shifts.stage("staging", "backend") == "BAKE_TIME"
    stand = shop.look(shop.aim(Goal.SHARE, 1.0))
    assert (stand.foreign, stand.expires_at) == (True, None)
    shop.reach(Goal.NOTHING)
    assert shop.counts("StopServiceDeployment") == [1]
    assert shop.runs() == shop.live.image


def test_whoever_is_faster_does_no_harm(shop: Shop) -> None:
    for _ in range(2):
        shop.toward(shop.aim(Goal.SHARE, 0.1))
    shop.world.shifts.run_until_paused("staging", "backend")
    shop.world.faults.lag(600)
    shop.world.shifts.answer("staging", "backend", "ROLLBACK")
    # What we read is older than the answer, and ours comes too late.
    assert not shop.toward(shop.aim(Goal.SHARE, 0.1)).reached
    shop.world.advance(60)
    assert shop.status() == "ROLLBACK_SUCCESSFUL"
    assert not shop.toward(shop.aim(Goal.SHARE, 0.1)).reached
    assert shop.calls("ContinueServiceDeployment") == 2


def test_a_stop_that_comes_too_late_does_no_harm(shop: Shop) -> None:
    for _ in range(2):
        shop.toward(shop.aim(Goal.SHARE, 0.1))
    shop.world.advance(5)
    shop.world.faults.lag(600)
    shop.world.shifts.stop("staging", "backend")
    shop.world.advance(120)
    assert shop.status() == "ROLLBACK_SUCCESSFUL"
    assert not shop.toward(shop.aim(Goal.NOTHING)).reached
    assert shop.calls("StopServiceDeployment") == 1


def test_one_that_is_not_listed_is_not_told_again(shop: Shop) -> None:
    shop.share = 0.1
    assert "does not list" in shop.toward(shop.aim(Goal.SHARE, 0.1)).doing
    assert shop.counts(*WRITES) == [0] * len(WRITES)


def test_it_waits_for_a_deployment_that_is_under_way(shop: Shop) -> None:
    shop.world.update_out_of_band("staging", "backend", forceNewDeployment=True)
    stand = shop.toward(shop.aim(Goal.SHARE, 0.1))
    assert "another deployment" in stand.doing
    assert shop.counts(*WRITES) == [0] * len(WRITES)
    assert shop.reach(Goal.SHARE, 0.1).reached


def _rolled_back(shop: Shop) -> None:
    shop.world.shifts.answer("staging", "backend", "ROLLBACK")


def _stopped(shop: Shop) -> None:
    shop.world.shifts.stop("staging", "backend")


@pytest.mark.parametrize(
    ("hand", "said"), [(_rolled_back, "lifecycle hook"), (_stopped, "user request")]
)
def test_somebody_else_takes_it_back(shop: Shop, hand: Callable[[Shop], None], said: str) -> None:
    shop.reach(Goal.SHARE, 0.1)
    hand(shop)
    shop.world.advance(2)
    stand = shop.look(shop.aim(Goal.SHARE, 0.1))
    assert stand.end is End.ROLLED_BACK
    assert said in stand.explanation
    shop.reach(Goal.NOTHING)
    assert shop.counts("StopServiceDeployment") == [0]


def test_what_ecs_could_not_take_back_is_left_to_people(shop: Shop) -> None:
    shop.reach(Goal.SHARE, 0.1)
    record = shop.world.service("staging", "backend").history[-1]
    record.status, record.reason = "ROLLBACK_FAILED", "No rollback candidate was found."
    stand = shop.look(shop.aim(Goal.SHARE, 0.1))
    assert stand.end is End.FAILED
    assert "tried to take it back and failed: No rollback candidate" in stand.explanation
    stand = shop.toward(shop.aim(Goal.NOTHING))
    assert "could not take it back: No rollback candidate was found. Deploy" in stand.blocked
    assert shop.counts("UpdateService", "StopServiceDeployment") == [1, 0]


def test_stopped_by_hand_and_left_as_it_is(shop: Shop) -> None:
    shop.reach(Goal.SHARE, 0.1)
    shop.world.shifts.stop("staging", "backend", "ABORT")
    shop.world.advance(30)
    assert shop.look(shop.aim(Goal.SHARE, 0.1)).end is End.FAILED
    stand = shop.toward(shop.aim(Goal.NOTHING))
    assert "still gets 10% of the traffic" in stand.blocked
    assert shop.toward(shop.aim(Goal.GONE)).doing == "its tasks end"
    # As the message asks for.
    shop.change(strategy="BLUE_GREEN", bakeTimeInMinutes=0, lifecycleHooks=[])
    shop.world.update_out_of_band("staging", "backend", taskDefinition=shop.order.base)
    shop.reach(Goal.NOTHING)
    assert shop.runs() == shop.live.image
    assert sorted(shop.weights()) == [0, 100]


def test_stopped_by_hand_before_any_traffic_is_rolled_back(shop: Shop) -> None:
    for _ in range(2):
        shop.toward(shop.aim(Goal.SHARE, 0.1))
    shop.world.shifts.run_until_paused("staging", "backend")
    shop.world.shifts.stop("staging", "backend", "ABORT")
    shop.world.advance(30)
    shop.reach(Goal.NOTHING)
    assert shop.runs() == shop.live.image
    shop.reach(Goal.GONE)
    assert shop.configuration() == shop.before


@pytest.mark.parametrize("goal", [Goal.SHARE, Goal.EVERYTHING])
def test_somebody_else_deploys_on_top(shop: Shop, goal: Goal) -> None:
    shop.reach(Goal.SHARE, 0.1)
    shop.push("elsewhere")
    shop.world.deploy_out_of_band("staging", "backend", "elsewhere")
    stand = shop.toward(shop.aim(Goal.NOTHING))
    assert (stand.reached, stand.doing) == (False, "its tasks end")
    shop.world.advance(30)
    stand = shop.look(shop.aim(goal, 0.1))
    assert stand.end is End.SUPERSEDED
    assert "Somebody else deployed backend:" in stand.explanation
    shop.reach(Goal.NOTHING)
    assert shop.counts("StopServiceDeployment", "ContinueServiceDeployment") == [0, 1]
    # It has our pauses from the service, and they are not ours to answer.
    while shop.world.shifts.run_until_paused("staging", "backend"):
        assert not shop.toward(shop.aim(Goal.GONE)).reached
        shop.world.shifts.answer("staging", "backend")
    shop.reach(Goal.GONE)
    assert shop.configuration() == shop.before
    assert shop.status() == "SUCCESSFUL"


def test_weights_that_were_changed_before_its_share_was_seen_are_told(shop: Shop) -> None:
    """ECS pauses only once it has shifted: from then on it is somebody else's doing."""
    shop.reach(Goal.SHARE, 0.1)
    shop.world.balancers.set_weights(shop.rule(), dict.fromkeys(shop.groups(), 1))
    stand = shop.toward(replace(shop.aim(Goal.SHARE, 0.1), before=0.0))
    assert (stand.foreign, stand.share) == (True, 0.5)


def test_weights_that_somebody_else_changed_are_left_alone(shop: Shop) -> None:
    shop.reach(Goal.SHARE, 0.1)
    shop.world.balancers.set_weights(shop.rule(), dict.fromkeys(shop.groups(), 1))
    stand = shop.toward(shop.aim(Goal.SHARE, 0.1))
    assert (stand.foreign, stand.share) == (True, 0.5)
    assert "Somebody else changed the rule's weights: 50%" in stand.blocked


def test_what_it_was_made_from_must_still_run(shop: Shop) -> None:
    shop.push("elsewhere")
    shop.world.deploy_out_of_band("staging", "backend", "elsewhere")
    shop.world.advance(600)
    with pytest.raises(Terminal) as refused:
        shop.toward(shop.aim(Goal.SHARE, 0.1))
    assert refused.value.reason_code == "STALE_FROM"
    assert shop.world.count("UpdateService") == 0


def test_a_service_that_is_deleted(shop: Shop) -> None:
    shop.reach(Goal.SHARE, 0.1)
    ecs = shop.aws.clients.ecs(REGION)
    ecs.delete_service(cluster="staging", service="backend", force=True)
    stand = shop.toward(shop.aim(Goal.SHARE, 0.1))
    assert stand.end is End.FAILED
    assert shop.toward(shop.aim(Goal.NOTHING)).reached
    assert shop.toward(shop.aim(Goal.GONE)).reached


# --- plans that cannot be ------------------------------------------------------------------------


def refused(shop: Shop, said: str, plan: CanaryPlan | None = None) -> Misconfigured:
    spec = shop.spec if plan is None else shop.spec_with(plan)
    with pytest.raises(Misconfigured, match=said) as found:
        shop.canaries.check(spec)
    assert found.value.reason_code == "CANARY_IMPOSSIBLE"
    assert found.value.hint
    return found.value


def steps(*shares: float) -> tuple[CanaryStep, ...]:
    return tuple(CanaryStep(share=share) for share in shares)


def test_a_third_in_each_step(shop: Shop) -> None:
    linear = CanaryPlan(native=Native(kind="linear"), steps=steps(0.333, 0.666, 0.999))
    assert shop.canaries.check(shop.spec_with(linear)) == ()


def test_an_old_version_that_is_kept_for_too_long(shop: Shop) -> None:
    day = timedelta(days=1, minutes=1)
    refused(shop, "a day at most", shop.plan(clean_up_after=day))
    timeout = shop.spec.timeout
    refused(shop, "longer than the target's timeout", shop.plan(clean_up_after=timeout))


def test_a_service_without_a_second_target_group(aws: LocalAws) -> None:
    aws.world.push("backend", "v0")
    aws.world.create_service("staging", "backend", image="v0", load_balanced=True)
    plan = CanaryPlan(native=Native(), steps=steps(0.1))
    with pytest.raises(Misconfigured, match="advancedConfiguration") as found:
        NativeCanaries(aws.clients, aws.rollouts).check(SPEC.model_copy(update={"canary": plan}))
    assert found.value.reason_code == "CANARY_IMPOSSIBLE"


def test_a_service_behind_no_load_balancer(aws: LocalAws) -> None:
    aws.world.push("backend", "v0")
    aws.world.create_service("staging", "backend", image="v0")
    plan = CanaryPlan(native=Native(), steps=steps(0.1))
    with pytest.raises(Misconfigured, match="behind no load balancer"):
        NativeCanaries(aws.clients, aws.rollouts).check(SPEC.model_copy(update={"canary": plan}))


def test_a_deployment_that_is_under_way(shop: Shop) -> None:
    shop.push("elsewhere")
    shop.world.deploy_out_of_band("staging", "backend", "elsewhere")
    refused(shop, "is under way")


def test_weights_that_are_shifted_already(shop: Shop) -> None:
    first, second = shop.groups()
    shop.world.balancers.set_weights(shop.rule(), {first: 80, second: 20})
    refused(shop, "shifted already: 20%")


@pytest.mark.parametrize("stages", [["PRE_PRODUCTION_TRAFFIC_SHIFT"], None])
def test_a_pause_of_the_service_s_own_where_ours_is(shop: Shop, stages: list[str] | None) -> None:
    both = ["POST_PRODUCTION_TRAFFIC_SHIFT", "PRE_PRODUCTION_TRAFFIC_SHIFT"]
    shop.change(
        strategy="BLUE_GREEN",
        bakeTimeInMinutes=0,
        lifecycleHooks=[{"targetType": "PAUSE", "lifecycleStages": stages or both}],
    )
    refused(shop, "a PAUSE hook of its own")


def test_what_is_worth_a_warning(aws: LocalAws) -> None:
    shop = Shop(aws, "blue_green")
    (warning,) = shop.canaries.check(shop.spec)
    assert "no CloudWatch alarms" in warning
    plan = shop.plan(steps=(CanaryStep(share=1.0, tasks=2),))
    assert "full size" in shop.canaries.check(shop.spec_with(plan))[0]


# --- how it is wired -----------------------------------------------------------------------------


def test_the_bot_has_them_for_plans_that_say_so(aws: LocalAws, tmp_path: Path) -> None:
    shop = Shop(aws, alarms=["errors"])
    git = GitAccess(tmp_path)
    fleet = Fleet(Reach(aws.clients, git, "", FakeClock(), lambda: None))
    try:
        assert fleet.canaries.check(shop.spec) == ()
        misfit = shop.plan(clean_up_after=timedelta(days=2))
        with pytest.raises(Misconfigured, match="a day at most"):
            fleet.canaries.check(shop.spec_with(misfit))
    finally:
        fleet.close()


def test_a_rule_that_keeps_clients_with_their_group(shop: Shop) -> None:
    """A weight of 0 would not free them from a bad version."""
    stable, canary = shop.groups()
    groups = [
        {"TargetGroupArn": stable, "Weight": 100},
        {"TargetGroupArn": canary, "Weight": 0},
    ]
    sticky = {"Enabled": True, "DurationSeconds": 3600}
    forward: Any = {"TargetGroups": groups, "TargetGroupStickinessConfig": sticky}
    shop.aws.clients.elb(REGION).modify_rule(
        RuleArn=shop.rule(), Actions=[{"Type": "forward", "ForwardConfig": forward}]
    )
    refused(shop, "Turn its stickiness off")
