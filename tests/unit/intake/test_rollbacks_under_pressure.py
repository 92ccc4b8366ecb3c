"""What a rollback meets at three in the morning: another person, a lock, a broken registry."""

from __future__ import annotations

from datetime import timedelta

from bot.commands.model import LockTarget, OpenRollbackForm, Rollback
from bot.model.deployment import SYSTEM, Image, Lock, Release, Status
from bot.model.errors import Misconfigured
from bot.model.reply import Refused, RollbackForm
from tests.fakes.inner_rooms import STAGING, Rooms, person

DAY = timedelta(hours=24)


def held(rooms: Rooms) -> Lock:
    with rooms.database.read() as tx:
        (lock,) = tx.holds.locks(rooms.clock.now())
    return lock


def test_two_people_who_type_the_same_roll_back_once(rooms: Rooms) -> None:
    rooms.finished("v2")
    rooms.finished("v3")
    back = rooms.start(rooms.asked("iris", Rollback(STAGING)))
    reply = rooms.says("alice", Rollback(STAGING))
    assert isinstance(reply, Refused)
    assert (reply.reason_code, back.id in reply.text) == ("DUPLICATE", True)
    assert rooms.get(back.id).status is Status.RUNNING
    assert rooms.audit()[-1] == ("rollback.requested", "denied", "DUPLICATE")


def test_another_version_named_outright_replaces_the_rollback_that_runs(rooms: Rooms) -> None:
    rooms.finished("v2")
    rooms.finished("v3")
    back = rooms.start(rooms.asked("iris", Rollback(STAGING)))
    further = rooms.asked("alice", Rollback(STAGING, "v1"))
    assert further.image.digest == rooms.digests["v1"]
    assert rooms.get(back.id).status is Status.CANCELLED


def test_another_version_named_outright_replaces_the_rollback_that_still_waits(
    rooms: Rooms,
) -> None:
    rooms.finished("v2")
    rooms.finished("v3")
    back = rooms.asked("iris", Rollback(STAGING))
    form = rooms.says("alice", OpenRollbackForm(STAGING))
    assert isinstance(form, RollbackForm)
    assert form.warnings == (f"{back.id} is queued and will be cancelled.",)
    further = rooms.asked("alice", Rollback(STAGING, "v1"))
    ended = rooms.get(back.id)
    assert (ended.status, ended.reason_code) == (Status.CANCELLED, "ROLLED_BACK_BY_HAND")
    assert ended.ended_by == person("alice")
    assert f"before it began, so it changed nothing: {further.id} goes back" in ended.explanation
    assert rooms.audit(deployment_id=back.id)[-1] == (
        "rollback.cancelled",
        "failed",
        "ROLLED_BACK_BY_HAND",
    )
    assert rooms.steps.begin(back.id) == 0  # its turn may come all the same
    assert rooms.get(back.id) == ended
    assert rooms.start(further).status is Status.RUNNING
    revisions = [revision for _, revision in rooms.rollouts.told]
    assert (revisions[-1], len(revisions)) == (further.revision, 3)


def test_what_waits_behind_a_rollback_is_not_ended_by_it(rooms: Rooms) -> None:
    """Its own start is refused, which says how to ask again."""
    rooms.finished("v2")
    waiting = rooms.deploy("v3")
    rooms.asked("iris", Rollback(STAGING, "v1"))
    assert rooms.get(waiting.id).status is Status.QUEUED


def test_the_form_offers_last_what_a_rollback_is_leaving(rooms: Rooms) -> None:
    rooms.finished("v2")
    rooms.finished("v3")
    rooms.start(rooms.asked("iris", Rollback(STAGING)))
    form = rooms.says("alice", OpenRollbackForm(STAGING))
    assert isinstance(form, RollbackForm)
    offered = [release.image.digest for release in form.choices]
    assert offered == [rooms.digests["v1"], rooms.digests["v3"]]


def test_the_hold_takes_the_place_of_a_lock_whose_owner_would_pass_it(rooms: Rooms) -> None:
    rooms.finished("v2")
    rooms.says("alice", LockTarget("backend", "staging", timedelta(hours=1), "my turn"))
    back = rooms.asked("iris", Rollback(STAGING, reason="errors"))
    lock = held(rooms)
    assert lock.owner == SYSTEM
    assert lock.until == rooms.clock.now() + DAY
    assert back.id in lock.reason
    assert "locked before by alice: my turn" in lock.reason
    assert ("target.locked", "done", "") in rooms.audit()


def test_the_hold_does_not_shorten_a_lock_without_an_end(rooms: Rooms) -> None:
    rooms.finished("v2")
    rooms.says("alice", LockTarget("backend", "staging", reason="audit"))
    rooms.asked("iris", Rollback(STAGING))
    assert held(rooms).until is None


def test_a_registry_that_is_not_where_the_catalog_says_stops_no_rollback(rooms: Rooms) -> None:
    rooms.finished("v2")
    rooms.registry.break_next(Misconfigured("The registry has no such repository."))
    assert rooms.asked("iris", Rollback(STAGING)).image.digest == rooms.digests["v1"]


def test_an_image_of_another_registry_is_not_looked_for_in_ours(rooms: Rooms) -> None:
    revision = rooms.rollouts.place(STAGING, rooms.image("backend", "v3"))
    elsewhere = Image("docker.io/library/nginx", f"sha256:{'e' * 64}", "1.27")
    release = Release(STAGING, revision, elsewhere, None, rooms.clock.now())
    with rooms.database.begin() as tx:
        tx.releases.add(release)
    back = rooms.asked("iris", Rollback(STAGING))
    assert back.image == elsewhere
    assert person("iris") == back.requester
