"""Manifests as text: find the one scalar that is ours, and change it and nothing else. Pure.

YAML is parsed to learn where the scalar stands, and the text is spliced there: comments, order,
quotes, anchors, line endings and whatever else stands in the file stay as they are, to the byte.
The result is parsed again and held against what was there before.
"""

from bot.providers.manifests.change import change, decoded, diff
from bot.providers.manifests.parsed import parse
from bot.providers.manifests.site import Site, find
from bot.providers.manifests.spots import Spot, amended, value_at
from bot.providers.manifests.values import image_in, value_for

__all__ = [
    "Site",
    "Spot",
    "amended",
    "change",
    "decoded",
    "diff",
    "find",
    "image_in",
    "parse",
    "value_at",
    "value_for",
]
