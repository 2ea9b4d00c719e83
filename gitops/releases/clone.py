"""A clone for one run: commits are made there, and pushed as what the branch has become meanwhile allows."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from gitops import git
from gitops.git import GitError

PATIENCE = 180.0
"""Seconds of pushes that lose a race, before it is given up."""
_TOKEN = "FLEET_PUSH_TOKEN"  # noqa: S105  # a variable's name
_HELPER = f'!f() {{ test "$1" = get && printf "username=fleet\\npassword=%s\\n" "${_TOKEN}"; }}; f'


class Overtaken(Exception):
    """Somebody else has pushed since the branch was fetched."""


class PushRefused(GitError):
    """The forge doesn't let this be pushed, whoever was first; the message has its words."""


@dataclass(frozen=True)
class Clone:
    """A clone in a folder that goes with the run; `base` is the branch that it is about."""

    root: Path
    base: str
    env: Mapping[str, str] = field(default_factory=dict, repr=False)

    def head(self) -> str:
        """The newest commit of the branch, as it was fetched last."""
        return git.line(self.root, "rev-parse", f"refs/remotes/origin/{self.base}")

    def fetch(self) -> None:
        """Ask the forge for all branches again, and take the branch's files as they are there. Raises GitError."""
        git.run(self.root, "fetch", "--quiet", "--prune", "origin", more=self.env)
        self.start(self.head())

    def start(self, commit: str) -> None:
        """The files as of a commit, without whatever was changed."""
        git.run(self.root, "checkout", "--quiet", "--force", "--detach", commit)
        git.run(self.root, "clean", "--quiet", "-fdx")

    def branch(self, name: str) -> str:
        """The newest commit of another branch, as it was fetched last; "" where there is none."""
        place = f"refs/remotes/origin/{name}"
        return (
            git.run(self.root, "rev-parse", "--verify", "--quiet", place, check=False)
            .decode()
            .strip()
        )

    def commit(self, message: str) -> str:
        """Commit all that was changed; the commit's name. Raises GitError."""
        git.run(self.root, "add", "--all")
        git.run(self.root, "commit", "--quiet", "--file=-", stdin=message.encode(), more=self.env)
        return git.line(self.root, "rev-parse", "HEAD")

    def is_dirty(self) -> bool:
        """Whether anything is changed and not committed."""
        return bool(git.run(self.root, "status", "--porcelain").strip())

    def push(self, branch: str, *, instead_of: str | None = None) -> None:
        """Push the newest commit here; with `instead_of`, in the place of that commit and no other.

        Raises Overtaken where the branch has moved since, PushRefused where the forge doesn't let it.
        """
        lease = (
            [] if instead_of is None else [f"--force-with-lease=refs/heads/{branch}:{instead_of}"]
        )
        try:
            target = f"HEAD:refs/heads/{branch}"
            git.run(self.root, "push", "--quiet", *lease, "origin", target, more=self.env)
        except GitError as error:
            was = self.branch(branch)
            git.run(self.root, "fetch", "--quiet", "--prune", "origin", more=self.env)
            if self.branch(branch) != was or _lost(str(error)):
                raise Overtaken(str(error)) from None
            raise PushRefused(f"{branch} can't be pushed: {error}") from None

    def land(self, change: Callable[[], str | None]) -> str | None:
        """Have `change` change files, commit with the message that it returns, and push to the branch.

        Where somebody was faster, it is done anew on top of what they did. What is pushed at last, by its commit;
        None where `change` returns None, as there is nothing to do. Raises PushRefused, GitError, and Overtaken after
        some minutes.
        """
        tries = Retrying(
            retry=retry_if_exception_type(Overtaken),
            wait=wait_random_exponential(multiplier=0.2, max=3),
            stop=stop_after_delay(PATIENCE),
            reraise=True,
        )
        for attempt in tries:
            with attempt:
                if attempt.retry_state.attempt_number > 1:
                    self.fetch()
                message = change()
                if message is None:
                    return None
                made = self.commit(message)
                self.push(self.base)
                return made
        raise AssertionError("tenacity raises what was raised last")


@contextmanager
def cloned(url: str, base: str, token: str = "") -> Iterator[Clone]:
    """A clone of the repo with the files of branch `base`; the token is for its forge, by https. Raises GitError."""
    with tempfile.TemporaryDirectory(prefix="fleet-clone-") as folder:
        root = Path(folder).resolve() / "repo"
        env = _environment(url, token)
        try:
            words = (
                "clone",
                "--quiet",
                "--no-checkout",
                "--no-tags",
                "--config=core.autocrlf=false",
            )
            git.run(root.parent, *words, "--", url, str(root), more=env)
        except GitError as error:
            raise GitError(f"{_shown(url)} can't be cloned: {error}") from None
        found = Clone(root, base, {**env, **_identity(root)})
        if not found.branch(base):
            raise GitError(
                f'{_shown(url)} has no branch "{base}"; versions move on one: let fleet:gitops.revision name it'
            )
        found.start(found.head())
        yield found


def _environment(url: str, token: str) -> dict[str, str]:
    """The token by a credential helper, so that no command line has it; by https only, or to this machine."""
    env = {}
    parts = urlsplit(url)
    safe = parts.scheme == "https" or parts.hostname in ("127.0.0.1", "::1", "localhost")
    if token and safe and not parts.password:
        first = int(os.environ.get("GIT_CONFIG_COUNT") or 0)
        place = f"credential.{parts.scheme}://{parts.netloc.rpartition('@')[2]}.helper"
        # An empty one first: it takes the place of the person's own.
        for number, value in enumerate(("", _HELPER)):
            env[f"GIT_CONFIG_KEY_{first + number}"] = place
            env[f"GIT_CONFIG_VALUE_{first + number}"] = value
        env |= {"GIT_CONFIG_COUNT": str(first + 2), _TOKEN: token}
    return env


def _identity(root: Path) -> dict[str, str]:
    """Who commits, where git knows nobody in the clone: settings of another checkout don't reach it."""
    return {
        f"GIT_{role}_{what}": default
        for role in ("AUTHOR", "COMMITTER")
        for what, default in (("NAME", "Fleet"), ("EMAIL", "fleet@localhost"))
        if not os.environ.get(f"GIT_{role}_{what}")
        and not git.run(root, "config", "--get", f"user.{what.lower()}", check=False).strip()
    }


def _lost(said: str) -> bool:
    # Two that push at the very same moment: the server's lock on the ref, told in several ways.
    return any(
        word in said
        for word in (
            "fetch first",
            "non-fast-forward",
            "stale info",
            "cannot lock ref",
            "failed to update ref",
        )
    )


def _shown(url: str) -> str:
    """The address without a password that somebody may have put in."""
    parts = urlsplit(url)
    return (
        parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl() if parts.password else url
    )
