"""Why a query gets no result, in Prometheus's words where it has some.

https://prometheus.io/docs/prometheus/latest/querying/api/#format-overview
"""

from __future__ import annotations

from http import HTTPStatus


class QueryError(Exception):
    """A query that is not answered. ``kind`` is the API's ``errorType``."""

    def __init__(self, status: HTTPStatus, kind: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind


def bad_data(message: str) -> QueryError:
    """A request that cannot be understood."""
    return QueryError(HTTPStatus.BAD_REQUEST, "bad_data", message)


def invalid(parameter: str, message: str) -> QueryError:
    """A parameter that cannot be understood."""
    return bad_data(f'invalid parameter "{parameter}": {message}')


def execution(message: str) -> QueryError:
    """A query that can be read and not be evaluated."""
    return QueryError(HTTPStatus.UNPROCESSABLE_ENTITY, "execution", message)


def unsupported(what: str) -> QueryError:
    """What the real one evaluates, and this one does not."""
    return execution(f"{what} is not supported by the local Prometheus")
