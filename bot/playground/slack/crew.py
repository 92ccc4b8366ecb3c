"""The people, groups and channels of the demo's workspace, under fixed ids.

Fixed, because the demo's catalog names some of them.
"""

from __future__ import annotations

from bot.playground.slack.records import Member
from bot.playground.slack.state import State

#: Asks for deployments, and may approve those of others.
ALICE = "U0ALICE01"
BOB = "U0BOB0001"
CAROL = "U0CAROL01"
#: Deploys to staging, approves nothing.
DAVE = "U0DAVE001"
#: Responds to incidents: may deploy in a freeze.
IRIS = "U0IRIS001"
#: A guest, and somebody of another company in a shared channel.
GUS = "U0GUS0001"
SVEN = "U0SVEN001"
RELEASE_CAPTAINS = "S0CAPTAIN"
DEPLOYMENTS = "C0DEPLOYS"
RELEASES = "C0RELEASE"
INCIDENTS = "C0INCIDEN"
GENERAL = "C0GENERAL"


def muster(workspace: State) -> None:
    """Put everybody where they belong."""
    alice, bob, carol, dave, iris = (
        workspace.add_member(name, id=identity)
        for name, identity in (
            ("alice", ALICE),
            ("bob", BOB),
            ("carol", CAROL),
            ("dave", DAVE),
            ("iris", IRIS),
        )
    )
    gus: Member = workspace.add_member("gus", id=GUS, guest=True)
    sven: Member = workspace.add_member("sven", id=SVEN, stranger=True)
    everyone = (alice, bob, carol, dave, iris, gus, sven)
    workspace.add_group("release-captains", (alice, bob, carol), id=RELEASE_CAPTAINS)
    workspace.add_channel("deploys", everyone, id=DEPLOYMENTS, shared=True)
    workspace.add_channel("releases", everyone[:-2], id=RELEASES)
    workspace.add_channel("incidents", everyone[:-2], id=INCIDENTS)
    workspace.add_channel("general", everyone[:-1], id=GENERAL, bot=False)
