"""The error that an operation answers with, by the code that AWS documents."""

from __future__ import annotations

from collections.abc import Mapping


class AwsError(Exception):
    """``code`` is the shape's name in the service model; ``status`` the HTTP status."""

    def __init__(
        self,
        code: str,
        message: str,
        status: int = 400,
        extra: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.extra = dict(extra or {})


def invalid(message: str) -> AwsError:
    """A parameter that the operation does not accept."""
    return AwsError("InvalidParameterException", message)


def client_error(message: str) -> AwsError:
    """What ECS calls a mistake of the caller that no other code names."""
    return AwsError("ClientException", message)
