"""A local git host: real bare repositories, served over HTTP by git itself, with tokens.

A git client pointed at it works as against GitHub: pushes, races and rejections are git's own.
``GitHost`` is the way in.
"""

from bot.playground.git.host import GitHost
from bot.playground.git.repository import Entry

__all__ = ["Entry", "GitHost"]
