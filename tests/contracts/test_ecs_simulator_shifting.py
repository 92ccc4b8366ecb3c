"""The local ECS against what AWS documents on deployments that shift traffic, with boto3."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from bot.playground.aws import World
from tests.fakes.aws_world import Clients, clients_of, running_world

if TYPE_CHECKING:
    from mypy_boto3_ecs.type_defs import ServiceDeploymentTypeDef

BEFORE_EACH_SHIFT = "PRE_PRODUCTION_TRAFFIC_SHIFT"
EVERY_PAUSE = (
    "PRE_SCALE_UP",
    "POST_SCALE_UP",
    "POST_TEST_TRAFFIC_SHIFT",
    BEFORE_EACH_SHIFT,
    "POST_PRODUCTION_TRAFFIC_SHIFT",
)
FORWARD = [
    "PRE_SCALE_UP",
    "SCALE_UP",
    "POST_SCALE_UP",
    "TEST_TRAFFIC_SHIFT",
    "POST_TEST_TRAFFIC_SHIFT",
    BEFORE_EACH_SHIFT,
    "PRODUCTION_TRAFFIC_SHIFT",
    "POST_PRODUCTION_TRAFFIC_SHIFT",
    "BAKE_TIME",
    "CLEAN_UP",
]
CANARY: dict[str, Any] = {"strategy": "CANARY", "percent": 10, "step_bake_minutes": 1}
LINEAR: dict[str, Any] = {"strategy": "LINEAR", "percent": 20, "step_bake_minutes": 1}
BLUE_GREEN: dict[str, Any] = {"strategy": "BLUE_GREEN", "bake_minutes": 1}


@pytest.fixture
def world() -> Iterator[World]:
    with running_world() as started:
        for tag, behaviour in {
            "v1": "good",
            "v2": "good",
            "v3": "good",
            "crashing": "crashing",
            "slow": "slow",
        }.items():
            started.push("backend", tag, behaviour)
        yield started


@pytest.fixture
def aws(world: World) -> Iterator[Clients]:
    with clients_of(world) as clients:
        yield clients


class Backend:
    """One service whose deployments shift traffic, and the ways to look at it."""

    def __init__(self, world: World, aws: Clients, **options: Any) -> None:
        self.world, self.aws = world, aws
        world.create_service("prod", "backend", **{"image": "v1", **options})

    def deploy(self, tag: str = "v2") -> None:
        self.world.deploy_out_of_band("prod", "backend", tag)

    def shown(self) -> Any:
        found = self.aws.ecs.describe_services(cluster="prod", services=["backend"])
        return found["services"][0]

    def record(self, age: int = 0) -> ServiceDeploymentTypeDef:
        listed = self.aws.ecs.list_service_deployments(cluster="prod", service="backend")
        arn = listed["serviceDeployments"][age]["serviceDeploymentArn"]
        found = self.aws.ecs.describe_service_deployments(serviceDeploymentArns=[arn])
        return found["serviceDeployments"][0]

    def stage(self) -> str:
        return str(self.record().get("lifecycleStage"))

    def weights(self) -> tuple[float, ...]:
        """Green's share of the production traffic, and that of every revision before it."""
        return weights_of(self.record())

    def running(self) -> dict[str, int]:
        """Running tasks by the image's tag."""
        counts: dict[str, int] = {}
        for status in ("RUNNING", "STOPPED"):
            arns = self.aws.ecs.list_tasks(
                cluster="prod",
                serviceName="backend",
                desiredStatus=status,
            )["taskArns"]
            tasks = self.aws.ecs.describe_tasks(cluster="prod", tasks=arns)["tasks"] if arns else []
            for task in tasks:
                if task["lastStatus"] == "RUNNING":
                    tag = task["containers"][0]["image"].rpartition(":")[2]
                    counts[tag] = counts.get(tag, 0) + 1
        return counts

    def group(self, revision: str) -> str:
        """The name of the target group that a revision was given."""
        found = self.aws.ecs.describe_service_revisions(serviceRevisionArns=[revision])
        (balancer,) = found["serviceRevisions"][0]["resolvedConfiguration"]["loadBalancers"]
        assert "listener-rule/app/backend" in balancer["productionListenerRule"]
        return balancer["targetGroupArn"].split("/")[1]

    def groups(self) -> list[str]:
        """The target group of the service and its alternate."""
        balancer = self.shown()["loadBalancers"][0]
        advanced = balancer["advancedConfiguration"]
        return [balancer["targetGroupArn"], advanced["alternateTargetGroupArn"]]

    def rule_arn(self, kind: str = "productionListenerRule") -> str:
        return str(self.shown()["loadBalancers"][0]["advancedConfiguration"][kind])

    def rule(self, kind: str = "productionListenerRule") -> dict[str, int]:
        """What the load balancer does: weights by the target group's name."""
        (rule,) = self.aws.elb.describe_rules(RuleArns=[self.rule_arn(kind)])["Rules"]
        groups = rule["Actions"][0]["ForwardConfig"]["TargetGroups"]
        return {each["TargetGroupArn"].split("/")[1]: each["Weight"] for each in groups}

    def targets(self) -> dict[str, int]:
        """How many healthy targets each group has, by its name."""
        counts = {}
        for arn in self.groups():
            found = self.aws.elb.describe_target_health(TargetGroupArn=arn)
            states = [each["TargetHealth"]["State"] for each in found["TargetHealthDescriptions"]]
            counts[arn.split("/")[1]] = states.count("healthy")
        return counts

    def waiting(self) -> list[Any]:
        details = self.record()["lifecycleHookDetails"]
        return [each for each in details if each["status"] == "AWAITING_ACTION"]

    def hooks(self) -> list[str]:
        return [each["status"] for each in self.record()["lifecycleHookDetails"]]

    def pause(self) -> str:
        """Wait until it is paused; returns the hook's id."""
        assert self.world.shifts.run_until_paused("prod", "backend", 90000)
        (hook,) = self.waiting()
        return str(hook["hookId"])

    def answer(self, hook: str, *action: Any) -> None:
        arn = self.record()["serviceDeploymentArn"]
        chosen = {"action": action[0]} if action else {}
        answer = self.aws.ecs.continue_service_deployment(
            serviceDeploymentArn=arn, hookId=hook, **chosen
        )
        assert answer["serviceDeploymentArn"] == arn

    def settle(self) -> None:
        assert self.world.run_until_steady("prod", "backend", 90000)

    def watch(self, seconds: int) -> list[tuple[str, tuple[float, ...]]]:
        """The stages that it goes through, each with its weights, second by second."""
        arn = self.record()["serviceDeploymentArn"]
        seen: list[tuple[str, tuple[float, ...]]] = []
        for _ in range(seconds):
            found = self.aws.ecs.describe_service_deployments(serviceDeploymentArns=[arn])
            record = found["serviceDeployments"][0]
            now = (record["lifecycleStage"], weights_of(record))
            if not seen or seen[-1] != now:
                seen.append(now)
            self.world.advance(1)
        return seen

    def reach(self, stage: str, shifted: int | None = None) -> None:
        """Go on until that stage, after that many shifts of the traffic."""
        for _ in range(4000):
            passage = self.world.service("prod", "backend").history[-1].passage
            assert passage is not None
            if passage.stage == stage and shifted in {None, passage.shifted}:
                return
            self.world.advance(1)
        pytest.fail("it did not come to that")


def weights_of(record: ServiceDeploymentTypeDef) -> tuple[float, ...]:
    revisions = [record["targetServiceRevision"], *record["sourceServiceRevisions"]]
    return tuple(each["requestedProductionTrafficWeight"] for each in revisions)


def refused(call: Callable[[], object]) -> tuple[str, str]:
    with pytest.raises(ClientError) as raised:
        call()
    error = raised.value.response["Error"]
    return error["Code"], error["Message"]


def in_order(seen: list[str]) -> list[str]:
    return [first for first, second in pairwise([*seen, ""]) if first != second]


class TestStages:
    def test_blue_green_goes_through_every_stage_once(self, world: World, aws: Clients) -> None:
        backend = Backend(world, aws, **BLUE_GREEN)
        backend.deploy()
        world.advance(1)

        seen = backend.watch(110)

        assert [stage for stage, _ in seen] == FORWARD
        assert dict(seen)[BEFORE_EACH_SHIFT] == (0.0, 100.0)
        assert dict(seen)["PRODUCTION_TRAFFIC_SHIFT"] == (100.0, 0.0)
        assert backend.record()["status"] == "SUCCESSFUL"

    def test_a_canary_shifts_twice(self, world: World, aws: Clients) -> None:
        backend = Backend(world, aws, **CANARY)
        backend.deploy()
        world.advance(1)

        seen = backend.watch(120)

        shifts = [weights for stage, weights in seen if stage == "PRODUCTION_TRAFFIC_SHIFT"]
        assert shifts == [(10.0, 90.0), (100.0, 0.0)]
        assert [stage for stage, _ in seen].count(BEFORE_EACH_SHIFT) == 2
        assert backend.record()["status"] == "SUCCESSFUL"

    @pytest.mark.parametrize(
        ("percent", "shares"),
        [(20, [20, 40, 60, 80, 100]), (33.3, [33.3, 66.6, 99.9, 100]), (100, [100])],
    )
    def test_a_linear_deployment_shifts_by_equal_steps(
        self, world: World, aws: Clients, percent: float, shares: list[float]
    ) -> None:
        backend = Backend(world, aws, **{**LINEAR, "percent": percent, "step_bake_minutes": 0})
        backend.deploy()
        world.advance(1)

        seen = backend.watch(100)

        shifts = [weights for stage, weights in seen if stage == "PRODUCTION_TRAFFIC_SHIFT"]
        assert [green for green, _ in shifts] == shares
        assert all(round(green + blue, 1) == 100 for green, blue in shifts)

    def test_green_is_whole_before_any_traffic_and_blue_until_the_end(
        self, world: World, aws: Clients
    ) -> None:
        backend = Backend(world, aws, **CANARY, desired=3)
        backend.deploy("slow")
        backend.reach("POST_SCALE_UP")
        assert backend.running() == {"v1": 3, "slow": 3}

        backend.reach("BAKE_TIME")
        assert backend.running() == {"v1": 3, "slow": 3}
        backend.settle()
        assert backend.running() == {"slow": 3}

    def test_no_task_is_started_before_scale_up(self, world: World, aws: Clients) -> None:
        backend = Backend(world, aws, **CANARY, pauses=["PRE_SCALE_UP"])
        backend.deploy()
        backend.pause()
        world.advance(600)

        assert backend.running() == {"v1": 2}
        assert backend.shown()["pendingCount"] == 0

    def test_the_bake_time_comes_between_two_shifts_and_not_after_the_last(
        self, world: World, aws: Clients
    ) -> None:
        backend = Backend(world, aws, **CANARY, bake_minutes=0)
        backend.deploy()
        backend.reach("PRODUCTION_TRAFFIC_SHIFT", 1)
        world.advance(59)
        assert backend.weights() == (10.0, 90.0)
        world.advance(10)
        assert backend.weights() == (100.0, 0.0)
        world.advance(20)
        assert backend.record()["status"] == "SUCCESSFUL"

    def test_the_deployment_s_own_bake_time_ends_before_blue_goes(
        self, world: World, aws: Clients
    ) -> None:
        backend = Backend(world, aws, **BLUE_GREEN)
        backend.deploy()
        backend.reach("BAKE_TIME")
        world.advance(59)
        assert (backend.stage(), backend.running()) == ("BAKE_TIME", {"v1": 2, "v2": 2})
        world.advance(5)
        assert backend.stage() == "CLEAN_UP"

    def test_test_traffic_goes_to_green_where_there_is_a_rule_for_it(
        self, world: World, aws: Clients
    ) -> None:
        backend = Backend(world, aws, **CANARY, test_listener=True)
        backend.deploy()
        backend.reach("POST_SCALE_UP")
        assert backend.record()["targetServiceRevision"]["requestedTestTrafficWeight"] == 0
        backend.reach("POST_TEST_TRAFFIC_SHIFT")
        assert backend.record()["targetServiceRevision"]["requestedTestTrafficWeight"] == 100
        assert backend.weights() == (0.0, 100.0)

    def test_scaling_meanwhile_is_for_both(self, world: World, aws: Clients) -> None:
        backend = Backend(world, aws, **{**CANARY, "step_bake_minutes": 5})
        backend.deploy()
        backend.reach("PRODUCTION_TRAFFIC_SHIFT", 1)
        world.scale("prod", "backend", 4)
        world.advance(60)
        assert backend.running() == {"v1": 4, "v2": 4}
        world.scale("prod", "backend", 1)
        world.advance(60)
        assert backend.running() == {"v1": 1, "v2": 1}

    def test_a_blue_task_that_dies_is_replaced_meanwhile(self, world: World, aws: Clients) -> None:
        backend = Backend(world, aws, **CANARY, pauses=["PRE_SCALE_UP"])
        backend.deploy()
        backend.pause()
        world.kill_task("prod", "backend")
        world.advance(60)
        assert backend.running() == {"v1": 2}

    def test_a_rolling_deployment_has_no_stages_and_no_weights(
        self, world: World, aws: Clients
    ) -> None:
        backend = Backend(world, aws)
        backend.deploy()
        world.advance(30)
        assert "lifecycleStage" not in backend.record()
        assert "lifecycleHookDetails" not in backend.record()
        assert "requestedProductionTrafficWeight" not in backend.record()["targetServiceRevision"]
        assert world.shifts.stage("prod", "backend") is None
        assert not world.shifts.run_until_paused("prod", "backend", 60)

    def test_a_first_deployment_goes_through_the_stages_with_one_shift(
        self, world: World, aws: Clients
    ) -> None:
        backend = Backend(world, aws, **LINEAR, settled=False, pauses=[BEFORE_EACH_SHIFT])
        backend.answer(backend.pause())
        backend.settle()
        assert backend.hooks() == ["SUCCEEDED"]
        assert backend.weights() == (100.0,)
        assert backend.record()["status"] == "SUCCESSFUL"

    def test_without_a_load_balancer_blue_green_has_the_stages_alone(
        self, world: World, aws: Clients
    ) -> None:
        backend = Backend(world, aws, **BLUE_GREEN, load_balanced=False)
        backend.deploy()
        backend.settle()
        assert backend.record()["status"] == "SUCCESSFUL"
        assert backend.running() == {"v2": 2}

    def test_the_same_seed_gives_the_same_hooks(self) -> None:
        def hook() -> str:
            with running_world(7) as world, clients_of(world) as aws:
                for tag in ("v1", "v2"):
                    world.push("backend", tag)
                backend = Backend(world, aws, **CANARY, pauses=[BEFORE_EACH_SHIFT])
                backend.deploy()
                return backend.pause()

        assert hook() == hook()


class TestTargetGroups:
    def test_the_two_take_turns(self, world: World, aws: Clients) -> None:
        backend = Backend(world, aws, **BLUE_GREEN)
        groups = [backend.group(backend.record()["targetServiceRevision"]["arn"])]
        for tag in ("v2", "v3"):
            backend.deploy(tag)
            backend.settle()
            groups.append(backend.group(backend.record()["targetServiceRevision"]["arn"]))
        assert groups == ["backend", "backend-alternate", "backend"]

    def test_tasks_are_registered_in_the_group_of_their_revision(
        self, world: World, aws: Clients
    ) -> None:
        backend = Backend(world, aws, **BLUE_GREEN)
        backend.deploy()
        backend.reach("POST_SCALE_UP")
        (newest, *_) = [e["message"] for e in backend.shown()["events"]]
        assert re.search(r"registered 1 targets in \(target-group .*/backend-alternate/", newest)

    def test_a_rollback_frees_the_group_for_the_next(self, world: World, aws: Clients) -> None:
        backend = Backend(world, aws, **CANARY, pauses=[BEFORE_EACH_SHIFT])
        backend.deploy()
        backend.answer(backend.pause(), "ROLLBACK")
        backend.settle()
        backend.deploy("v3")
        target = backend.record()["targetServiceRevision"]["arn"]
        assert backend.group(target) == "backend-alternate"

    def test_a_rolling_deployment_stays_in_the_group_of_the_one_before(
        self, world: World, aws: Clients
    ) -> None:
        backend = Backend(world, aws, **BLUE_GREEN)
        backend.deploy()
        backend.settle()
        world.update_out_of_band(
            "prod",
            "backend",
            forceNewDeployment=True,
            deploymentConfiguration={"strategy": "ROLLING"},
        )
        target = backend.record()["targetServiceRevision"]["arn"]
        assert backend.group(target) == "backend-alternate"


class TestListenerRules:
    def test_the_weights_shown_are_those_of_the_production_rule(
        self, world: World, aws: Clients
    ) -> None:
        backend = Backend(world, aws, **{**CANARY, "percent": 2.5, "bake_minutes": 1})
        assert backend.rule() == {"backend": 1, "backend-alternate": 0}
        backend.deploy()
        backend.reach("POST_TEST_TRAFFIC_SHIFT")
        assert backend.rule() == {"backend": 1, "backend-alternate": 0}
        backend.reach("PRODUCTION_TRAFFIC_SHIFT", 1)
        assert (backend.weights(), backend.rule()) == (
            (2.5, 97.5),
            {"backend": 975, "backend-alternate": 25},
        )
        backend.reach("BAKE_TIME")
        assert backend.rule() == {"backend": 0, "backend-alternate": 100}
        backend.settle()
        backend.deploy("v3")
        backend.settle()
        assert backend.rule() == {"backend": 100, "backend-alternate": 0}

    def test_green_stands_in_the_alternate_group_until_it_is_taken_back(
        self, world: World, aws: Clients
    ) -> None:
        backend = Backend(world, aws, **CANARY, pauses=[BEFORE_EACH_SHIFT], test_listener=True)
        backend.deploy()
        backend.answer(backend.pause())
        backend.pause()
        assert backend.targets() == {"backend": 2, "backend-alternate": 2}
        assert backend.rule("testListenerRule") == {"backend": 0, "backend-alternate": 100}

        world.shifts.answer("prod", "backend", "ROLLBACK")
        world.advance(1)
        assert backend.rule() == {"backend": 100, "backend-alternate": 0}
        backend.settle()
        assert backend.targets() == {"backend": 2, "backend-alternate": 0}

    def test_visitors_come_to_the_canary_as_its_weight_says(
        self, world: World, aws: Clients
    ) -> None:
        backend = Backend(world, aws, **CANARY, pauses=[BEFORE_EACH_SHIFT])
        world.traffic.set(backend.rule_arn(), 100)
        backend.deploy()
        backend.answer(backend.pause())
        backend.pause()
        world.advance(300)

        stable, canary = (
            sum(each.requests for each in world.traffic.recent(arn, 300))
            for arn in backend.groups()
        )
        assert stable + canary == pytest.approx(30000, rel=0.05)
        assert canary / (stable + canary) == pytest.approx(0.1, rel=0.1)

    def test_a_rule_that_serves_from_two_groups_is_not_shifted(
        self, world: World, aws: Clients
    ) -> None:
        backend = Backend(world, aws, **CANARY)
        world.balancers.set_weights(backend.rule_arn(), dict.fromkeys(backend.groups(), 50))
        backend.deploy()
        backend.settle()
        record = backend.record()
        assert record["status"] == "ROLLBACK_SUCCESSFUL"
        assert record["statusReason"] == (
            "Service deployment rolled back because of invalid networking configuration. "
            f"productionListenerRule {backend.rule_arn()} should have exactly one target group "
            "serving traffic but found 2 target groups which are serving traffic"
        )
        assert backend.rule() == {"backend": 50, "backend-alternate": 50}

    def test_a_rule_that_serves_from_a_strange_group_is_not_shifted(
        self, world: World, aws: Clients
    ) -> None:
        backend = Backend(world, aws, **CANARY)
        strange = world.balancers.create_target_group("strange")
        weights = {**dict.fromkeys(backend.groups(), 0), strange: 1}
        world.balancers.set_weights(backend.rule_arn(), weights)
        backend.deploy()
        world.advance(2)
        reason = backend.record()["statusReason"]
        assert f"is forwarding traffic to unexpected target group {strange}." in reason

    def test_a_group_that_no_rule_knows_any_more(self, world: World, aws: Clients) -> None:
        backend = Backend(world, aws, **CANARY)
        first, alternate = backend.groups()
        world.balancers.set_weights(backend.rule_arn(), {first: 1})
        world.update_out_of_band("prod", "backend", forceNewDeployment=True)
        world.advance(2)
        assert backend.record()["statusReason"] == (
            "Service deployment rolled back because of invalid networking configuration: Target "
            f"group {alternate} is not associated with either productionListenerRule or "
            "testListenerRule."
        )


class TestPauses:
    def test_it_waits_at_each_stage_that_has_a_hook(self, world: World, aws: Clients) -> None:
        backend = Backend(world, aws, **BLUE_GREEN, pauses=EVERY_PAUSE)
        backend.deploy()
        stages, ids = [], []
        for _ in EVERY_PAUSE:
            ids.append(backend.pause())
            stages.append(backend.stage())
            assert backend.record()["status"] == "IN_PROGRESS"
            backend.answer(ids[-1])
            world.advance(2)
        backend.settle()

        assert stages == list(EVERY_PAUSE)
        assert len(set(ids)) == len(ids)
        assert backend.hooks() == ["SUCCEEDED"] * len(EVERY_PAUSE)
        assert backend.record()["status"] == "SUCCESSFUL"

    def test_what_is_told_of_a_pause(self, world: World, aws: Clients) -> None:
        backend = Backend(world, aws, **CANARY, pauses=[BEFORE_EACH_SHIFT], pause_minutes=30)
        backend.deploy()
        backend.pause()

        record = backend.record()
        (hook,) = record["lifecycleHookDetails"]
        assert re.fullmatch(r"ecs-pause-[\w-]{43}", hook["hookId"])
        assert (hook["targetType"], hook["status"]) == ("PAUSE", "AWAITING_ACTION")
        assert hook["timeoutAction"] == "ROLLBACK"
        assert "targetArn" not in hook
        waits = hook["expiresAt"] - record["updatedAt"]
        assert 1795 <= waits.total_seconds() <= 1805
        assert record["lifecycleStage"] == BEFORE_EACH_SHIFT
        primary = backend.shown()["deployments"][0]
        assert (primary["status"], primary["rolloutState"]) == ("PRIMARY", "IN_PROGRESS")

    def test_the_time_a_pause_ends_is_told_by_the_clock_on_the_wall(self) -> None:
        with running_world(speed=20) as world, clients_of(world) as aws:
            for tag in ("v1", "v2"):
                world.push("backend", tag)
            backend = Backend(world, aws, **CANARY, pauses=["PRE_SCALE_UP"], pause_minutes=30)
            backend.deploy()
            backend.pause()
            record = backend.record()
            waits = record["lifecycleHookDetails"][0]["expiresAt"] - record["updatedAt"]
            assert waits.total_seconds() == pytest.approx(30 * 60 / 20, abs=2)

    def test_nothing_goes_on_until_it_is_answered(self, world: World, aws: Clients) -> None:
        backend = Backend(world, aws, **CANARY, pauses=[BEFORE_EACH_SHIFT])
        backend.deploy()
        hook = backend.pause()
        world.advance(50000)
        assert (backend.stage(), backend.weights()) == (BEFORE_EACH_SHIFT, (0.0, 100.0))
        assert backend.pause() == hook

    def test_a_canary_pauses_before_each_of_its_two_shifts(
        self, world: World, aws: Clients
    ) -> None:
        backend = Backend(world, aws, **CANARY, pauses=[BEFORE_EACH_SHIFT])
        backend.deploy()
        before = []
        for _ in range(2):
            hook = backend.pause()
            before.append(backend.weights())
            backend.answer(hook)
        backend.settle()

        assert before == [(0.0, 100.0), (10.0, 90.0)]
        assert backend.hooks() == ["SUCCEEDED", "SUCCEEDED"]
        assert backend.weights() == (100.0, 0.0)

    def test_five_linear_steps_are_five_pauses(self, world: World, aws: Clients) -> None:
        backend = Backend(world, aws, **LINEAR, pauses=[BEFORE_EACH_SHIFT])
        backend.deploy()
        ids, before = [], []
        while world.shifts.run_until_paused("prod", "backend"):
            ids.append(backend.pause())
            before.append(backend.weights()[0])
            backend.answer(ids[-1])
        backend.settle()

        assert before == [0, 20, 40, 60, 80]
        assert len(set(ids)) == 5
        assert backend.record()["status"] == "SUCCESSFUL"

    def test_the_stage_that_the_enum_lacks_can_be_hidden(self, world: World, aws: Clients) -> None:
        world.shifts.show_by_the_enum()
        backend = Backend(world, aws, **CANARY, pauses=[BEFORE_EACH_SHIFT])
        backend.deploy()
        backend.pause()
        assert (backend.stage(), backend.weights()) == ("PRODUCTION_TRAFFIC_SHIFT", (0.0, 100.0))

    def test_a_rollback_takes_the_traffic_back_first(self, world: World, aws: Clients) -> None:
        backend = Backend(world, aws, **CANARY, pauses=[BEFORE_EACH_SHIFT])
        backend.deploy()
        backend.answer(backend.pause())
        backend.answer(backend.pause(), "ROLLBACK")
        assert backend.hooks() == ["SUCCEEDED", "FAILED"]
        world.advance(1)

        record = backend.record()
        assert record["status"] == "ROLLBACK_IN_PROGRESS"
        assert record["statusReason"] == record["rollback"]["reason"]
        assert "PRE_PRODUCTION_TRAFFIC_SHIFT lifecycle hook(s) failed." in record["statusReason"]
        assert (
            record["rollback"]["serviceRevisionArn"] == record["sourceServiceRevisions"][0]["arn"]
        )
        assert (backend.weights(), backend.running()) == ((0.0, 100.0), {"v1": 2, "v2": 2})
        seen = backend.watch(30)
        assert in_order([stage for stage, _ in seen]) == [
            "PRODUCTION_TRAFFIC_SHIFT",
            "TEST_TRAFFIC_SHIFT",
            "CLEAN_UP",
        ]
        backend.settle()
        assert backend.record()["status"] == "ROLLBACK_SUCCESSFUL"
        assert backend.running() == {"v1": 2}
        assert [each["status"] for each in backend.shown()["deployments"]] == ["PRIMARY"]

    @pytest.mark.parametrize("action", ["ROLLBACK", "CONTINUE"])
    def test_a_hook_that_nobody_answers_does_what_its_timeout_says(
        self, world: World, aws: Clients, action: str
    ) -> None:
        options = {"pauses": [BEFORE_EACH_SHIFT], "pause_minutes": 10, "pause_action": action}
        backend = Backend(world, aws, **BLUE_GREEN, **options)
        backend.deploy()
        backend.pause()
        world.advance(610)
        assert backend.hooks() == ["TIMED_OUT"]
        backend.settle()

        record = backend.record()
        if action == "CONTINUE":
            assert record["status"] == "SUCCESSFUL"
        else:
            assert record["status"] == "ROLLBACK_SUCCESSFUL"
            assert record["statusReason"] == (
                "Service deployment rolled back because PRE_PRODUCTION_TRAFFIC_SHIFT pause hook "
                "timed out."
            )

    def test_a_pause_may_last_a_day_unless_told_otherwise(self, world: World, aws: Clients) -> None:
        backend = Backend(world, aws, **BLUE_GREEN, pauses=["POST_SCALE_UP"])
        backend.deploy()
        backend.pause()
        world.advance(86390)
        assert backend.hooks() == ["AWAITING_ACTION"]
        world.advance(10)
        assert backend.hooks() == ["TIMED_OUT"]

    def test_all_hooks_of_a_stage_must_be_continued(self, world: World, aws: Clients) -> None:
        backend = Backend(world, aws, **BLUE_GREEN)
        hook = {"targetType": "PAUSE", "lifecycleStages": ["POST_SCALE_UP"]}
        world.update_out_of_band(
            "prod", "backend", deploymentConfiguration={"lifecycleHooks": [hook, hook]}
        )
        backend.deploy()
        assert world.shifts.run_until_paused("prod", "backend")
        first, second = (each["hookId"] for each in backend.waiting())

        backend.answer(first)
        world.advance(600)
        assert backend.stage() == "POST_SCALE_UP"
        backend.answer(second)
        world.advance(60)
        assert backend.stage() != "POST_SCALE_UP"

    def test_one_that_rolls_back_does_so_for_all(self, world: World, aws: Clients) -> None:
        backend = Backend(world, aws, **BLUE_GREEN)
        hook = {"targetType": "PAUSE", "lifecycleStages": ["POST_SCALE_UP"]}
        world.update_out_of_band(
            "prod", "backend", deploymentConfiguration={"lifecycleHooks": [hook, hook]}
        )
        backend.deploy()
        assert world.shifts.run_until_paused("prod", "backend")
        backend.answer(backend.waiting()[0]["hookId"], "ROLLBACK")
        backend.settle()
        assert backend.record()["status"] == "ROLLBACK_SUCCESSFUL"
        assert backend.hooks() == ["FAILED", "FAILED"]

    def test_somebody_else_may_answer(self, world: World, aws: Clients) -> None:
        backend = Backend(world, aws, **CANARY, pauses=[BEFORE_EACH_SHIFT])
        backend.deploy()
        hook = backend.pause()
        assert world.shifts.answer("prod", "backend") == 1
        assert refused(lambda: backend.answer(hook))[0] == "InvalidParameterException"
        assert world.shifts.answer("prod", "backend") == 0
        assert world.count("ContinueServiceDeployment") == 0


class TestRefusedAnswers:
    @pytest.fixture
    def backend(self, world: World, aws: Clients) -> Backend:
        made = Backend(world, aws, **CANARY, pauses=[BEFORE_EACH_SHIFT])
        made.deploy()
        return made

    def test_an_id_of_another_form(self, backend: Backend) -> None:
        backend.pause()
        assert refused(lambda: backend.answer("hook-1")) == (
            "InvalidParameterException",
            "Invalid hookId: hookId must follow the format: ecs-{hookType}-{id}",
        )

    def test_an_id_that_is_none_of_its_own_or_answered(self, backend: Backend) -> None:
        hook = backend.pause()
        backend.answer(hook)
        said = (
            "InvalidParameterException",
            (
                "Provided hookId is either completed, unavailable, or not associated with the "
                "given Resource ARN"
            ),
        )
        for identifier in (hook, "ecs-pause-somebodyElses"):
            assert refused(functools.partial(backend.answer, identifier)) == said

    def test_a_hook_of_a_deployment_that_a_newer_one_overtook(
        self, world: World, aws: Clients, backend: Backend
    ) -> None:
        hook = backend.pause()
        arn = backend.record()["serviceDeploymentArn"]
        backend.deploy("v3")

        def answer() -> object:
            return aws.ecs.continue_service_deployment(serviceDeploymentArn=arn, hookId=hook)

        assert refused(answer)[0] == "InvalidParameterException"
        world.advance(5)
        assert refused(answer)[1].startswith("Continuing a service deployment is not allowed")

    def test_a_deployment_that_has_ended(self, backend: Backend) -> None:
        hook = backend.pause()
        backend.answer(hook, "ROLLBACK")
        backend.settle()
        assert refused(lambda: backend.answer(hook)) == (
            "ClientException",
            (
                "Continuing a service deployment is not allowed for service deployment in terminal "
                "states."
            ),
        )

    def test_a_deployment_that_is_not_there(self, aws: Clients, backend: Backend) -> None:
        hook = backend.pause()
        arn = backend.record()["serviceDeploymentArn"] + "0"
        assert refused(
            lambda: aws.ecs.continue_service_deployment(serviceDeploymentArn=arn, hookId=hook)
        ) == ("ServiceDeploymentNotFoundException", "The service deployment does not exist.")

    def test_reads_lag_behind_an_answer(self, world: World, backend: Backend) -> None:
        hook = backend.pause()
        world.faults.lag(5)
        backend.answer(hook)
        assert backend.hooks() == ["AWAITING_ACTION"]
        world.advance(6)
        assert backend.hooks() == ["SUCCEEDED"]


class TestFailures:
    def test_an_alarm_ends_a_pause(self, world: World, aws: Clients) -> None:
        backend = Backend(world, aws, **CANARY, pauses=[BEFORE_EACH_SHIFT], alarms=["errors"])
        backend.deploy()
        backend.answer(backend.pause())
        backend.pause()
        world.trip_alarm("errors")

        assert backend.weights() == (0.0, 100.0)
        assert backend.hooks() == ["SUCCEEDED", "FAILED"]
        backend.settle()
        record = backend.record()
        assert record["status"] == "ROLLBACK_SUCCESSFUL"
        assert record["alarms"]["triggeredAlarmNames"] == ["errors"]
        assert "alarm" in record["statusReason"]

    def test_an_alarm_in_the_bake_time_takes_everything_back(
        self, world: World, aws: Clients
    ) -> None:
        backend = Backend(world, aws, **BLUE_GREEN, alarms=["errors"])
        backend.deploy()
        backend.reach("BAKE_TIME")
        world.trip_alarm("errors")
        assert (backend.weights(), backend.running()) == ((0.0, 100.0), {"v1": 2, "v2": 2})
        backend.settle()
        assert backend.running() == {"v1": 2}

    def test_the_breaker_rolls_back_before_any_traffic(self, world: World, aws: Clients) -> None:
        backend = Backend(world, aws, **CANARY)
        backend.deploy("crashing")
        world.advance(1)
        seen = backend.watch(60)
        backend.settle()

        assert {weights for _, weights in seen} == {(0.0, 100.0)}
        record = backend.record()
        assert record["status"] == "ROLLBACK_SUCCESSFUL"
        assert record["deploymentCircuitBreaker"]["status"] == "TRIGGERED"
        assert record["statusReason"] == (
            "Service deployment rolled back because the circuit breaker threshold was exceeded."
        )
        assert backend.running() == {"v1": 2}

    def test_without_the_breaker_a_stage_has_24_hours(self, world: World, aws: Clients) -> None:
        backend = Backend(world, aws, **CANARY, breaker=False)
        backend.deploy("never-pushed")
        world.advance(86000)
        assert (backend.stage(), backend.record()["status"]) == ("SCALE_UP", "IN_PROGRESS")
        world.advance(500)
        assert backend.record()["status"] == "ROLLBACK_SUCCESSFUL"
        assert "SCALE_UP" in backend.record()["statusReason"]

    def test_a_first_deployment_that_fails_has_nothing_to_go_back_to(
        self, world: World, aws: Clients
    ) -> None:
        backend = Backend(world, aws, **CANARY, settled=False, pauses=["POST_SCALE_UP"])
        backend.answer(backend.pause(), "ROLLBACK")
        world.advance(60)
        assert backend.record()["status"] == "ROLLBACK_FAILED"

    def test_a_newer_deployment_reconciles_what_the_older_left(
        self, world: World, aws: Clients
    ) -> None:
        backend = Backend(world, aws, **CANARY)
        backend.deploy()
        backend.reach("PRODUCTION_TRAFFIC_SHIFT", 1)
        backend.deploy("v3")
        assert backend.weights() == (0.0, 10.0, 90.0)
        world.advance(1)
        assert backend.stage() == "RECONCILE_SERVICE"
        assert backend.weights() == (0.0, 0.0, 100.0)
        backend.reach("SCALE_UP")
        assert backend.running().get("v2", 0) == 0
        backend.settle()
        assert backend.record(1)["status"] == "STOPPED"
        assert backend.record()["status"] == "SUCCESSFUL"
        assert backend.running() == {"v3": 2}


class TestStopping:
    @pytest.mark.parametrize("stage", ["PENDING", "PRE_SCALE_UP", "SCALE_UP", "BAKE_TIME"])
    def test_a_stop_rolls_back_from_any_stage(self, world: World, aws: Clients, stage: str) -> None:
        backend = Backend(world, aws, **BLUE_GREEN)
        backend.deploy()
        if stage != "PENDING":
            backend.reach(stage)
        arn = backend.record()["serviceDeploymentArn"]
        aws.ecs.stop_service_deployment(serviceDeploymentArn=arn)
        assert backend.record()["status"] == "ROLLBACK_REQUESTED"
        backend.settle()

        assert backend.record()["status"] == "ROLLBACK_SUCCESSFUL"
        assert (backend.weights(), backend.running()) == ((0.0, 100.0), {"v1": 2})

    def test_a_stop_in_the_clean_up_starts_blue_again_before_the_traffic(
        self, world: World, aws: Clients
    ) -> None:
        backend = Backend(world, aws, **BLUE_GREEN)
        backend.deploy()
        backend.reach("CLEAN_UP")
        world.shifts.stop("prod", "backend")
        world.advance(2)
        assert (backend.stage(), backend.weights()) == ("SCALE_UP", (100.0, 0.0))
        backend.reach("PRODUCTION_TRAFFIC_SHIFT")
        assert backend.weights() == (0.0, 100.0)
        assert backend.running() == {"v1": 2, "v2": 2}
        backend.settle()
        assert backend.record()["status"] == "ROLLBACK_SUCCESSFUL"
        assert backend.running() == {"v1": 2}

    def test_an_abort_leaves_everything_as_it_is(self, world: World, aws: Clients) -> None:
        backend = Backend(world, aws, **CANARY, pauses=[BEFORE_EACH_SHIFT])
        backend.deploy()
        backend.answer(backend.pause())
        backend.pause()
        world.shifts.stop("prod", "backend", "ABORT")
        world.advance(60)

        assert backend.record()["status"] == "STOPPED"
        assert (backend.weights(), backend.running()) == ((10.0, 90.0), {"v1": 2, "v2": 2})
        backend.deploy("v3")
        world.advance(1)
        assert backend.stage() == "RECONCILE_SERVICE"

    def test_stopping_once_more_changes_nothing(self, world: World, aws: Clients) -> None:
        backend = Backend(world, aws, **BLUE_GREEN)
        backend.deploy()
        world.advance(30)
        arn = backend.record()["serviceDeploymentArn"]
        for seconds in (0, 3):
            world.advance(seconds)
            answer = aws.ecs.stop_service_deployment(serviceDeploymentArn=arn)
            assert answer["serviceDeploymentArn"] == arn
        assert backend.record()["status"] == "ROLLBACK_IN_PROGRESS"
