"""``DesiredState`` in git: one commit per deployment, by plumbing, without a work tree.

The ``git`` program does the work, on a bare clone that may be lost at any time.
"""

from bot.providers.git.access import GitAccess
from bot.providers.git.desired import GitManifests

__all__ = ["GitAccess", "GitManifests"]
