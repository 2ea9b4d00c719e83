"""What Fleet asks of a forge, whichever it is: a handful of questions and a handful of changes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

State = Literal["open", "merged", "closed"]
Outcome = Literal["success", "pending", "failure"]


class ForgeError(Exception):
    """The forge didn't do what was asked; the message is one line for the user, and never has the token in it."""


class ForgeAway(ForgeError):
    """It didn't answer, or answered that it can't now (a 5xx, too many requests): the same may go well later."""


class LoggedOut(ForgeError):
    """It knows no such token, or one that has ended (401)."""


class NotAllowed(ForgeError):
    """The token may not do that (403), or the repo isn't there for it (404)."""


@dataclass(frozen=True, kw_only=True)
class PullRequest:
    """A pull request; a merge request, to GitLab.

    `branch` is its source branch in the same repo ("" where that is a fork's), `head` the newest commit there, `base`
    the branch that it goes into. `merged_as` is the commit on `base` that it has become, "" until it is merged.
    """

    number: int
    url: str
    state: State
    title: str
    body: str
    author: str
    branch: str
    head: str
    base: str
    merged_as: str = ""
    merged_by: str = ""
    merged_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Review:
    """That a person approved, and which commit they saw ("" where the forge doesn't say).

    Only reviews that count now: of each person the last one, unless it was dismissed, and only approvals.
    """

    person: str
    commit: str
    at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Status:
    """A commit status, such as `promotion/source-healthy`. `url` leads to what it was found out by, "" for nowhere.

    `by` is who has set it, as the forge says: "" where it doesn't.
    """

    context: str
    outcome: Outcome
    description: str = ""
    url: str = ""
    by: str = ""


class Forge(Protocol):
    """One repo on a forge. Every method raises ForgeError, and the kinds of it above where that is known."""

    def whoami(self) -> str:
        """The login name of whoever the token is of."""

    def pull_requests(self, branch: str) -> list[PullRequest]:
        """Those from this source branch of the same repo, whatever their state, the newest first."""

    def open_pull_requests(self) -> Iterator[PullRequest]:
        """All that are open, page by page."""

    def pull_request(self, number: int) -> PullRequest:
        """The one of this number."""

    def pull_request_of(self, commit: str) -> PullRequest | None:
        """The merged one that has brought this commit to its base, by merge, squash or rebase; None for none."""

    def open(self, *, branch: str, base: str, title: str, body: str) -> PullRequest:
        """Open one."""

    def edit(self, number: int, *, title: str, body: str) -> None:
        """Change the title and text."""

    def close(self, number: int) -> None:
        """Close it without merging."""

    def comment(self, number: int, text: str) -> None:
        """Write a comment."""

    def approvals(self, number: int) -> list[Review]:
        """Who approves it now."""

    def statuses(self, commit: str) -> list[Status]:
        """The newest status of each context."""

    def set_status(self, commit: str, status: Status) -> None:
        """Set one; `by` is the token's owner, whatever it says."""
