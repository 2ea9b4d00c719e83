"""GitHub and GitHub Enterprise, by PyGithub."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests
from github import Auth, BadAttributeException, Github, GithubException
from github.Commit import Commit
from github.GithubException import IncompletableObject
from github.PullRequest import PullRequest as Found
from github.Requester import Requester

from forges import access, patience
from forges.access import Access
from forges.forge import ForgeError, NotAllowed, Outcome, PullRequest, Review, State, Status

SECONDS_BETWEEN_WRITES = 1.0
"""As GitHub asks of whoever writes much; else it refuses for a while."""
PER_PAGE = 100
_DESCRIPTION = 140  # GitHub refuses longer ones
_OUTCOMES: dict[str, Outcome] = {"success": "success", "pending": "pending"}
_READ = "to read pull requests"
_WRITE = '"pull requests: write"'
# What PyGithub fails by where an answer isn't what it expects, such as the page of a proxy.
_ODD = (
    *(AssertionError, AttributeError, KeyError, IndexError, RuntimeError, TypeError, ValueError),
    BadAttributeException,
)


class GitHub:
    """A repo on GitHub: `owner/name`. Raises ForgeError where the access is none."""

    def __init__(self, to: Access, repo: str) -> None:
        self._to = to
        self._owner = repo.partition("/")[0]
        self._github = Github(
            auth=Auth.Token(to.token),
            base_url=to.api,
            timeout=access.SECONDS,
            retry=patience.Sparing.once(),
            per_page=PER_PAGE,
            seconds_between_requests=None,
            seconds_between_writes=SECONDS_BETWEEN_WRITES,
            lazy=True,  # asked for by its own address, without the objects on the way there
        )
        self._repo = self._github.get_repo(repo)

    def whoami(self) -> str:
        """The login name; "" for the token of an App or of GitHub Actions, which isn't told who it is."""
        try:
            with self._asking("ask who the token is of", "to read its own user"):
                return self._github.get_user().login
        except NotAllowed:
            return ""

    def pull_requests(self, branch: str) -> list[PullRequest]:
        """Those from this branch of the repo itself, the newest first."""
        with self._asking(f"list the pull requests from {branch}", _READ):
            head = f"{self._owner}:{branch}"
            found = self._repo.get_pulls(state="all", sort="created", direction="desc", head=head)
            return [one for one in map(_pull_request, found) if one.branch == branch]

    def open_pull_requests(self) -> Iterator[PullRequest]:
        """All that are open, from all pages: closing one on the way would shift what is on the next."""
        with self._asking("list the open pull requests", _READ):
            return iter([_pull_request(one) for one in self._repo.get_pulls(state="open")])

    def pull_request(self, number: int) -> PullRequest:
        """The one of this number."""
        with self._asking(f"read pull request {number}", _READ):
            return _pull_request(self._repo.get_pull(number))

    def pull_request_of(self, commit: str) -> PullRequest | None:
        """The merged one that has brought this commit; the commits that a merge brought along count, too."""
        with self._asking(f"find the pull request of {commit}", _READ):
            merged = [one for one in self._commit(commit).get_pulls() if one.merged_at]
            # A commit may have come by several: into a branch, and with that into the next.
            exact = [one for one in merged if one.merge_commit_sha == commit]
            return _pull_request((exact or merged)[0]) if merged else None

    def open(self, *, branch: str, base: str, title: str, body: str) -> PullRequest:
        """Open one."""
        with self._asking(f"open a pull request from {branch}", _WRITE):
            return _pull_request(
                self._repo.create_pull(base=base, head=branch, title=title, body=body)
            )

    def edit(self, number: int, *, title: str, body: str) -> None:
        """Change the title and text."""
        with self._asking(f"edit pull request {number}", _WRITE):
            self._repo.get_pull(number).edit(title=title, body=body)

    def close(self, number: int) -> None:
        """Close it without merging."""
        with self._asking(f"close pull request {number}", _WRITE):
            self._repo.get_pull(number).edit(state="closed")

    def comment(self, number: int, text: str) -> None:
        """Write a comment."""
        with self._asking(f"comment on pull request {number}", _WRITE):
            self._repo.get_issue(number).create_comment(text)

    def approvals(self, number: int) -> list[Review]:
        """Whose last word is an approval, mere comments aside."""
        last: dict[str, Review | None] = {}
        with self._asking(f"read the reviews of pull request {number}", _READ):
            for one in self._repo.get_pull(number).get_reviews():
                who = one.user.login if one.user else ""
                if who and one.state in ("APPROVED", "CHANGES_REQUESTED", "DISMISSED"):
                    review = Review(person=who, commit=one.commit_id or "", at=one.submitted_at)
                    last[who] = review if one.state == "APPROVED" else None
        return [review for review in last.values() if review]

    def statuses(self, commit: str) -> list[Status]:
        """The newest status of each context; an `error` is a failure."""
        newest: dict[str, Status] = {}
        with self._asking(f"read the statuses of {commit}", '"commit statuses: read"'):
            for one in self._commit(commit).get_statuses():  # the newest first
                status = Status(
                    context=one.context,
                    outcome=_OUTCOMES.get(one.state, "failure"),
                    description=one.description or "",
                    url=one.target_url or "",
                    by=one.creator.login if one.creator else "",
                )
                newest.setdefault(status.context, status)
        return list(newest.values())

    def set_status(self, commit: str, status: Status) -> None:
        """Set one; a long description is cut off."""
        with self._asking(f"set the status {status.context}", '"commit statuses: write"'):
            given = {"target_url": status.url} if status.url else {}
            self._commit(commit).create_status(
                state=status.outcome,
                context=status.context,
                description=status.description[:_DESCRIPTION],
                **given,
            )

    def _commit(self, sha: str) -> Commit:
        # Not by get_commit(): what follows would ask for the commit first, with all its files.
        known = {"sha": sha, "url": f"{self._repo.url}/commits/{sha}"}
        return Commit(self._github.requester, {}, known, completed=True)

    @contextmanager
    def _asking(self, asked: str, needs: str) -> Iterator[None]:
        try:
            yield
        except IncompletableObject:  # by the library, of an answer without what it should have
            raise self._to.odd(asked) from None
        except GithubException as error:
            raise self._refused(asked, needs, error) from None
        except patience.Moved as error:
            raise self._to.moved(asked, str(error)) from None
        except requests.RequestException as error:
            raise patience.told(self._to, asked, error) from None
        except _ODD:
            raise self._to.odd(asked) from None

    def _refused(self, asked: str, needs: str, error: GithubException) -> ForgeError:
        said = _said(error.data)
        headers = error.headers or {}
        spent = headers.get("x-ratelimit-remaining") == "0" or "retry-after" in headers
        if error.status == 403 and (spent or Requester.isRateLimitError(said)):
            return self._to.refused(asked, needs, 429, said)
        return self._to.refused(asked, needs, error.status, said)


def _pull_request(found: Found) -> PullRequest:
    """Raises TypeError where the answer is no pull request."""
    if not isinstance(found.number, int) or not found.head or not found.base:
        raise TypeError(found.number)
    here = found.head.repo is not None and found.head.repo.id == found.base.repo.id
    state: State = "merged" if found.merged_at else "closed" if found.state == "closed" else "open"
    # Lists don't say who has merged: one more request, for merged ones only.
    merged_by = found.merged_by if state == "merged" else None
    return PullRequest(
        number=found.number,
        url=found.html_url,
        state=state,
        title=found.title,
        body=found.body or "",
        author=found.user.login if found.user else "",
        branch=found.head.ref if here else "",
        head=found.head.sha,
        base=found.base.ref,
        # Until it is merged, this is a merge that GitHub has made to try it.
        merged_as=(found.merge_commit_sha or "") if state == "merged" else "",
        merged_by=merged_by.login if merged_by else "",
        merged_at=found.merged_at,
    )


def _said(data: Any) -> str:
    """GitHub's message, with those of what it found wrong: `Validation Failed` alone tells nothing."""
    if not isinstance(data, dict):
        return str(data or "")
    wrong = [one.get("message") or one.get("code") for one in data.get("errors") or () if one]
    parts = (data.get("message") or data.get("data"), *wrong)
    return ": ".join(str(part) for part in parts if part)
