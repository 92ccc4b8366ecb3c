"""A small part of GitHub's REST API over the local git host: pull requests and App tokens.

``GitHub`` is the way in.
"""

from bot.playground.github.host import GitHub

__all__ = ["GitHub"]
