from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from bot.commands import model as commands
from bot.commands.model import Command, Deploy, PauseAll, ShowStatus
from bot.model.canary import Act
from bot.model.deployment import ACTIVE, NEXT, TERMINAL, Status
from bot.model.errors import Unreachable
from bot.model.reply import Accepted, Refused
from bot.policy.reasons import ReasonCode
from bot.slack.views.states import WORDS
from bot.store.session import make_engine
from bot.workflows.ending import STATUS_OF, sentence
from tests.contracts.store_examples import a_deployment
from tests.fakes.clock import FakeClock
from tests.fakes.inner_rooms import PRODUCTION, STAGING, Rooms, person

BOT = Path(__file__).parents[3] / "bot"

#: One of each command, as somebody would send it; the deployment it names does not exist.
ONE_OF_EACH: dict[type, Command] = {
    type(command): command
    for command in (
        commands.Deploy((STAGING,)),
        commands.Rollback(STAGING),
        commands.Conduct(Act.PROMOTE, STAGING),
        commands.ShowCanary(STAGING),
        commands.OpenDeployForm(),
        commands.OpenRollbackForm(STAGING),
        commands.ShowStatus(),
        commands.ShowQueue(),
        commands.ShowHistory(),
        commands.ShowDeployment("backend-staging-9"),
        commands.ExplainDeployment("backend-staging-9"),
        commands.ExplainTarget(STAGING),
        commands.Cancel("backend-staging-9"),
        commands.Retry("backend-staging-9"),
        commands.Approve("backend-staging-9"),
        commands.Reject("backend-staging-9"),
        commands.LockTarget("backend", "staging"),
        commands.UnlockTarget("backend", "staging"),
        commands.ShowLocks(),
        commands.DeclareFreeze("staging"),
        commands.LiftFreeze("staging"),
        commands.PauseAll(),
        commands.ResumeAll(),
        commands.ShowAudit(),
        commands.ShowWhoAmI(),
        commands.ShowHelp(),
    )
}


def test_every_command_has_a_handler_and_nothing_else_has(rooms: Rooms) -> None:
    every = set(get_args(Command))
    assert set(rooms.intake.handlers) == every
    assert set(ONE_OF_EACH) == every


@pytest.mark.parametrize("kind", ONE_OF_EACH, ids=lambda kind: kind.__name__)
def test_an_outsider_gets_nothing_but_the_same_refusal(rooms: Rooms, kind: type) -> None:
    before = rooms.workflows()
    reply = rooms.says("gus", ONE_OF_EACH[kind], "request-gus")
    assert isinstance(reply, Refused)
    assert reply.reason_code == "OUTSIDER"
    (row,) = rooms.rows()
    assert (row.entry.action, row.entry.decision) == ("request.refused", "denied")
    assert row.entry.actor == person("gus")
    assert row.entry.detail["command"] == kind.__name__
    assert row.entry.request_id == "request-gus"
    assert row.entry.deployment_id == str(getattr(ONE_OF_EACH[kind], "id", ""))
    assert rooms.workflows() == before
    assert rooms.rollouts.calls == []
    assert rooms.registry.calls == []


@pytest.mark.parametrize(
    "kind",
    [kind for kind in ONE_OF_EACH if kind.__name__.startswith(("Show", "Explain", "Open"))],
    ids=lambda kind: kind.__name__,
)
def test_a_question_writes_nothing(rooms: Rooms, kind: type) -> None:
    before = rooms.everything()
    rooms.says("alice", ONE_OF_EACH[kind])
    assert rooms.everything() == before


def test_a_card_shows_what_its_deployment_is(rooms: Rooms) -> None:
    made = rooms.deploy()
    facts = rooms.intake.card(made.id)
    assert facts is not None
    assert facts.deployment == made
    assert rooms.intake.card("backend-staging-9") is None


def test_without_a_database_nothing_is_done(tmp_path: Path, clock: FakeClock) -> None:
    engine = make_engine(f"sqlite:///{tmp_path / 'empty.db'}")
    try:
        rooms = Rooms(engine, clock)
        for command in (Deploy((STAGING,), "v2"), PauseAll("why")):
            with pytest.raises(Unreachable, match="nothing was done"):
                rooms.says("iris", command)
        assert rooms.rollouts.told == []
    finally:
        engine.dispose()


# --- tables that must be complete ---


def test_every_state_is_reached_by_the_state_machine() -> None:
    begun = {Status.AWAITING_APPROVAL, Status.QUEUED}
    reached = begun | frozenset().union(*NEXT.values())
    assert reached == set(Status)
    assert set(NEXT) == ACTIVE
    assert frozenset().union(*NEXT.values()) & TERMINAL == TERMINAL


def test_every_state_has_its_own_words() -> None:
    assert set(WORDS) == set(Status)
    assert len({words for _, words in WORDS.values()}) == len(WORDS)


@pytest.mark.parametrize("status", sorted(TERMINAL))
def test_every_end_has_a_sentence(status: Status) -> None:
    told = sentence(a_deployment(status=status))
    assert told.startswith("v1 ")
    assert "v1 is on " not in told
    assert told.endswith("backend staging.")
    because = a_deployment(status=status, explanation="The disk was full.")
    assert sentence(because) == f"{told[:-1]}: The disk was full."


def test_every_end_of_a_provider_is_an_end_of_ours() -> None:
    assert set(STATUS_OF.values()) <= NEXT[Status.RUNNING]
    assert len(set(STATUS_OF.values())) == len(STATUS_OF)


def used_codes(tree: ast.AST) -> Iterator[str]:
    """Every literal in capitals in a place where only a reason code can stand."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = getattr(node.func, "id", getattr(node.func, "attr", ""))
            places = {"Refused": node.args[:1], "Refusal": node.args[:1], "Ending": node.args[2:3]}
            named = [word.value for word in node.keywords if word.arg in {"reason_code", "code"}]
            for value in (*places.get(called, []), *named):
                yield from literals(value)
        elif isinstance(node, ast.Dict) and node.keys:
            # A table from ends or states to codes.
            tables = [ast.unparse(key) for key in node.keys if key is not None]
            if all(key.startswith(("End.", "Status.")) for key in tables):
                for value in node.values:
                    yield from literals(value)


def literals(value: ast.expr) -> Iterator[str]:
    for each in ast.walk(value):
        if isinstance(each, ast.Constant) and isinstance(each.value, str) and each.value.isupper():
            yield each.value


def test_every_code_that_inner_rooms_use_is_explained() -> None:
    used = {
        (code, path.name)
        for path in BOT.rglob("*.py")
        if "playground" not in path.parts
        for code in used_codes(ast.parse(path.read_text()))
    }
    assert len({code for code, _ in used}) > 20
    assert {(code, where) for code, where in used if code not in set(ReasonCode)} == set()


def test_a_person_with_nothing_to_do_there_is_told_who_can_help(rooms: Rooms) -> None:
    reply = rooms.says("alice", PauseAll("I feel like it"))
    assert isinstance(reply, Refused)
    assert reply.reason_code == "NOT_ALLOWED"
    assert f"<@{person('iris').id}>" in reply.hint
    assert rooms.audit() == [("all.pause", "denied", "NOT_ALLOWED")]


def test_status_is_answered_also_for_somebody_without_a_role(rooms: Rooms) -> None:
    assert not isinstance(rooms.says("robo", ShowStatus()), Refused)
    assert isinstance(rooms.says("alice", Deploy((PRODUCTION,), "v2")), Accepted)
