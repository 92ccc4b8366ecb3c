"""Vectors at many moments at once: what an expression is worth, column by column."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from bot.playground.prometheus.refusals import execution
from bot.playground.prometheus.storage import NAME, Flags, Key, Labels, Values

#: Which labels of an element count.
Reduce = Callable[[Labels], Labels]


@dataclass(frozen=True, slots=True)
class Column:
    """One element of a vector: its value at each moment, where ``there`` is one."""

    labels: Labels
    values: Values
    there: Flags


#: A vector at each moment, or a scalar.
Vector = list[Column]


def key_of(labels: Labels) -> Key:
    """What equal labels have in common."""
    return tuple(sorted(labels.items()))


def nameless(labels: Labels) -> Labels:
    """Without the metric's name."""
    return without(NAME)(labels)


def without(*names: str) -> Reduce:
    """All labels but these."""
    return lambda labels: {name: each for name, each in labels.items() if name not in names}


def only(*names: str) -> Reduce:
    """These labels, where they are there."""
    return lambda labels: {name: labels[name] for name in names if name in labels}


def merged(columns: Iterable[Column]) -> Vector:
    """One column for each set of labels. Raises ``QueryError`` where two of them meet."""
    found: dict[Key, Column] = {}
    for each in columns:
        key = key_of(each.labels)
        before = found.get(key)
        if before is None:
            found[key] = each
            continue
        if bool(np.any(before.there & each.there)):
            raise execution("vector cannot contain metrics with the same labelset")
        values = np.where(each.there, each.values, before.values)
        found[key] = Column(each.labels, values, before.there | each.there)
    return [each for each in found.values() if each.there.any()]


def grouped(columns: Iterable[Column], reduce: Reduce) -> dict[Key, list[Column]]:
    """Those together of which the same labels count."""
    groups: dict[Key, list[Column]] = {}
    for each in columns:
        groups.setdefault(key_of(reduce(each.labels)), []).append(each)
    return groups


def anywhere(columns: Iterable[Column], moments: int) -> Flags:
    """When one of them has a value."""
    found = np.zeros(moments, dtype=np.bool_)
    for each in columns:
        found |= each.there
    return found
