"""How a request's outcome reaches the person who made it, in time and in private."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TypeVar

import structlog
from slack_bolt import Ack

from bot.model.errors import QuarterdeckError, Unreachable, UserError
from bot.model.reply import Refused
from bot.slack.calls import SLACK_UNREACHABLE
from bot.slack.execution import Bench
from bot.slack.messenger import Desk
from bot.slack.requests import Asked
from bot.slack.views.message import Message, message
from bot.slack.views.refusal import refusal, usage

log = structlog.get_logger(__name__)

T = TypeVar("T")

CANNOT_RECORD = "CANNOT_RECORD"
STILL_WORKING = message("⏳ Still working on it. The answer follows here.")


def explain(fault: BaseException, request_id: str) -> Message:
    """What the person is told; details of faults that are ours go to the log alone."""
    match fault:
        case UserError():
            return usage(fault)
        case Unreachable() if fault.reason_code != SLACK_UNREACHABLE:
            log.error("cannot_record", request_id=request_id, error=fault.message)
            text = "Quarterdeck cannot record this now, so it will not act."
            hint = "Nothing was changed. Running rollouts go on. Try again in a minute."
            return refusal(Refused(CANNOT_RECORD, text, hint))
        case QuarterdeckError():
            log.warning("refused_by_fault", request_id=request_id, error=fault.message)
            return refusal(Refused(fault.reason_code, fault.message, fault.hint))
        case _:
            log.error("listener_failed", request_id=request_id, exc_info=fault)
            return message(
                "💥 Something went wrong on our side. Nothing was changed, unless a card says so. "
                f"Whoever runs Quarterdeck finds it in the log under the request id {request_id}."
            )


@dataclass(frozen=True, slots=True)
class Way:
    """How one kind of request is answered: in time, told to wait, or afterwards."""

    at_once: Callable[[Message], None]
    wait: Callable[[], None]
    silent: Callable[[], None]
    later: Callable[[Message], None]


@dataclass(frozen=True, slots=True)
class Answers:
    """Works on requests and gives their answers."""

    bench: Bench
    desk: Desk

    def to_slash(self, ack: Ack, asked: Asked, work: Callable[[], Message | None]) -> None:
        """The answer is the acknowledgement itself, so neither can be lost without the other."""
        way = Way(
            at_once=lambda said: _ack_with(ack, said),
            wait=lambda: _ack_with(ack, STILL_WORKING),
            silent=lambda: _ack(ack),
            later=lambda said: self.desk.whisper(asked.place, said),
        )
        self.give(asked, work, way)

    def privately(self, ack: Ack, asked: Asked, work: Callable[[], Message | None]) -> None:
        """For clicks and events: the work first, then the acknowledgement, then the answer."""

        def whisper(said: Message) -> None:
            self.desk.whisper(asked.place, said)

        def at_once(said: Message) -> None:
            ack()
            self.afterwards(asked, lambda: whisper(said))

        way = Way(at_once=at_once, wait=lambda: _ack(ack), silent=lambda: _ack(ack), later=whisper)
        self.give(asked, work, way)

    def give(self, asked: Asked, work: Callable[[], Message | None], way: Way) -> None:
        """Work, and answer by ``way``; work that gives ``None`` has shown its own answer."""
        future = self.bench.start(work)
        if self.bench.settled(future):
            said = outcome(future, asked)
            way.silent() if said is None else way.at_once(said)
            return
        log.warning("answer_late", request_id=asked.id)
        way.wait()
        self.afterwards(asked, lambda: self._late(future, asked, way))

    def afterwards(self, asked: Asked, work: Callable[[], None]) -> None:
        """What happens after the acknowledgement; its faults can only be logged."""
        future = self.bench.start(work)
        future.add_done_callback(lambda done: _log_fault(done, asked))

    def _late(self, future: Future[Message | None], asked: Asked, way: Way) -> None:
        said = outcome(future, asked)
        if said is not None:
            way.later(said)


def outcome(future: Future[Message | None], asked: Asked) -> Message | None:
    """The message, or what its fault means to the person. Waits for the end of the work."""
    fault = future.exception()
    return future.result() if fault is None else explain(fault, asked.id)


def _log_fault(done: Future[None], asked: Asked) -> None:
    fault = done.exception()
    if isinstance(fault, QuarterdeckError):
        log.warning("answer_not_delivered", request_id=asked.id, error=fault.message)
    elif fault is not None:
        log.error("answer_failed", request_id=asked.id, exc_info=fault)


def _ack(ack: Ack) -> None:
    ack()


def _ack_with(ack: Ack, said: Message) -> None:
    ack(text=said.text, blocks=said.blocks, response_type="ephemeral")
