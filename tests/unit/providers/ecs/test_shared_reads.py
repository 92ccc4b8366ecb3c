"""Services read together: each asker gets an answer that is younger than the question."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event, Lock
from typing import TYPE_CHECKING

from typing_extensions import override

from bot.model.errors import AccessDenied, Misconfigured, QuarterdeckError, Throttled
from bot.model.places import EcsService
from bot.providers.ecs.reads import Account, Found
from bot.providers.ecs.shared_reads import SharedReads
from bot.providers.ecs.views import ServiceView

if TYPE_CHECKING:
    from mypy_boto3_ecs.type_defs import ServiceTypeDef

PATIENCE = 20


def answer_of(name: str) -> ServiceTypeDef:
    return {"serviceName": name}


def found(name: str) -> Found:
    return Found(ServiceView(name, f"arn:{name}", "ACTIVE", 1, 1, ()), answer_of(name), {})


def ecs(name: str) -> EcsService:
    return EcsService(region="eu-west-1", cluster="main", service=name, container="app")


@dataclass
class FakeReads:
    """Answers when it is let; ``denied`` services fail every call that names them."""

    go: Event = field(default_factory=Event)
    begun: Event = field(default_factory=Event)
    asked: list[tuple[str, ...]] = field(default_factory=list)
    denied: frozenset[str] = frozenset()
    fault: QuarterdeckError | None = None
    _lock: Lock = field(default_factory=Lock)

    def read(self, _account: Account, _cluster: str, names: Sequence[str]) -> dict[str, Found]:
        with self._lock:
            self.asked.append(tuple(names))
        self.begun.set()
        assert self.go.wait(PATIENCE)
        if self.fault is not None:
            raise self.fault
        if self.denied & set(names):
            raise AccessDenied("No.")
        return {name: found(name) for name in names if name != "missing"}


def ask_during_a_call(reads: FakeReads, names: Sequence[str]) -> list[object]:
    """Ask for all of them while a call for another service is under way; what came of each."""
    shared = SharedReads(reads.read)

    def ask(name: str) -> object:
        try:
            return shared.service(ecs(name)).view.name
        except QuarterdeckError as fault:
            return fault

    with ThreadPoolExecutor(len(names) + 1) as pool:
        first = pool.submit(ask, "first")
        assert reads.begun.wait(PATIENCE)
        others = [pool.submit(ask, name) for name in names]
        pause = Event()
        while sum(map(len, shared._waiting.values())) < len(names) and len(reads.asked) == 1:
            pause.wait(0.005)
        reads.go.set()
        first.result(PATIENCE)
        return [other.result(PATIENCE) for other in others]


def test_who_asks_during_a_call_is_answered_by_the_next_one() -> None:
    reads = FakeReads()
    names = [f"app{number}" for number in range(8)]
    assert ask_during_a_call(reads, names) == names
    assert reads.asked[0] == ("first",)
    assert "app0" in {name for call in reads.asked[1:] for name in call}
    assert len(reads.asked) < 1 + len(names)


def test_a_call_names_at_most_ten_services() -> None:
    reads = FakeReads()
    names = [f"app{number}" for number in range(25)]
    assert ask_during_a_call(reads, names) == names
    assert max(map(len, reads.asked)) <= 10


def test_nothing_is_remembered() -> None:
    reads = FakeReads()
    reads.go.set()
    shared = SharedReads(reads.read)
    for _ in range(3):
        assert shared.service(ecs("app")).view.name == "app"
    assert reads.asked == [("app",)] * 3


def test_what_does_not_exist_is_named_and_spoils_nothing() -> None:
    app, missing = ask_during_a_call(FakeReads(), ["app", "missing"])
    assert app == "app"
    assert isinstance(missing, Misconfigured)
    assert "main/missing" in missing.message


def test_one_that_may_not_be_read_is_not_the_others_fault() -> None:
    reads = FakeReads(denied=frozenset({"secret"}))
    app, secret = ask_during_a_call(reads, ["app", "secret"])
    assert app == "app"
    assert isinstance(secret, AccessDenied)


def test_a_throttled_call_is_not_repeated_for_each() -> None:
    reads = FakeReads(fault=Throttled("Slower."))
    said = ask_during_a_call(reads, ["a", "b", "c"])
    assert all(isinstance(each, Throttled) for each in said)
    assert len(reads.asked) <= 4


def test_a_call_that_hangs_does_not_hold_up_the_others() -> None:
    reads = FakeReads()
    shared = SharedReads(reads.read)
    with ThreadPoolExecutor(2) as pool:
        hanging = pool.submit(shared.service, ecs("first"))
        assert reads.begun.wait(PATIENCE)
        reads.begun.clear()
        other = pool.submit(shared.service, ecs("app"))
        assert reads.begun.wait(PATIENCE), "nobody asked for the other one"
        reads.go.set()
        assert hanging.result(PATIENCE).view.name == "first"
        assert other.result(PATIENCE).view.name == "app"


def test_a_mistake_of_ours_reaches_who_asked_however_often() -> None:
    def read(_account: Account, _cluster: str, _names: Sequence[str]) -> dict[str, Found]:
        raise ZeroDivisionError

    shared = SharedReads(read)
    with ThreadPoolExecutor(1) as pool:
        for _ in range(5):
            asked = pool.submit(shared.service, ecs("app"))
            assert isinstance(asked.exception(PATIENCE), ZeroDivisionError)


def test_a_mistake_with_one_of_several_leaves_nobody_waiting() -> None:
    begun, go = Event(), Event()

    def read(_account: Account, _cluster: str, names: Sequence[str]) -> dict[str, Found]:
        begun.set()
        assert go.wait(PATIENCE)
        if len(names) > 1:
            raise AccessDenied("No.")
        raise ZeroDivisionError

    shared = SharedReads(read)
    batch = [(name, Future[Found | None]()) for name in ("a", "b", "c")]
    cluster = (Account("eu-west-1", None), "main")
    with ThreadPoolExecutor(1) as pool:
        pool.submit(shared.service, ecs("first"))
        assert begun.wait(PATIENCE)
        shared._waiting[cluster] += batch
        go.set()
        # Whoever asks next finds them waiting as well.
        pool.submit(shared.service, ecs("last"))
    assert all(isinstance(future.exception(PATIENCE), ZeroDivisionError) for _, future in batch)


class AnsweredTooLate(Future[Found | None]):
    """Its answer comes in the very moment in which somebody stops to wait for it."""

    @override
    def result(self, timeout: float | None = None) -> Found | None:
        if self.done():
            return super().result(timeout)
        self.set_result(found("app"))
        raise TimeoutError


def test_an_answer_in_the_moment_of_hurrying_is_taken() -> None:
    cluster = (Account("eu-west-1", None), "main")
    answered = SharedReads(FakeReads().read)._answered(cluster, AnsweredTooLate())
    assert answered == found("app")
