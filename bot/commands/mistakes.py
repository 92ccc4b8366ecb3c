"""What can be wrong with what somebody typed: one code each, raised as a ``UserError``."""

from __future__ import annotations

from enum import StrEnum

from bot.model.errors import UserError


class Mistake(StrEnum):
    """The reason codes of the parser; ``policy.reasons`` explains each."""

    USAGE = "USAGE"
    TOO_LONG = "TOO_LONG"
    CONTROL_CHARACTER = "CONTROL_CHARACTER"
    UNBALANCED_QUOTE = "UNBALANCED_QUOTE"
    UNKNOWN_COMMAND = "UNKNOWN_COMMAND"
    UNKNOWN_OPTION = "UNKNOWN_OPTION"
    UNKNOWN_SERVICE = "UNKNOWN_SERVICE"
    UNKNOWN_ENVIRONMENT = "UNKNOWN_ENVIRONMENT"
    UNKNOWN_TARGET = "UNKNOWN_TARGET"
    UNKNOWN_PERSON = "UNKNOWN_PERSON"
    MISSING_ARGUMENT = "MISSING_ARGUMENT"
    TOO_MANY_ARGUMENTS = "TOO_MANY_ARGUMENTS"
    AMBIGUOUS = "AMBIGUOUS"
    BAD_VERSION = "BAD_VERSION"
    BAD_ID = "BAD_ID"
    BAD_DURATION = "BAD_DURATION"
    BAD_TIME = "BAD_TIME"
    BAD_NUMBER = "BAD_NUMBER"
    OVERRIDE_NEEDS_REASON = "OVERRIDE_NEEDS_REASON"


def mistake(code: Mistake, message: str, hint: str, suggestion: str = "") -> UserError:
    """A ``UserError`` to raise; every mistake has a hint that says what to type instead."""
    return UserError(message, reason_code=code.value, hint=hint, suggestion=suggestion)
