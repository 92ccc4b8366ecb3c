"""The simulated visitors of load balancers: who gets their requests, and what the levers do."""

from __future__ import annotations

import math

import pytest

from bot.playground.aws import World, latency
from bot.playground.aws.arrivals import Tally
from bot.playground.aws.balancers import Front
from tests.contracts.stages import virtual_world

RATE = 100.0


class Shop:
    """A service behind a rule, and its canary with one task in the other target group."""

    def __init__(self, world: World, canary: str = "good") -> None:
        self.world = world
        self.v1 = world.push("backend", "v1")
        self.v2 = world.push("backend", "v2", canary)
        self.front: Front = world.balancers.create_service(
            "prod", "backend", image="v1", desired=4, per_second=RATE, history=0
        )
        world.create_service(
            "prod",
            "backend-canary",
            image="v2",
            repository="backend",
            family="backend",
            container="backend",
            desired=1,
            settled=canary == "good",
            health_check=canary == "good",
            grace=7200,
            target_group=self.front.canary,
        )

    def shift(self, stable: int, canary: int) -> None:
        weights = {self.front.stable: stable, self.front.canary: canary}
        self.world.balancers.set_weights(self.front.rule, weights)

    def run(self, minutes: int) -> tuple[Tally, Tally, Tally]:
        """Tallies of the stable group, the canary's and of neither, over whole minutes."""
        self.world.advance(60 - self.world.moment() % 60)
        first = int(self.world.moment()) // 60
        self.world.advance(60 * minutes)
        flow = self.world.traffic.flow
        sums = []
        for group in (self.front.stable, self.front.canary, None):
            whole = Tally()
            series = flow.minutes.get((self.front.load_balancer, group), {})
            for minute in range(first, first + minutes):
                whole.add(series.get(minute, Tally()))
            sums.append(whole)
        return sums[0], sums[1], sums[2]


@pytest.fixture
def world() -> World:
    return virtual_world()


@pytest.fixture
def shop(world: World) -> Shop:
    return Shop(world)


def within(count: float, expected: float, sigmas: float = 5.0) -> bool:
    """Whether a count of independent events is as expected, give or take its chance."""
    return abs(count - expected) <= sigmas * math.sqrt(max(expected, 1))


def test_requests_arrive_at_their_rate_and_split_by_weight(shop: Shop) -> None:
    shop.shift(9, 1)
    stable, canary, nowhere = shop.run(10)

    assert within(stable.requests, 0.9 * RATE * 600)
    assert within(canary.requests, 0.1 * RATE * 600)
    assert nowhere.unserved == 0
    assert int(stable.times.sum()) == stable.requests


def test_nothing_goes_to_a_weight_of_zero(shop: Shop) -> None:
    stable, canary, _ = shop.run(2)

    assert canary.requests == 0
    assert within(stable.requests, RATE * 120)


def test_with_all_weights_zero_nobody_is_served(shop: Shop) -> None:
    shop.shift(0, 0)
    stable, canary, nowhere = shop.run(2)

    assert stable.requests == canary.requests == 0
    assert within(nowhere.unserved, RATE * 120)


def test_a_group_without_targets_answers_503_and_nobody_takes_over(shop: Shop) -> None:
    shop.world.scale("prod", "backend-canary", 0)
    shop.world.advance(120)
    shop.shift(1, 1)
    stable, canary, nowhere = shop.run(2)

    assert canary.requests == 0
    assert within(stable.requests, RATE * 60)
    assert within(nowhere.unserved, RATE * 60)


def test_a_target_gets_requests_only_once_it_is_healthy(shop: Shop) -> None:
    shop.world.scale("prod", "backend-canary", 0)
    shop.world.advance(120)
    shop.shift(1, 1)
    shop.world.scale("prod", "backend-canary", 1)

    served = []
    for _ in range(12):
        shop.world.advance(5)
        states = [each.state for each in shop.world.balancers.targets(shop.front.canary)]
        moment = shop.world.traffic.recent(shop.front.canary)[-1]
        served.append((states == ["healthy"], moment.requests > moment.errors))
    assert served[0] == (False, False)
    assert served[-1] == (True, True)
    assert all(healthy == answered for healthy, answered in served)


def test_a_group_of_unhealthy_targets_fails_open(world: World) -> None:
    shop = Shop(world, canary="unhealthy")
    world.advance(90)
    assert [e.state for e in world.balancers.targets(shop.front.canary)] == ["unhealthy"]
    shop.shift(1, 1)
    stable, canary, nowhere = shop.run(1)

    assert within(canary.requests, RATE * 30)
    assert canary.errors == canary.requests
    assert nowhere.unserved == 0
    assert stable.errors < stable.requests * 0.01


def test_a_task_that_crashes_leaves_502s_until_it_is_noticed(shop: Shop) -> None:
    shop.shift(1, 1)
    shop.world.advance(62)
    shop.world.kill_task("prod", "backend-canary")
    shop.world.advance(3)

    moment = shop.world.traffic.recent(shop.front.canary)[-1]
    assert moment.errors == moment.requests > 0
    assert [each.dead for each in shop.world.balancers.targets(shop.front.canary)][:1] == [True]


def test_each_version_has_its_own_error_rate(shop: Shop) -> None:
    shop.shift(1, 1)
    shop.world.traffic.version(shop.v1).errors = 0.01
    shop.world.traffic.version(shop.v2).errors = 0.2
    stable, canary, _ = shop.run(10)

    assert within(stable.errors, 0.01 * stable.requests)
    assert within(canary.errors, 0.2 * canary.requests)


def test_connections_that_fail_are_refused_and_have_no_response_time(shop: Shop) -> None:
    shop.shift(1, 1)
    shop.world.traffic.version(shop.v2).unreachable = 0.5
    _, canary, _ = shop.run(5)

    assert within(canary.refused, 0.5 * canary.requests)
    assert int(canary.times.sum()) == canary.requests - canary.refused


def test_each_version_has_its_own_response_times(shop: Shop) -> None:
    shop.shift(1, 1)
    slow = shop.world.traffic.version(shop.v2)
    slow.latency, slow.pod_deviation = 3.0, 0.0
    shop.world.traffic.version(shop.v1).pod_deviation = 0.0
    stable, canary, _ = shop.run(10)

    # Log-normal: the 95th percentile is exp(1.645 * .5) medians.
    for tally, median in ((stable, 0.04), (canary, 0.12)):
        assert quantile(tally, 0.5) == pytest.approx(median, rel=0.03)
        assert quantile(tally, 0.95) == pytest.approx(median * 2.276, rel=0.03)


def quantile(tally: Tally, share: float) -> float:
    return latency.quantile(tally.times, share)


def test_tasks_differ_by_what_the_pod_deviation_says(shop: Shop) -> None:
    version = shop.world.traffic.version(shop.v1)
    version.pod_deviation = 0.2
    medians = [version.median_of(f"task-{each}", 0, 0) for each in range(400)]

    spread = [math.log(each / version.median) for each in medians]
    assert sum(spread) / 400 == pytest.approx(0, abs=0.04)
    assert math.sqrt(sum(each**2 for each in spread) / 400) == pytest.approx(0.2, rel=0.15)


def test_a_leak_grows_from_when_it_is_set(shop: Shop) -> None:
    shop.shift(1, 1)
    shop.world.traffic.version(shop.v2).leak(errors_per_minute=0.02, latency_per_minute=0.1)
    _, early, _ = shop.run(2)
    shop.world.advance(600)
    _, late, _ = shop.run(2)

    assert early.errors / early.requests < 0.08
    assert 0.2 < late.errors / late.requests < 0.35
    assert quantile(late, 0.5) > 1.7 * quantile(early, 0.5)
    shop.world.traffic.version(shop.v2).leak()
    _, mended, _ = shop.run(1)
    assert mended.errors / mended.requests < 0.01


def test_a_cold_start_fades(shop: Shop) -> None:
    version = shop.world.traffic.version(shop.v2)
    version.cold_latency, version.cold_errors = 5.0, 0.3
    shop.shift(1, 1)
    shop.world.kill_task("prod", "backend-canary")
    shop.world.run_until_steady("prod", "backend-canary")

    moments = []
    for _ in range(40):
        shop.world.advance(5)
        moments.append(shop.world.traffic.recent(shop.front.canary)[-1])
    assert moments[0].p50 > 1.5 * moments[-1].p50
    assert moments[0].errors > 10
    assert sum(each.errors for each in moments[-10:]) < 20


def test_an_incident_harms_both_versions_and_ends(shop: Shop) -> None:
    shop.shift(1, 1)
    shop.world.advance(60 - shop.world.moment() % 60)
    shop.world.traffic.incident(shop.front.load_balancer, errors=0.3, latency=2.0, seconds=120)
    stable, canary, _ = shop.run(1)
    after = shop.run(3)

    for tally in (stable, canary):
        assert within(tally.errors, 0.301 * tally.requests)
        assert quantile(tally, 0.5) == pytest.approx(0.08, rel=0.15)
    assert after[0].errors < 0.01 * after[0].requests


def test_a_burst_and_another_level_of_traffic(shop: Shop) -> None:
    shop.world.advance(60 - shop.world.moment() % 60)
    shop.world.traffic.burst(shop.front.rule, factor=4, seconds=120)
    stable, _, _ = shop.run(1)
    assert within(stable.requests, 4 * RATE * 60)
    stable, _, _ = shop.run(1)
    assert within(stable.requests, RATE * 60)
    shop.world.traffic.set(shop.front.load_balancer, per_second=7)
    stable, _, _ = shop.run(10)
    assert within(stable.requests, 7 * 600)


def test_traffic_may_vary_more_than_by_chance(shop: Shop) -> None:
    def dispersion() -> float:
        shop.world.advance(2000)
        counts = [each.requests for each in shop.world.traffic.recent(shop.front.stable, 1900)]
        mean = sum(counts) / len(counts)
        return sum((each - mean) ** 2 for each in counts) / len(counts) / mean

    assert dispersion() == pytest.approx(1, abs=0.4)
    shop.world.traffic.set(shop.front.rule, per_second=RATE, wobble=0.2)
    # A fifth of 500 requests, squared, is twenty times their variance by chance.
    assert dispersion() == pytest.approx(21, rel=0.4)


def test_a_lever_holds_from_now_on_and_no_earlier(shop: Shop) -> None:
    shop.world.advance(5 - shop.world.moment() % 5)
    before = shop.world.traffic.recent(shop.front.stable)
    shop.world.advance(2.5)
    shop.world.traffic.version(shop.v1).errors = 1.0
    shop.world.advance(2.5)

    (both,) = shop.world.traffic.recent(shop.front.stable)[len(before) :]
    assert both.seconds == 5
    assert both.errors / both.requests == pytest.approx(0.5, abs=0.1)


def test_clusters_make_error_counts_vary_more(shop: Shop) -> None:
    version = shop.world.traffic.version(shop.v1)

    def dispersion() -> float:
        shop.world.advance(5000)
        moments = shop.world.traffic.recent(shop.front.stable, 4000)
        rate = 0.1
        pairs = [(each.errors - rate * each.requests, each.requests) for each in moments]
        return sum(d**2 / (n * rate * (1 - rate)) for d, n in pairs) / len(pairs)

    version.errors = 0.1
    assert dispersion() == pytest.approx(1.0, abs=0.25)
    version.clustering = 4.0
    assert dispersion() == pytest.approx(4.0, abs=1.2)


def test_the_past_can_be_there_at_once(shop: Shop) -> None:
    before = shop.world.moment()
    shop.world.traffic.backfill(shop.front.rule, minutes=60)

    series = shop.world.traffic.flow.minutes[shop.front.load_balancer, shop.front.stable]
    this = int(before) // 60
    assert [minute - this for minute in sorted(series)][:60] == list(range(-60, 0))
    assert all(within(series[this - each].requests, RATE * 60) for each in range(1, 61))


@pytest.mark.parametrize("looks", [1, 50])
def test_the_same_seed_gives_the_same_counts_whoever_looks(looks: int) -> None:
    def run(step: float, seed: int) -> list[int]:
        world = virtual_world(seed)
        shop = Shop(world)
        shop.shift(3, 1)
        for _ in range(round(300 / step)):
            world.advance(step)
            world.moment()
        moments = world.traffic.recent(shop.front.canary, 299)
        return [each.requests * 1000 + each.errors for each in moments]

    assert run(300 / looks, 1) == run(300, 1)
    assert run(300 / looks, 1) != run(300, 2)


def test_a_load_balancer_with_several_rules_must_be_told_apart(shop: Shop) -> None:
    world = shop.world
    world.balancers.create_rule(shop.front.load_balancer, {shop.front.stable: 1}, "other")

    with pytest.raises(ValueError, match="has 2 rules"):
        world.traffic.set(shop.front.load_balancer, per_second=1)
    world.traffic.set(shop.front.rule, per_second=1)


class Wall:
    """A clock on the wall that a test sets."""

    def __init__(self) -> None:
        self.shows = 1_800_000_000.0

    def __call__(self) -> float:
        return self.shows


def test_visitors_by_the_wall_come_while_tasks_are_in_fast_motion() -> None:
    wall = Wall()
    world = World(visitors_by_wall=True, wall=wall)
    world.push("web", "latest")
    front = world.balancers.create_service("prod", "web", per_second=RATE, history=2)
    series = world.traffic.flow.minutes[front.load_balancer, front.stable]
    wall.shows += 60
    world.advance(7200)  # of the tasks' time
    assert world.moment() == wall.shows
    now = int(wall.shows) // 60
    assert sorted(series) == [now - 3, now - 2, now - 1]
    assert series[now - 1].requests == pytest.approx(60 * RATE, rel=0.1)


def test_a_wall_that_is_set_back_takes_no_visit_back() -> None:
    wall = Wall()
    world = World(visitors_by_wall=True, wall=wall)
    world.push("web", "latest")
    front = world.balancers.create_service("prod", "web", per_second=RATE, history=0)
    wall.shows += 10
    before = sum(each.requests for each in world.traffic.recent(front.stable))
    wall.shows -= 3600
    assert sum(each.requests for each in world.traffic.recent(front.stable)) == before
    assert world.moment() == wall.shows + 3600


def test_a_task_is_as_old_to_visitors_as_it_has_run_by_their_clock() -> None:
    wall = Wall()
    world = World(speed=20.0, visitors_by_wall=True, wall=wall)
    digest = world.push("web", "v1")
    front = world.balancers.create_service(
        "prod", "web", image="v1", per_second=RATE, history=0, settled=False, desired=1
    )
    world.traffic.version(digest).cold_latency = 10.0
    world.traffic.version(digest).cold_seconds = 600.0
    world.advance(20 * 300)  # five minutes of the visitors, in which it goes only half way
    wall.shows += 5
    moment = world.traffic.recent(front.stable)[-1]
    assert moment.p50 / 0.04 == pytest.approx(1 + 9 * math.exp(-0.5), rel=0.1)


def test_moments_tell_the_share_that_the_rule_gave(shop: Shop) -> None:
    shop.shift(90, 10)
    shop.world.advance(10)
    shares = [
        shop.world.traffic.recent(group)[-1].share
        for group in (shop.front.stable, shop.front.canary)
    ]
    assert shares == [0.9, 0.1]


def test_moments_of_the_past_come_first() -> None:
    wall = Wall()
    wall.shows += 40  # of a minute that has begun
    world = World(visitors_by_wall=True, wall=wall)
    world.push("web", "latest")
    front = world.balancers.create_service("prod", "web", per_second=RATE, history=3)
    wall.shows += 20
    moments = world.traffic.recent(front.stable, 3600)
    assert [each.seconds for each in moments] == [60, 60, 60, 40, 5, 5, 5, 5]
    ends = [each.at for each in moments]
    assert ends[:-1] == [each.at - each.seconds for each in moments][1:]
    (tally,) = [
        tally
        for minute, tally in world.traffic.flow.minutes[front.load_balancer, front.stable].items()
        if minute == int(wall.shows) // 60 - 1
    ]
    assert within(tally.requests, RATE * 60)


def test_an_incident_can_be_ended() -> None:
    shop = Shop(virtual_world())
    shop.world.traffic.incident(errors=1.0, seconds=3600)
    shop.world.advance(10)
    shop.world.traffic.calm()
    shop.world.advance(10)
    errors = [each.errors for each in shop.world.traffic.recent(shop.front.stable)]
    assert errors[0] > 0
    assert errors[-1] < errors[0] / 10


def test_a_slice_is_shown_once_and_whole_however_often_somebody_looks() -> None:
    wall = Wall()
    world = World(visitors_by_wall=True, wall=wall)
    world.push("web", "latest")
    front = world.balancers.create_service("prod", "web", per_second=RATE, history=0)
    for _ in range(202):
        wall.shows += 0.1
        world.traffic.recent(front.stable)
    assert [each.seconds for each in world.traffic.recent(front.stable)] == [5, 5, 5, 5]


def test_a_pause_lasts_by_the_clock_of_those_who_answer_it() -> None:
    """In fast motion an hour would pass in three minutes, and nobody could judge in that."""
    world = World(speed=20, visitors_by_wall=True, wall=lambda: 1_800_000_000.0)
    world.push("web", "v1")
    world.create_service(
        "staging",
        "web",
        image="v1",
        strategy="CANARY",
        pauses=["PRE_PRODUCTION_TRAFFIC_SHIFT"],
        pause_minutes=60,
    )
    world.push("web", "v2")
    world.deploy_out_of_band("staging", "web", "v2")
    assert world.shifts.run_until_paused("staging", "web")
    (hook,) = world.shifts.awaiting("staging", "web")
    assert hook.expires_at == pytest.approx(1_800_000_000.0 + 3600, abs=60)
    world.advance(3600 * (20 - 1))
    assert world.shifts.awaiting("staging", "web") == [hook]
    world.advance(3600 * 2)
    assert world.shifts.awaiting("staging", "web") == []
