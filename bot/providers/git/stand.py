"""What stands in git at one commit: the file, our scalar in it, and what may be made of it."""

from __future__ import annotations

from dataclasses import dataclass

from bot.model.deployment import Image
from bot.model.places import Manifests
from bot.providers.argocd.desired import Edit, Written
from bot.providers.git.repository import Repository
from bot.providers.manifests import Site, change, decoded, diff, find, image_in, parse, value_for


@dataclass(frozen=True, slots=True)
class Stand:
    """A file at a commit, and where our value stands in it."""

    manifests: Manifests
    commit: str
    text: str
    site: Site

    @property
    def written(self) -> Written:
        """The same in the port's words."""
        return Written(self.commit, self.site.value, self.site.line, image_in(self.site))

    def edit(self, image: Image) -> Edit:
        """What would be written for an image."""
        value = value_for(self.site.holds, image)
        after = change(self.manifests, self.text, value)
        return Edit(value, diff(self.manifests.file, self.text, after))

    def tree_with(self, repository: Repository, value: str) -> str:
        """The tree in which that value stands there; the same one where it stands there already."""
        after = change(self.manifests, self.text, value)
        if after == self.text:
            return repository.content.tree(self.commit)
        return repository.content.changed(self.commit, {self.manifests.file: after.encode()})


def stand_at(repository: Repository, manifests: Manifests, commit: str) -> Stand:
    """What stands there. Raises ``Misconfigured``, ``Broken``, and as ``fetch`` does."""
    file = manifests.file
    entry = repository.content.entry(commit, file)
    text = decoded(file, repository.content.read(entry, file))
    return Stand(manifests, commit, text, find(manifests, parse(file, text)))
