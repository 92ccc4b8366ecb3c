from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from bot.playground.aws.records import Behaviour
from bot.playground.aws.world import World
from bot.playground.page.world import (
    EVENTS,
    FAILURES,
    TASKS,
    Phase,
    age,
    draw_all,
    draw_legend,
    phase_of,
    services,
    tone,
)
from bot.playground.tour.fleet import BROKEN, ENVIRONMENTS, NEW, OLD, ON_ECS, furnish

BACKEND = "svc-backend-staging"


@pytest.fixture
def world() -> Iterator[World]:
    world = World(speed=0.0, wall=lambda: 1_000.0)
    furnish(world)
    yield world
    world.close()


def drawn(world: World, id_: str = BACKEND) -> str:
    return str(dict(draw_all(services(world)))[id_])


def squares(html: str, phase: Phase) -> int:
    return len(re.findall(rf'<li class="w-task w-(?:old|new) w-{phase.word}"', html))


def test_there_is_one_picture_for_each_service_and_environment(world: World) -> None:
    ids = [id_ for id_, _ in draw_all(services(world))]
    wanted = {f"svc-{name}-{place}" for name in ON_ECS for place in ENVIRONMENTS}
    assert set(ids) == wanted
    assert len(ids) == len(wanted)


def test_the_service_that_was_deployed_to_last_stands_first(world: World) -> None:
    at_first = [id_ for id_, _ in draw_all(services(world))]
    for environment, name in (("production", "frontend"), ("production", "backend")):
        world.advance(60)
        world.deploy_out_of_band(environment, name, NEW)
    moved = ["svc-backend-production", "svc-frontend-production"]
    still = [id_ for id_ in at_first if id_ not in moved]
    assert [id_ for id_, _ in draw_all(services(world))] == moved + still


def test_the_element_carries_its_id(world: World) -> None:
    for id_, html in draw_all(services(world)):
        assert html.lstrip().startswith(f'<article class="w-service" id="{id_}"')


def test_a_service_at_rest_shows_its_version_and_healthy_tasks(world: World) -> None:
    html = drawn(world)
    assert squares(html, Phase.HEALTHY) == 2
    assert "<b>2</b> desired · <b>2</b> running · <b>0</b> pending" in html
    assert f'PRIMARY</span> <b class="w-version">{OLD}</b>' in html
    assert "COMPLETED" in html
    assert "SUCCESSFUL" in html
    assert "has reached a steady state." in html


def test_a_rollout_goes_through_every_phase(world: World) -> None:
    world.deploy_out_of_band("staging", "backend", NEW)
    seen = set()
    for _ in range(80):
        world.advance(0.5)
        html = drawn(world)
        seen |= {phase for phase in Phase if squares(html, phase)}
    assert seen == set(Phase) - {Phase.FAILED}


def test_old_and_new_tasks_stand_beside_their_deployments(world: World) -> None:
    world.deploy_out_of_band("staging", "backend", NEW)
    world.advance(10)
    html = drawn(world)
    assert html.count('<li class="w-task w-old w-healthy"') == 2
    assert html.count('<li class="w-task w-new') == 2
    assert f'PRIMARY</span> <b class="w-version">{NEW}</b>' in html
    assert f'ACTIVE</span> <b class="w-version">{OLD}</b>' in html


def test_a_bad_image_leaves_failed_tasks_and_says_that_it_was_taken_back(world: World) -> None:
    world.deploy_out_of_band("staging", "backend", BROKEN)
    world.advance(20)
    assert "2 failed" in drawn(world)
    world.advance(120)
    html = drawn(world)
    assert "ROLLBACK_SUCCESSFUL" in html
    assert "Essential container in task exited" in html
    assert 1 <= squares(html, Phase.FAILED) <= FAILURES
    assert squares(html, Phase.HEALTHY) == 2


def test_failures_of_a_deployment_before_the_newest_are_not_shown(world: World) -> None:
    world.deploy_out_of_band("staging", "backend", BROKEN)
    world.advance(140)
    world.deploy_out_of_band("staging", "backend", NEW)
    world.advance(60)
    assert squares(drawn(world), Phase.FAILED) == 0


def test_an_image_that_never_gets_healthy_runs_first(world: World) -> None:
    world.push("backend", "v2.0.0", Behaviour.UNHEALTHY)
    world.deploy_out_of_band("staging", "backend", "v2.0.0")
    world.advance(25)
    assert squares(drawn(world), Phase.RUNNING) == 2


def test_every_phase_has_a_sign_and_a_name_of_its_own() -> None:
    assert len({phase.sign for phase in Phase}) == len(Phase)
    legend = str(draw_legend())
    for phase in Phase:
        assert phase.sign in legend
        assert phase.meaning in legend


def test_each_square_says_what_it_is(world: World) -> None:
    html = drawn(world)
    task = next(iter(world.service("staging", "backend").tasks.values()))
    assert phase_of(task) is Phase.HEALTHY
    assert f'title="Task {task.id[:8]}, {OLD}: running and healthy"' in html


def test_many_tasks_and_events_are_bounded(world: World) -> None:
    world.scale("staging", "backend", TASKS + 7)
    world.advance(60)
    html = drawn(world)
    assert html.count('<li class="w-task ') == TASKS
    assert "and 7 more" in html
    assert html.count('<li class="w-event">') == EVENTS


def test_an_image_without_a_tag_is_named_by_its_digest(world: World) -> None:
    digest = world.push("backend", "v9.0.0")
    world.deploy_out_of_band("staging", "backend", digest)
    assert '<b class="w-version">v9.0.0</b>' in drawn(world)
    world.delete_image("backend", digest)
    assert f'<b class="w-version">{digest[7:19]}</b>' in drawn(world)


def test_long_ids_are_short_in_an_event_and_whole_in_its_title(world: World) -> None:
    world.deploy_out_of_band("staging", "backend", NEW)
    world.advance(2)
    task = list(world.service("staging", "backend").tasks.values())[-1]
    html = drawn(world)
    assert f"(task {task.id[:8]})" in html
    assert f"(task {task.id})" in html


def test_foreign_text_is_escaped(world: World) -> None:
    service = world.service("staging", "backend")
    service.events.appendleft({"id": "1", "createdAt": 1.0, "message": "<script>alert(1)</script>"})
    service.primary.reason = '"><script>alert(2)</script>'
    html = drawn(world)
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


def test_what_did_not_change_is_drawn_the_same(world: World) -> None:
    assert draw_all(services(world)) == draw_all(services(world))


def test_ages_are_in_the_time_of_ecs() -> None:
    wall = [1_000.0]
    world = World(speed=0.0, wall=lambda: wall[0])
    furnish(world)
    wall[0] += 6
    assert ">2 min ago<" in str(dict(draw_all(services(world, speed=20.0)))[BACKEND])


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "now"),
        (9.9, "now"),
        (19, "10 s ago"),
        (61, "1 min ago"),
        (7300, "2 h ago"),
        (2e5, "2 d ago"),
    ],
)
def test_ages_are_coarse(seconds: float, said: str) -> None:
    assert age(seconds) == said


@pytest.mark.parametrize(
    ("state", "look"),
    [
        ("SUCCESSFUL", "good"),
        ("COMPLETED", "good"),
        ("FAILED", "bad"),
        ("ROLLBACK_FAILED", "bad"),
        ("ROLLBACK_IN_PROGRESS", "warn"),
        ("STOPPED", "warn"),
        ("PENDING", "busy"),
    ],
)
def test_a_state_has_a_tone(state: str, look: str) -> None:
    assert tone(state) == look
