"""GitLab, by python-gitlab: a merge request is what the others call a pull request."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import gitlab
import requests
from gitlab.exceptions import GitlabError, GitlabParsingError
from requests.adapters import HTTPAdapter

from forges import access, patience
from forges.access import Access
from forges.forge import ForgeError, Outcome, PullRequest, Review, State, Status

PER_PAGE = 100
_DESCRIPTION = 255  # GitLab refuses longer ones
_OUTCOMES: dict[str, Outcome] = {"success": "success", "failed": "failure", "canceled": "failure"}
_STATES: dict[str, State] = {"merged": "merged", "closed": "closed"}
_JOB_TOKEN = "glcbt-"  # noqa: S105 - how one begins
_READ = 'the scope "read_api", and at least the role Reporter in the project'
_WRITE = 'the scope "api", and at least the role Developer in the project'
_ODD = (AttributeError, KeyError, IndexError, TypeError, ValueError)


class _Client(gitlab.Gitlab):
    """Without its waits for a rate limit to end (ten times, for as long as the server says)."""

    def http_request(self, verb: str, path: str, *args: Any, **kwargs: Any) -> requests.Response:
        """Raises patience.Moved for the next page of a list where another server is to have it."""
        if path.startswith(("http:", "https:")) and not path.startswith(f"{self.url}/"):
            raise patience.Moved(path)
        return super().http_request(verb, path, *args, **{"obey_rate_limit": False, **kwargs})


class GitLab:
    """A project on GitLab: `group/…/name`. Raises ForgeError where the access is none, or by a CI_JOB_TOKEN."""

    def __init__(self, to: Access, repo: str) -> None:
        if to.token.startswith(_JOB_TOKEN):
            raise ForgeError(
                f"{to.host}: this is a CI_JOB_TOKEN, which may not read or write merge requests; make a project access "
                f"token with {_WRITE}, and set {to.variables}"
            )
        self._to = to
        session = requests.Session()
        session.trust_env = not to.is_loopback  # the environment's proxies
        for scheme in ("http://", "https://"):
            session.mount(scheme, HTTPAdapter(max_retries=patience.Sparing.once()))
        self._gitlab = _Client(
            to.api,
            # Personal, project and group tokens may be given so, as well as those of OAuth.
            oauth_token=to.token,
            timeout=access.SECONDS,
            per_page=PER_PAGE,
            keep_base_url=True,
            ssl_verify=os.environ.get("REQUESTS_CA_BUNDLE") or True,  # …but its CAs in any case
            session=session,
        )
        self._project = self._gitlab.projects.get(repo, lazy=True)

    def whoami(self) -> str:
        """The user name."""
        with self._asking("ask who the token is of", 'the scope "read_user" or "api"'):
            user: Any = self._gitlab.http_get("/user")
            return str(user["username"])

    def pull_requests(self, branch: str) -> list[PullRequest]:
        """Those from this branch of the project itself, the newest first."""
        with self._asking(f"list the merge requests from {branch}", _READ):
            found = self._project.mergerequests.list(
                source_branch=branch, order_by="created_at", sort="desc", get_all=True
            )
            all_of_them = [_pull_request(one.attributes) for one in found]
        return [one for one in all_of_them if one.branch == branch]

    def open_pull_requests(self) -> Iterator[PullRequest]:
        """All that are open, from all pages: closing one on the way would shift what is on the next."""
        with self._asking("list the open merge requests", _READ):
            found = self._project.mergerequests.list(state="opened", get_all=True)
            return iter([_pull_request(one.attributes) for one in found])

    def pull_request(self, number: int) -> PullRequest:
        """The one of this number: its `iid`."""
        with self._asking(f"read merge request {number}", _READ):
            return _pull_request(self._project.mergerequests.get(number).attributes)

    def pull_request_of(self, commit: str) -> PullRequest | None:
        """The merged one that has brought this commit; the commits that a merge brought along count, too."""
        with self._asking(f"find the merge request of {commit}", _READ):
            found: Any = self._commit(commit).merge_requests(get_all=True)
            merged = [_pull_request(one) for one in found if one["state"] == "merged"]
        # A commit may have come by several: into a branch, and with that into the next.
        exact = [one for one in merged if one.merged_as == commit]
        return next(iter(exact or merged), None)

    def open(self, *, branch: str, base: str, title: str, body: str) -> PullRequest:
        """Open one."""
        with self._asking(f"open a merge request from {branch}", _WRITE):
            what = {"title": title, "description": body}
            where = {"source_branch": branch, "target_branch": base}
            return _pull_request(self._project.mergerequests.create({**where, **what}).attributes)

    def edit(self, number: int, *, title: str, body: str) -> None:
        """Change the title and text."""
        with self._asking(f"edit merge request {number}", _WRITE):
            self._project.mergerequests.update(number, {"title": title, "description": body})

    def close(self, number: int) -> None:
        """Close it without merging."""
        with self._asking(f"close merge request {number}", _WRITE):
            self._project.mergerequests.update(number, {"state_event": "close"})

    def comment(self, number: int, text: str) -> None:
        """Write a comment: a note."""
        with self._asking(f"comment on merge request {number}", _WRITE):
            self._project.mergerequests.get(number, lazy=True).notes.create({"body": text})

    def approvals(self, number: int) -> list[Review]:
        """Who approves it; GitLab doesn't say which commit they saw."""
        with self._asking(f"read the approvals of merge request {number}", _READ):
            found = self._project.mergerequests.get(number, lazy=True).approvals.get()
            return [
                Review(person=one["user"]["username"], commit="", at=_time(one.get("approved_at")))
                for one in found.approved_by
            ]

    def statuses(self, commit: str) -> list[Status]:
        """The newest status of each name, jobs of pipelines among them.

        One that neither succeeded nor failed is pending: a skipped or manual job shows nothing.
        """
        newest: dict[str, Any] = {}
        with self._asking(f"read the statuses of {commit}", _READ):
            for found in self._commit(commit).statuses.list(get_all=True):
                one = found.attributes
                if one["name"] not in newest or one["id"] > newest[one["name"]]["id"]:
                    newest[one["name"]] = one
            return [_status(one) for one in newest.values()]

    def set_status(self, commit: str, status: Status) -> None:
        """Set one; a long description is cut off. One that is pending already stays as it is, description and all."""
        state = "failed" if status.outcome == "failure" else status.outcome
        given = {
            "state": state,
            "name": status.context,
            "description": status.description[:_DESCRIPTION],
        }
        with self._asking(f"set the status {status.context}", _WRITE):
            try:
                self._commit(commit).statuses.create(
                    {**given, **({"target_url": status.url} if status.url else {})}
                )
            except GitlabError as error:
                # From pending to pending, which GitLab knows no way for.
                again = "Cannot transition status via :enqueue" in str(error.error_message)
                if not (state == "pending" and error.response_code == 400 and again):
                    raise

    def _commit(self, sha: str) -> Any:
        return self._project.commits.get(sha, lazy=True)

    @contextmanager
    def _asking(self, asked: str, needs: str) -> Iterator[None]:
        try:
            yield
        except GitlabParsingError:
            raise self._to.odd(asked) from None
        except GitlabError as error:
            if error.response_code is None:
                raise self._to.odd(asked, error.error_message) from None
            said = error.error_message
            raise self._to.refused(asked, needs, error.response_code, said) from None
        except patience.Moved as error:
            raise self._to.moved(asked, str(error)) from None
        except requests.RequestException as error:
            raise patience.told(self._to, asked, error) from None
        except _ODD:
            raise self._to.odd(asked) from None


def _pull_request(one: dict[str, Any]) -> PullRequest:
    state = _STATES.get(one["state"], "open")  # `locked`, for the moment of merging
    # By a merge commit, by a squash that needs none, or fast-forward.
    merged_as = one.get("merge_commit_sha") or one.get("squash_commit_sha") or one.get("sha")
    merged_by = one.get("merge_user") or one.get("merged_by") or {}
    return PullRequest(
        number=int(one["iid"]),
        url=one["web_url"],
        state=state,
        title=one["title"],
        body=one.get("description") or "",
        author=(one.get("author") or {}).get("username", ""),
        branch=one["source_branch"] if one["source_project_id"] == one["target_project_id"] else "",
        head=one.get("sha") or "",
        base=one["target_branch"],
        merged_as=(merged_as or "") if state == "merged" else "",
        merged_by=merged_by.get("username", ""),
        merged_at=_time(one.get("merged_at")),
    )


def _status(one: dict[str, Any]) -> Status:
    return Status(
        context=one["name"],
        outcome=_OUTCOMES.get(one["status"], "pending"),
        description=one.get("description") or "",
        url=one.get("target_url") or "",
        by=(one.get("author") or {}).get("username", ""),
    )


def _time(text: Any) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
