"""Operators between vectors and scalars: which elements meet, and what comes of it.

https://prometheus.io/docs/prometheus/latest/querying/operators/
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from promql_parser import BinaryExpr, LabelModifierType, VectorMatchCardinality

from bot.playground.prometheus.refusals import execution, unsupported
from bot.playground.prometheus.storage import NAME, Values
from bot.playground.prometheus.vectors import (
    Column,
    Reduce,
    Vector,
    anywhere,
    grouped,
    key_of,
    merged,
    nameless,
    only,
    without,
)

#: What is computed, and what filters.
ARITHMETIC: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": np.divide,
}
COMPARISONS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}

Value = Vector | Values


def combined(expression: BinaryExpr, left: Value, right: Value, moments: int) -> Value:
    """Raises ``QueryError`` for what is not done here, and where elements meet more than one."""
    name, modifier = str(expression.op), expression.modifier
    if modifier is not None and (modifier.return_bool or modifier.group_labels):
        raise unsupported("bool, group_left or group_right")
    # Between scalars the parser takes none of the two.
    if name in {"and", "or"} and isinstance(left, list) and isinstance(right, list):
        combine = _both if name == "and" else _either
        return combine(left, right, _matching(expression), moments)
    if name not in ARITHMETIC and name not in COMPARISONS:
        raise unsupported(f"the operator {name}")
    with np.errstate(divide="ignore", invalid="ignore"):
        if isinstance(left, list) and isinstance(right, list):
            return _matched(expression, left, right)
        if isinstance(left, list):
            return merged(_applied(name, each, (each.values, right)) for each in left)
        if isinstance(right, list):
            return merged(_applied(name, each, (left, each.values)) for each in right)
        result: Values = ARITHMETIC[name](left, right)
        return result


def _applied(name: str, of: Column, sides: tuple[Any, Any]) -> Column:
    """An element and a scalar, on whichever side each of them is."""
    if name in ARITHMETIC:
        return Column(nameless(of.labels), ARITHMETIC[name](*sides), of.there)
    return Column(of.labels, of.values, of.there & COMPARISONS[name](*sides))


def _matching(expression: BinaryExpr) -> Reduce:
    """The labels by which elements are matched."""
    matching = expression.modifier.matching if expression.modifier is not None else None
    if matching is None:
        return nameless
    if matching.type == LabelModifierType.Include:
        return only(*matching.labels)
    return without(NAME, *matching.labels)


def _matched(expression: BinaryExpr, left: Vector, right: Vector) -> Vector:
    """Element by element."""
    modifier = expression.modifier
    if modifier is not None and modifier.card != VectorMatchCardinality.OneToOne:
        raise unsupported("group_left or group_right")
    name, reduce = str(expression.op), _matching(expression)
    partners, found = grouped(right, reduce), []
    for group in (partners, grouped(left, reduce)):
        for columns in group.values():
            _one_at_a_time(columns)
    for mine in left:
        for theirs in partners.get(key_of(reduce(mine.labels)), []):
            there = mine.there & theirs.there
            if name in ARITHMETIC:
                values = ARITHMETIC[name](mine.values, theirs.values)
                found.append(Column(reduce(mine.labels), values, there))
            else:
                there = there & COMPARISONS[name](mine.values, theirs.values)
                named = modifier is None or modifier.matching is None
                labels = mine.labels if named else reduce(mine.labels)
                found.append(Column(labels, mine.values, there))
    return merged(found)


def _one_at_a_time(columns: list[Column]) -> None:
    if bool(np.any(np.sum([each.there for each in columns], axis=0) > 1)):
        raise execution(
            "found duplicate series for the match group; many-to-many matching not allowed: "
            "matching labels must be unique on one side"
        )


def _both(left: Vector, right: Vector, reduce: Reduce, moments: int) -> Vector:
    there = {key: anywhere(each, moments) for key, each in grouped(right, reduce).items()}
    nowhere = np.zeros(moments, dtype=np.bool_)
    return merged(
        Column(
            each.labels, each.values, each.there & there.get(key_of(reduce(each.labels)), nowhere)
        )
        for each in left
    )


def _either(left: Vector, right: Vector, reduce: Reduce, moments: int) -> Vector:
    taken = {key: anywhere(each, moments) for key, each in grouped(left, reduce).items()}
    nowhere = np.zeros(moments, dtype=np.bool_)
    others = [
        Column(
            each.labels, each.values, each.there & ~taken.get(key_of(reduce(each.labels)), nowhere)
        )
        for each in right
    ]
    return merged([*left, *others])
