"""Names that are written into the database and must survive an upgrade.

A workflow that was started by one release is carried on by the next, found by these names. Change
one only together with a migration of what is stored.
"""

from __future__ import annotations

from typing import Final

#: The application that owns the workflows, and the version that may run them.
APPLICATION: Final = "quarterdeck"
APPLICATION_VERSION: Final = "1"

#: Workflow names.
ROLLOUT: Final = "rollout"
EXPIRY: Final = "expiry"

#: Queue names: one turn per target, and what only waits for a time.
TURNS: Final = "turns"
TIMERS: Final = "timers"

#: The topic on which a rollout is woken.
CONTROL: Final = "control"
