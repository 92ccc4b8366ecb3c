"""Every fault Quarterdeck can raise, split by what the caller can do about it.

    QuarterdeckError
    |-- UserError          the person must type something else; nothing was changed
    |-- Transient          the same call may succeed later; the workflow engine retries it
    |   |-- Throttled      the other side asked us to slow down
    |   `-- Unreachable    no answer: connection refused, timeout before anything was sent
    |-- Terminal           retrying cannot help; stop and keep the evidence
    |   |-- AccessDenied   names the permission that is missing
    |   |-- Misconfigured  catalog or settings disagree with what is really there
    |   `-- Fenced         another replica owns this work now; stop without touching anything
    `-- Unknown            the call may or may not have taken effect; read back before going on

Refusals by policy are not here: they are values (see ``policy.decide``). Every fault carries a
``reason_code`` that is stable across releases, so that people and dashboards can rely on it, and
a message that is safe to show: no secret ever goes into one.
"""

from __future__ import annotations

from typing_extensions import override


class QuarterdeckError(Exception):
    """Root of the tree. ``str(error)`` is a whole sentence that may be shown to a person."""

    reason_code = "INTERNAL"

    def __init__(self, message: str, *, reason_code: str | None = None, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if reason_code is not None:
            self.reason_code = reason_code

    @override
    def __reduce__(self) -> tuple[object, ...]:
        # The workflow engine stores a raised fault and raises it again after a restart.
        return (_rebuild, (type(self), self.message, self.reason_code, self.hint))


def _rebuild(kind: type[QuarterdeckError], message: str, code: str, hint: str) -> QuarterdeckError:
    return kind(message, reason_code=code, hint=hint)


class UserError(QuarterdeckError):
    """What was typed cannot be understood or does not exist; ``hint`` says what to type.

    ``suggestion`` is the whole command that was probably meant, for a button, or empty.
    """

    reason_code = "USAGE"

    def __init__(
        self,
        message: str,
        *,
        reason_code: str | None = None,
        hint: str = "",
        suggestion: str = "",
    ) -> None:
        super().__init__(message, reason_code=reason_code, hint=hint)
        self.suggestion = suggestion

    @override
    def __reduce__(self) -> tuple[object, ...]:
        said = (self.message, self.reason_code, self.hint, self.suggestion)
        return (_rebuild_user_error, (type(self), *said))


def _rebuild_user_error(
    kind: type[UserError], message: str, code: str, hint: str, suggestion: str
) -> UserError:
    return kind(message, reason_code=code, hint=hint, suggestion=suggestion)


class Transient(QuarterdeckError):
    """The call had no effect, and the same call may succeed later."""

    reason_code = "TRANSIENT"


class Throttled(Transient):
    """The other side limits our rate; ``retry_after`` is in seconds, 0 where it did not say."""

    reason_code = "THROTTLED"
    retry_after: float = 0.0


class Unreachable(Transient):
    """The other side gave no answer, and nothing was sent or the call only reads."""

    reason_code = "UNREACHABLE"


class Terminal(QuarterdeckError):
    """Retrying cannot help."""

    reason_code = "TERMINAL"


class AccessDenied(Terminal):
    """A permission is missing or credentials have expired; the message names which."""

    reason_code = "ACCESS_DENIED"


class Misconfigured(Terminal):
    """The catalog or a setting names something that is not there or cannot work."""

    reason_code = "MISCONFIGURED"


class Fenced(Terminal):
    """This process no longer owns the work; whoever owns it goes on."""

    reason_code = "FENCED"


class Unknown(QuarterdeckError):
    """A call was sent and its effect is not known."""

    reason_code = "OUTCOME_UNKNOWN"
