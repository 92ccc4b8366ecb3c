from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.model.deployment import (
    AuditEntry,
    AuditRow,
    Ballot,
    Deployment,
    Freeze,
    Kind,
    Lock,
    Pause,
    Progress,
    Status,
    Target,
    Vote,
)
from bot.model.reply import (
    Accepted,
    AuditReport,
    CardFacts,
    DeployForm,
    DeploymentList,
    Details,
    DryRun,
    Help,
    HoldsReport,
    Refused,
    Reply,
    RollbackForm,
    StatusReport,
    TargetStatus,
    WhoAmI,
    Why,
)
from bot.slack.views.card import bar, card
from bot.slack.views.ids import Action, Handle
from bot.slack.views.message import BLOCKS, Message
from bot.slack.views.replies import draw
from bot.slack.views.states import WORDS
from bot.slack.views.text import TEXT, escaped, lasting, plain, preformatted
from bot.slack.views.thread import thread_note
from tests.unit.slack.drawn import ALICE, BOB, NOON, Outbox, deployment, dump, image

NASTY = "<!channel> <@U1> *b* _i_ ~s~ `c` :tada: <https://x.test|y> & \u202e\u200b\x00\ud800"


def buttons(message: Message) -> set[str]:
    rows = [block.to_dict() for block in message.blocks]
    return {
        element["action_id"]
        for row in rows
        if row["type"] == "actions"
        for element in row["elements"]
    }


def replies(words: str) -> list[Reply]:
    one = deployment(
        reason=words,
        explanation=words,
        image=image("a", words),
        requester=replace(ALICE, name=words),
    )
    row = AuditRow(
        7, NOON, AuditEntry(ALICE, words, "allowed", reason=words, to_digest=words), "p", "d"
    )
    lock = Lock("backend", "staging", BOB, words, NOON, None)
    facts = CardFacts(one, warnings=(words,), lock=lock)
    status = TargetStatus(
        one.target, one.image, "app:7", NOON, ALICE, (one,), (lock,), words, (words,), words
    )
    freeze = Freeze("staging", BOB, words, NOON, None)
    return [
        Accepted(words, (one,), (Refused("X", words, words),)),
        Refused("X", words, words, words),
        DryRun(one.target, one.image, None, words, words, (words,)),
        StatusReport((status,), Pause(BOB, words, NOON)),
        DeploymentList(words, (one,)),
        Details(facts, (row,)),
        Why(words, ((words, words, words),)),
        HoldsReport((lock,), (freeze,), (("staging", words, NOON),), Pause(BOB, words, NOON)),
        AuditReport((row,), {words: words}),
        WhoAmI(replace(ALICE, name=words), (words,), ((words, words),)),
        Help("*help*"),
        DeployForm(("backend",), ("staging",)),
        RollbackForm((one.target,), one.target),
    ]


def marked_up(part: Any) -> list[str]:
    """Every text that Slack would read as mrkdwn."""
    if isinstance(part, dict):
        # Inside of a code block nothing but its end and entities is read.
        own = [part["text"]] if part.get("type") == "mrkdwn" and "```" not in part["text"] else []
        return own + [text for value in part.values() for text in marked_up(value)]
    if isinstance(part, list):
        return [text for value in part for text in marked_up(value)]
    return []


@pytest.mark.parametrize("reply", replies(NASTY), ids=lambda reply: type(reply).__name__)
def test_foreign_words_are_never_markup(reply: Reply) -> None:
    drawn = draw(reply, NOON)
    blocks = [block.to_dict() for block in drawn.blocks]
    for text in (drawn.text, *marked_up(blocks)):
        for live in ("<!channel>", "<https", "*b*", "_i_", "~s~", "`c`", ":tada:"):
            assert live not in text
        # What to do says whom to ask, and only people, groups and channels are let through.
        assert "<@U1>" not in text or isinstance(reply, Refused | Why)
    assert not any(char in json.dumps(blocks, ensure_ascii=False) for char in "\u202e\u200b\x00")


@pytest.mark.parametrize(
    "words", ["", " ", "x" * 40_000, "&" * 40_000, "\n" * 5_000, "```" * 3_000]
)
def test_every_reply_keeps_within_slacks_limits(words: str) -> None:
    for reply in replies(words):
        drawn = draw(reply, NOON)
        assert drawn.blocks
        assert len(drawn.blocks) <= BLOCKS
        assert len(drawn.text) <= TEXT
        for block in drawn.blocks:
            block.to_dict()


def test_long_lists_are_counted_not_lost() -> None:
    many = tuple(deployment(id=f"backend-production-{number}") for number in range(2_000))
    drawn = draw(DeploymentList("History", many), NOON)
    assert len(drawn.blocks) == BLOCKS
    assert "more parts are not shown" in dump(drawn)


@given(st.text(max_size=400), st.integers(1, 200))
def test_escaping_keeps_its_limit_and_leaves_no_markup(words: str, limit: int) -> None:
    shown = escaped(words, limit)
    assert len(shown) <= limit
    assert not set(shown) & set("<>*~`\n\u202e\u200b")


@given(st.text(max_size=3_000))
def test_a_code_block_is_never_left_early(words: str) -> None:
    shown = preformatted(words, 500)
    assert len(shown) <= 500
    assert "`" not in shown[3:-3]


def test_plain_words_stay_as_they_are() -> None:
    assert escaped("feature_x-1.2 (v3): 14:30, Zoë") == "feature_x-1.2 (v3): 14:30, Zoë"
    assert plain("a\u202eb\u200bc\x07", 80) == "abc"


def test_every_state_has_words() -> None:
    assert set(WORDS) == set(Status)


@pytest.mark.parametrize(
    ("facts", "offered"),
    [
        (CardFacts(deployment(Status.AWAITING_APPROVAL)),
         {Action.APPROVE, Action.REJECT, Action.DETAILS, Action.CANCEL}),
        (CardFacts(deployment(Status.QUEUED)), {Action.CANCEL, Action.DETAILS}),
        (CardFacts(deployment()), {Action.CANCEL_AND_ROLL_BACK, Action.DETAILS}),
        (CardFacts(deployment(kind=Kind.ROLLBACK)), {Action.DETAILS}),
        (CardFacts(deployment(Status.SUCCEEDED), current=True), {Action.ROLL_BACK}),
        (CardFacts(deployment(Status.SUCCEEDED)), set()),
        (CardFacts(deployment(Status.FAILED), current=True), set()),
        (CardFacts(deployment(Status.FAILED), stays=True), {Action.ROLL_BACK}),
        (CardFacts(deployment(Status.TIMED_OUT, kind=Kind.ROLLBACK), stays=True),
         {Action.ROLL_BACK}),
        (CardFacts(deployment(Status.REJECTED)), set()),
    ],
)  # fmt: skip
def test_a_card_offers_only_what_its_state_allows(facts: CardFacts, offered: set[str]) -> None:
    assert buttons(card(facts, NOON)) == offered


def test_a_waiting_card_says_who_is_missing_and_until_when() -> None:
    one = deployment(
        Status.AWAITING_APPROVAL, approvals_needed=2, expires_at=NOON + timedelta(hours=4)
    )
    vote = Vote(one.id, BOB, Ballot.APPROVE, one.image.digest, NOON)
    shown = dump(card(CardFacts(one, (vote,), required_group="S0OPS"), NOON))
    assert "1 of 2" in shown
    assert "✅ approved by <@U0BOB>" in shown
    assert "Still missing: 1, at least one of all approvals from <!subteam^S0OPS>" in shown
    assert f"<!date^{int(NOON.timestamp()) + 4 * 3600}^" in shown
    assert " in 4h" not in shown, "it would be wrong as soon as time passes: nothing redraws it"


def test_a_running_card_shows_tasks_and_time() -> None:
    one = deployment(
        started_at=NOON - timedelta(seconds=95), progress=Progress(10, 6, pending=1, old=4)
    )
    shown = dump(card(CardFacts(one, usual=timedelta(minutes=3)), NOON))
    assert "▓▓▓▓▓▓░░░░ 6/10 running, 1 pending, 4 of the old version" in shown
    assert "Running for 1m 35s; usually takes 3m 00s" in shown


def test_a_card_that_ended_says_how() -> None:
    one = deployment(
        Status.ROLLED_BACK,
        started_at=NOON,
        finished_at=NOON + timedelta(minutes=4, seconds=5),
        explanation="ECS deployment circuit breaker: tasks failed to start.",
        reason_code="CIRCUIT_BREAKER",
    )
    drawn = card(CardFacts(one), NOON)
    assert "Rolled back after 4m 05s" in dump(drawn)
    assert "circuit breaker: tasks failed" in dump(drawn)
    assert drawn.text.startswith("↩️ backend-production-7: rolled back. <@U0ALICE>")


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (deployment(Status.RUNNING, started_at=NOON), "⚠️ a/b is set to v1"),
        (deployment(Status.FAILED, started_at=NOON), "⚠️ When it began: a/b is set to v1"),
        (deployment(Status.REJECTED), "⚠️ When it was asked for: a/b is set to v1"),
    ],
)
def test_a_warning_on_the_card_of_what_has_ended_is_not_of_now(one: Deployment, said: str) -> None:
    assert said in dump(card(CardFacts(one, warnings=("a/b is set to v1",)), NOON))


def test_each_drift_has_a_line_of_its_own() -> None:
    one = deployment()
    drift = ("is set to v1, which is news", "x" * 250)
    line = TargetStatus(one.target, one.image, "r", None, None, (), (), "", drift)
    shown = dump(draw(StatusReport((line,), None), NOON))
    assert "⚠️ drift: is set to v1, which is news\\n⚠️ drift: " + "x" * 250 in shown


def test_a_button_carries_names_and_no_more() -> None:
    handle = Handle.of(deployment())
    assert Handle.load(handle.dump()) == handle
    assert len(handle.dump()) < 400


def test_a_target_that_cannot_be_read_says_so() -> None:
    one = TargetStatus(
        Target("backend", "staging"), None, "", None, None, (), (), "", unreadable="no access"
    )
    assert "cannot be read: no access" in dump(draw(StatusReport((one,), None), NOON))


@pytest.mark.parametrize(
    ("running", "desired", "drawn"), [(0, 0, 0), (0, 3, 0), (6, 10, 6), (3, 3, 10), (9, 3, 10)]
)
def test_the_bar(running: int, desired: int, drawn: int) -> None:
    assert bar(Progress(desired, running)).count("▓") == drawn


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(-5, "0s"), (59, "59s"), (65, "1m 05s"), (3_700, "1h 01m"), (90_000, "1d 1h")],
)
def test_durations(seconds: int, said: str) -> None:
    assert lasting(timedelta(seconds=seconds)) == said


def test_a_note_to_everybody_says_whose_it_is_and_calls_those_whom_the_policy_names() -> None:
    note = thread_note(
        deployment(), "Both <@U0EVE> suffer.", alone=True, called="<!subteam^S1>, <@U0BOB>"
    )
    assert note.text == (
        "backend-production-7: Both &lt;@U0EVE&gt; suffer. <!subteam^S1>, <@U0BOB>"
    )
    said, calls = (block.to_dict()["text"] for block in note.blocks)
    assert said["text"] == "backend-production-7: Both <@U0EVE> suffer."
    assert said["type"] == "plain_text"
    assert (calls["type"], calls["text"]) == ("mrkdwn", "<!subteam^S1>, <@U0BOB>")


@pytest.mark.parametrize(
    ("key", "called"),
    [("thread:call:ask:1", True), ("chart:call:incident:1", True), ("thread:ended", False)],
)
def test_only_what_needs_people_calls_them(key: str, *, called: bool) -> None:
    outbox = Outbox()
    outbox.owe_card()
    outbox.deliver()
    outbox.facts["backend-production-7"] = CardFacts(deployment(), called="<@U0BOB>")
    outbox.deliveries.owe("backend-production-7", key, text="Both suffer.")
    outbox.deliver()
    (shown,) = [each for each in outbox.messenger.messages.values() if each.letter.thread_ts]
    assert ("<@U0BOB>" in shown.message.text) == called
    assert shown.message.text.startswith("backend-production-7: ") == called
