"""Fleet's own pull requests: one per service and environment, whoever asks for it and however often."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from forges.forge import Forge, ForgeError, PullRequest
from gitops import git
from gitops.git import GitError
from gitops.releases.clone import Clone
from gitops.releases.trailers import read

SUPERSEDED = "<!-- fleet: superseded -->"


class Closed(Exception):
    """A person has closed this very pull request; it stays so."""

    def __init__(self, pull: PullRequest) -> None:
        super().__init__(pull.url)
        self.pull = pull


@dataclass(frozen=True)
class Branch:
    """The branch of a pull request: `<what>/<environment>/<service>/` and the intent, so that one has one name."""

    family: str
    name: str

    @classmethod
    def of(cls, what: str, environment: str, service: str, intent: Sequence[str]) -> Branch:
        """`intent` is what makes two pull requests the same one; its first word is shown."""
        digest = hashlib.sha256("\n".join(sorted(intent)).encode()).hexdigest()[:8]
        word = re.sub(r"[^\w.-]+", "-", intent[0].rpartition("/")[2])[:60].strip("-.")
        family = f"{what}/{environment}/{service}/"
        return cls(family, f"{family}{word}-{digest}")


def known(forge: Forge, branch: Branch, base: str) -> PullRequest | None:
    """The open one of this branch; None where there is none, or it was merged. Raises Closed, ForgeError."""
    its = (one for one in forge.pull_requests(branch.name) if one.base == base)
    newest = next(its, None)
    if newest is None or newest.state == "merged":
        return None
    if newest.state == "closed":
        if SUPERSEDED in newest.body:
            return None
        raise Closed(newest)
    return newest


def pushed(clone: Clone, branch: Branch, message: str) -> str:
    """Have the branch at the forge hold what is changed in the clone, as one commit on the newest base; the commit.

    A branch that has the same content already stays as it is, and so do the approvals of it: unless it can't be merged
    any more. Raises Overtaken, PushRefused, GitError.
    """
    there = clone.branch(branch.name)
    tree = _tree(clone)
    if there and _same(clone, there, tree):
        return there
    made = clone.commit(message)
    clone.push(branch.name, instead_of=there)
    return made


def strangers(clone: Clone, commit: str, allowed: Sequence[str]) -> list[str]:
    """What a branch has that Fleet hasn't put there: other files, and commits without trailers. Raises GitError."""
    words = ("log", "--no-merges", "--format=%h%x00%B%x01", f"{clone.head()}..{commit}")
    found = []
    for one in git.line(clone.root, *words).split("\x01"):
        name, _, message = one.strip().partition("\x00")
        if name and not read(message):
            found.append(f"commit {name}")
    said = git.line(clone.root, "diff", "--name-only", f"{clone.head()}...{commit}")
    return found + [one for one in said.splitlines() if one not in allowed]


def opened(
    forge: Forge, branch: Branch, base: str, title: str, body: str
) -> tuple[PullRequest, bool]:
    """The pull request of the branch, and whether it is new. Raises ForgeError."""
    try:
        return forge.open(branch=branch.name, base=base, title=title, body=body), True
    except ForgeError:
        # Another run may have opened it just now.
        for one in forge.pull_requests(branch.name):
            if one.state == "open" and one.base == base:
                return one, False
        raise


def supersede(
    forge: Forge, branch: Branch, number: int, clone: Clone, families: Sequence[str], author: str
) -> list[str]:
    """Close the older ones of the same service and environment, and those of other `families`; what didn't work.

    Only those of the same base that `author` has opened, as Fleet opens them, from branches of these names; `number`
    is 0 where nothing takes their place. Raises ForgeError.
    """
    warnings = []
    for one in list(forge.open_pull_requests()):
        mine = one.branch.startswith((branch.family, *families)) and one.branch != branch.name
        older = not number or one.number < number
        if not (mine and older and author and one.author == author and one.base == clone.base):
            continue
        by = f"#{number}" if number else "a rollback or hold"
        try:
            forge.edit(
                one.number,
                title=one.title,
                body=f"Superseded by {by}.\n\n{SUPERSEDED}\n\n{one.body}",
            )
            forge.close(one.number)
        except ForgeError as error:
            warnings.append(f"{one.url} is superseded by {by}, and could not be closed: {error}")
            continue
        try:
            forge.comment(one.number, f"Superseded by {by}.")
        except ForgeError as error:
            warnings.append(f"{one.url} is closed without a comment: {error}")
        try:
            words = ("push", "--quiet", "origin", f":refs/heads/{one.branch}")
            git.run(clone.root, *words, more=clone.env)
        except GitError as error:
            warnings.append(f"the branch {one.branch} could not be deleted: {error}")
    return warnings


def _tree(clone: Clone) -> str:
    git.run(clone.root, "add", "--all")
    return git.line(clone.root, "write-tree")


def _same(clone: Clone, there: str, tree: str) -> bool:
    """Whether merging the branch gives just this content."""
    merged = git.run(
        clone.root, "merge-tree", "--write-tree", clone.head(), there, check=False
    ).decode()
    return merged.strip() == tree
