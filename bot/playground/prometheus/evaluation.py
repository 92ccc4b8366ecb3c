"""Expressions of PromQL, evaluated at many moments at once. What is not needed is refused.

https://prometheus.io/docs/prometheus/latest/querying/basics/
"""

from __future__ import annotations

import numpy as np
from promql_parser import (
    AggModifierType,
    AggregateExpr,
    BinaryExpr,
    Call,
    Expr,
    MatrixSelector,
    NumberLiteral,
    ParenExpr,
    StringLiteral,
    VectorSelector,
    parse,
)

from bot.playground.prometheus import functions
from bot.playground.prometheus.operators import Value, combined
from bot.playground.prometheus.refusals import bad_data, invalid, unsupported
from bot.playground.prometheus.selecting import instant, windows
from bot.playground.prometheus.storage import NAME, Storage, Times, Values
from bot.playground.prometheus.vectors import (
    Column,
    Reduce,
    Vector,
    anywhere,
    grouped,
    merged,
    only,
    without,
)

_AGGREGATED = {"sum": (np.add, 0.0), "max": (np.fmax, np.nan)}


def parsed(query: str) -> Expr:
    """The expression. Raises ``QueryError`` for what is none."""
    try:
        return parse(query)
    except ValueError as wrong:
        raise invalid("query", f"parse error: {wrong}") from None


class Evaluation:
    """One query at some moments, in milliseconds since 1970."""

    def __init__(self, storage: Storage, moments: Times) -> None:
        self._storage = storage
        self._moments = moments

    def of(self, expression: Expr) -> Value:
        """A vector or a scalar at each moment. Raises ``QueryError``."""
        match expression:
            case ParenExpr():
                return self.of(expression.expr)
            case NumberLiteral():
                return np.full(len(self._moments), expression.val)
            case VectorSelector():
                return merged(instant(self._storage, expression, self._moments))
            case AggregateExpr():
                return self._aggregated(expression)
            case BinaryExpr():
                left, right = self.of(expression.lhs), self.of(expression.rhs)
                return combined(expression, left, right, len(self._moments))
            case Call():
                return self._called(expression)
            case _:
                raise unsupported(type(expression).__name__)

    def _called(self, call: Call) -> Vector:
        name, given = call.func.name, call.args
        match name:
            case "increase" | "count_over_time":
                selector = _bare(given[0])
                if not isinstance(selector, MatrixSelector):
                    raise unsupported("a subquery")
                found = windows(self._storage, selector, self._moments)
                return getattr(functions, name)(found)  # type: ignore[no-any-return]
            case "clamp_min":
                return functions.clamp_min(self._vector(given[0]), self._scalar(given[1]))
            case "label_replace":
                words = [_text(each) for each in given[1:]]
                return functions.label_replace(self._vector(given[0]), words)
            case "histogram_quantile":
                share = self._scalar(given[0])
                return functions.histogram_quantile(share, self._vector(given[1]))
            case _:
                raise unsupported(f"the function {name}()")

    def _aggregated(self, expression: AggregateExpr) -> Vector:
        name = str(expression.op)
        if name not in _AGGREGATED:
            raise unsupported(f"the aggregation {name}()")
        combine, nothing = _AGGREGATED[name]
        groups = grouped(self._vector(expression.expr), _kept(expression))
        found = []
        for key, columns in groups.items():
            values = np.full(len(self._moments), nothing)
            for each in columns:
                values = combine(values, np.where(each.there, each.values, nothing))
            found.append(Column(dict(key), values, anywhere(columns, len(self._moments))))
        return found

    def _vector(self, expression: Expr) -> Vector:
        found = self.of(expression)
        if not isinstance(found, list):
            raise bad_data("expected an instant vector, got a scalar")
        return found

    def _scalar(self, expression: Expr) -> Values:
        found = self.of(expression)
        if isinstance(found, list):
            raise bad_data("expected a scalar, got an instant vector")
        return found


def _kept(expression: AggregateExpr) -> Reduce:
    """The labels by which is grouped: none, unless it says so."""
    modifier = expression.modifier
    if modifier is None:
        return only()
    if modifier.type == AggModifierType.By:
        return only(*modifier.labels)
    return without(NAME, *modifier.labels)


def _bare(expression: Expr) -> Expr:
    while isinstance(expression, ParenExpr):
        expression = expression.expr
    return expression


def _text(expression: Expr) -> str:
    bare = _bare(expression)
    if not isinstance(bare, StringLiteral):
        raise bad_data("expected a string")
    return bare.val
