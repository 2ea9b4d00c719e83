"""Gitea and Forgejo, by their API itself: what there is of libraries for it is generated, and old."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from urllib.parse import quote

import httpx

from forges import access
from forges.access import Access
from forges.forge import Outcome, PullRequest, Review, State, Status

PER_PAGE = 50
"""As many as Gitea gives at most, unless it is told otherwise."""
PAGES = 2000
"""More than any repo has: a list ends, whatever the server says."""
_OUTCOMES: dict[str, Outcome] = {"success": "success", "pending": "pending", "skipped": "pending"}
_READ = 'the scope "read:repository"'
_WRITE = 'the scope "write:repository", and to write in the repo'
_ERRNO = re.compile(r"^\[Errno -?\d+\] ")
_ODD = (AttributeError, KeyError, TypeError, ValueError)


class Gitea:
    """A repo on Gitea or Forgejo: `owner/name`. Raises ForgeError where the access is none."""

    def __init__(self, to: Access, repo: str) -> None:
        self._to = to
        self._repo = f"/repos/{quote(repo)}"
        self._http = httpx.Client(
            base_url=to.api,
            headers={"Authorization": f"token {to.token}", "Accept": "application/json"},
            timeout=access.SECONDS,
            trust_env=not to.is_loopback,  # the environment's proxies
            verify=httpx.create_ssl_context(),  # …but its CAs in any case
            follow_redirects=False,
        )

    def whoami(self) -> str:
        """The login name."""
        with self._asking("ask who the token is of", 'the scope "read:user"'):
            return str(self._ask("GET", "/user")["login"])

    def pull_requests(self, branch: str) -> list[PullRequest]:
        """Those from this branch of the repo itself, the newest first.

        Gitea can't be asked for one branch's: this reads all that the repo ever had. Its list doesn't say who has
        merged; those are read once more.
        """
        with self._asking(f"list the pull requests from {branch}", _READ):
            found = map(_pull_request, self._pages(f"{self._repo}/pulls", state="all"))
            from_it = sorted((it for it in found if it.branch == branch), key=lambda it: -it.number)
            return [
                _pull_request(self._ask("GET", f"{self._repo}/pulls/{it.number}"))
                if it.state == "merged"
                else it
                for it in from_it
            ]

    def open_pull_requests(self) -> Iterator[PullRequest]:
        """All that are open, from all pages: closing one on the way would shift what is on the next."""
        with self._asking("list the open pull requests", _READ):
            found = self._pages(f"{self._repo}/pulls", state="open")
            return iter([_pull_request(one) for one in found])

    def pull_request(self, number: int) -> PullRequest:
        """The one of this number."""
        with self._asking(f"read pull request {number}", _READ):
            return _pull_request(self._ask("GET", f"{self._repo}/pulls/{number}"))

    def pull_request_of(self, commit: str) -> PullRequest | None:
        """The merged one whose merge made this commit.

        Not for the commits that a merge brought along, nor for those before the last of a rebase: Gitea keeps one
        commit for each pull request.
        """
        with self._asking(f"find the pull request of {commit}", _READ):
            try:
                answer = self._ask("GET", f"{self._repo}/commits/{quote(commit, safe='')}/pull")
            except httpx.HTTPStatusError as error:
                if error.response.status_code != 404:
                    raise
                # The answer is the same where the repo isn't there; then this is refused, too.
                self._ask("GET", self._repo)
                return None
            found = _pull_request(answer)
            return found if found.state == "merged" else None

    def open(self, *, branch: str, base: str, title: str, body: str) -> PullRequest:
        """Open one."""
        what = {"head": branch, "base": base, "title": title, "body": body}
        with self._asking(f"open a pull request from {branch}", _WRITE):
            return _pull_request(self._ask("POST", f"{self._repo}/pulls", what))

    def edit(self, number: int, *, title: str, body: str) -> None:
        """Change the title and text."""
        with self._asking(f"edit pull request {number}", _WRITE):
            self._ask("PATCH", f"{self._repo}/pulls/{number}", {"title": title, "body": body})

    def close(self, number: int) -> None:
        """Close it without merging."""
        with self._asking(f"close pull request {number}", _WRITE):
            self._ask("PATCH", f"{self._repo}/pulls/{number}", {"state": "closed"})

    def comment(self, number: int, text: str) -> None:
        """Write a comment."""
        with self._asking(f"comment on pull request {number}", 'the scope "write:issue"'):
            self._ask("POST", f"{self._repo}/issues/{number}/comments", {"body": text})

    def approvals(self, number: int) -> list[Review]:
        """Whose last word is an approval that wasn't dismissed, mere comments aside.

        A stale one counts, with the commit that it was for. Where the branch's protection dismisses those, Gitea does
        so some moments after the push: compare the commit in any case.
        """
        last: dict[str, dict[str, Any]] = {}
        with self._asking(f"read the reviews of pull request {number}", _READ):
            found = self._pages(f"{self._repo}/pulls/{number}/reviews")
            for one in sorted(found, key=lambda one: int(one["id"])):
                if _login(one["user"]) and one["state"] in ("APPROVED", "REQUEST_CHANGES"):
                    last[_login(one["user"])] = one
            return [
                Review(person=who, commit=one["commit_id"], at=_time(one["submitted_at"]))
                for who, one in last.items()
                if one["state"] == "APPROVED" and not one["dismissed"]
            ]

    def statuses(self, commit: str) -> list[Status]:
        """The newest status of each context; an `error` or a `warning` is a failure."""
        with self._asking(f"read the statuses of {commit}", _READ):
            found = self._pages(f"{self._repo}/commits/{quote(commit, safe='')}/statuses")
            newest = {one["context"]: one for one in sorted(found, key=lambda one: int(one["id"]))}
            return [_status(one) for one in newest.values()]

    def set_status(self, commit: str, status: Status) -> None:
        """Set one."""
        what = {
            "state": status.outcome,
            "context": status.context,
            "description": status.description,
            "target_url": status.url,
        }
        with self._asking(f"set the status {status.context}", _WRITE):
            self._ask("POST", f"{self._repo}/statuses/{quote(commit, safe='')}", what)

    def _pages(self, path: str, **query: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        before: object = None
        for page in range(1, PAGES + 1):
            answer = self._answer("GET", path, params={**query, "page": page, "limit": PER_PAGE})
            more = answer.json() or []
            if more and (not isinstance(more, list) or more == before):
                break
            found += more
            before = more
            # Not by how full the page is: a server may give fewer at once than it is asked for.
            total = answer.headers.get("X-Total-Count")
            if not more or (total is not None and len(found) >= int(total)):
                return found
        raise ValueError(path)

    def _ask(self, method: str, path: str, body: dict[str, str] | None = None) -> Any:
        answer = self._answer(method, path, json=body)
        return answer.json() if method == "GET" or answer.content else None

    def _answer(self, method: str, path: str, **given: Any) -> httpx.Response:
        """Raises httpx.HTTPError; HTTPStatusError for all but a 2xx. A read that got no answer is tried twice."""
        for more in (True, False) if method == "GET" else (False,):
            try:
                answer = self._http.request(method, path, **given)
            except httpx.RemoteProtocolError:
                if more:
                    continue
                raise
            if not (more and answer.status_code in (502, 503, 504)):
                break
        return answer.raise_for_status()

    @contextmanager
    def _asking(self, asked: str, needs: str) -> Iterator[None]:
        try:
            yield
        except httpx.HTTPStatusError as error:
            answer = error.response
            if answer.is_redirect:
                raise self._to.moved(asked, answer.headers.get("Location", "nowhere")) from None
            raise self._to.refused(asked, needs, answer.status_code, _said(answer)) from None
        except httpx.TimeoutException:
            raise self._to.away(asked, f"no answer within {access.SECONDS} s") from None
        except httpx.TransportError as error:
            if "CERTIFICATE" in str(error):
                raise self._to.odd(asked, f"its certificate isn't accepted ({error})") from None
            why = _ERRNO.sub("", str(error)).lower()
            raise self._to.away(asked, why) from None
        except (httpx.HTTPError, httpx.InvalidURL, *_ODD):
            raise self._to.odd(asked) from None


def _pull_request(one: dict[str, Any]) -> PullRequest:
    head, base = one["head"], one["base"]
    state: State = "merged" if one["merged"] else "closed" if one["state"] == "closed" else "open"
    return PullRequest(
        number=int(one["number"]),
        url=one["html_url"],
        state=state,
        title=one["title"],
        body=one["body"] or "",
        author=_login(one["user"]),
        # Its `ref` is another once the branch is gone; the `label` stays.
        branch=head["label"] if head["repo_id"] == base["repo_id"] else "",
        head=head["sha"],
        base=base["ref"],
        merged_as=one["merge_commit_sha"] or "" if state == "merged" else "",
        merged_by=_login(one["merged_by"]) if state == "merged" else "",
        merged_at=_time(one["merged_at"]) if state == "merged" else None,
    )


def _status(one: dict[str, Any]) -> Status:
    return Status(
        context=one["context"],
        outcome=_OUTCOMES.get(one["status"], "failure"),
        description=one["description"],
        url=one["target_url"],
        by=_login(one["creator"]),
    )


def _login(person: dict[str, Any] | None) -> str:
    return str(person["login"]) if person else ""


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _said(answer: httpx.Response) -> str:
    try:
        said = answer.json()
        return str(said["message"])
    except (*_ODD, httpx.HTTPError):
        return answer.text
