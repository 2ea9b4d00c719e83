"""GitHub and GitLab as small servers in memory: what `forges` asks, answered in the shape that their REST docs give.

They stand in for what can't be run here, and judge nothing: https://docs.github.com/en/rest,
https://docs.gitlab.com/api. The real Gitea is in tests/real/gitea_server.py.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from forges.connect import connect
from forges.forge import Forge

PAGE = 2
NOW = "2026-01-02T03:04:05Z"


@dataclass
class Pull:
    """A pull request, as this server keeps it."""

    number: int
    branch: str
    base: str
    title: str
    body: str | None
    author: str
    state: str = "open"
    fork: bool = False
    merged_as: str = ""
    merged_by: str = ""
    how: str = "merge"
    reviews: list[tuple[str, str, str]] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Answer:
    """What a server says whatever it was asked."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


class ForgeServer(ABC):
    """One repo with its people, whose tokens are their names."""

    kind: str
    repo = "acme/gitops-config"

    def __init__(self) -> None:
        self.branches: dict[str, str] = {"main": _sha("main")}
        self.pulls: list[Pull] = []
        self.set_statuses: list[dict[str, Any]] = []
        self.asked: list[str] = []
        self.tokens: list[str] = []
        self.trouble: Answer | Callable[[str], Answer | None] | str | None = None
        """An answer to everything, or by what was asked; `close` and `hang` are none."""
        self._over = threading.Event()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,))
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}"

    def close(self) -> None:
        self._over.set()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def forge(self, person: str) -> Forge:
        return connect(self.kind, f"{self.url}/{self.repo}.git", "", person)

    def commit(self, branch: str) -> str:
        self.branches[branch] = _sha(f"{branch} {self.branches.get(branch)}")
        return self.branches[branch]

    def approve(self, number: int, person: str) -> None:
        self.review(number, person, "APPROVED")

    def review(self, number: int, person: str, state: str) -> None:
        pull = self.pulls[number - 1]
        pull.reviews.append((person, state, self.branches[pull.branch]))

    def merge(self, number: int, how: str = "merge") -> str:
        pull = self.pulls[number - 1]
        pull.state, pull.merged_by, pull.how = "merged", "root", how
        pull.merged_as = self.branches[pull.branch] if how == "ff" else self.commit(pull.base)
        return pull.merged_as

    def comments(self, number: int) -> list[str]:
        return self.pulls[number - 1].comments

    def _opened(self, branch: str, base: str, title: str, body: str, author: str) -> Pull:
        self.pulls.append(Pull(len(self.pulls) + 1, branch, base, title, body, author))
        return self.pulls[-1]

    def _is_open_from(self, branch: str) -> bool:
        return any(it.branch == branch and it.state == "open" for it in self.pulls)

    def of_commit(self, commit: str) -> list[Pull]:
        return [it for it in self.pulls if commit in (it.merged_as, self.branches[it.branch])]

    @abstractmethod
    def answer(self, method: str, path: str, query: dict[str, str], body: Any, who: str) -> Answer:
        """What it says to a person that it knows."""

    @abstractmethod
    def error(self, status: int, message: str) -> Answer: ...


class GitHubServer(ForgeServer):
    """GitHub Enterprise, by its address; its lists leave out who has merged."""

    kind = "github"

    def error(self, status: int, message: str, *errors: str) -> Answer:
        found = [{"resource": "PullRequest", "code": "custom", "message": it} for it in errors]
        return Answer(status, {"message": message, "errors": found, "status": str(status)})

    def answer(self, method: str, path: str, query: dict[str, str], body: Any, who: str) -> Answer:
        if path == "/api/v3/user":
            return Answer(200, {"login": who, "id": 1})
        match = re.fullmatch(rf"/api/v3/repos/{self.repo}/(\w+)(?:/(\w+))?(?:/(\w+))?", path)
        what, name, more = match.groups() if match else ("", "", "")
        if what == "pulls" and not name and method == "POST":
            if self._is_open_from(body["head"]):
                said = f"A pull request already exists for acme:{body['head']}."
                return self.error(422, "Validation Failed", said)
            made = self._opened(body["head"], body["base"], body["title"], body["body"], who)
            return Answer(201, self._pull(made))
        if what == "pulls" and not name:
            return Answer(200, [self._pull(it, brief=True) for it in self._listed(query)])
        if what == "commits" and more == "pulls":
            return Answer(200, [self._pull(it, brief=True) for it in self.of_commit(name)])
        if what == "statuses" and method == "POST":
            self.set_statuses.append(body := {**body, "creator": {"login": who}, "sha": name})
            return Answer(201, body)
        if what == "statuses":
            return Answer(200, [it for it in reversed(self.set_statuses) if it["sha"] == name])
        if not name or not name.isdigit() or int(name) > len(self.pulls):
            return self.error(404, "Not Found")
        pull = self.pulls[int(name) - 1]
        if what == "issues" and more == "comments":
            pull.comments.append(body["body"])
            return Answer(201, {"id": 1, "body": body["body"]})
        if more == "reviews":
            return Answer(200, [_review(it, index) for index, it in enumerate(pull.reviews)])
        if method == "PATCH":
            pull.title, pull.body = body.get("title", pull.title), body.get("body", pull.body)
            pull.state = body.get("state", pull.state)
        return Answer(200, self._pull(pull))

    def _listed(self, query: dict[str, str]) -> list[Pull]:
        found = [it for it in self.pulls if query["state"] == "all" or it.state == "open"]
        if head := query.get("head"):
            found = [it for it in found if f"{'eve' if it.fork else 'acme'}:{it.branch}" == head]
        return found[::-1]

    def _pull(self, pull: Pull, *, brief: bool = False) -> dict[str, Any]:
        here = {"id": 7, "full_name": self.repo}
        there = {"id": 8, "full_name": "eve/gitops-config"}
        merged = pull.state == "merged"
        whole = {
            "number": pull.number,
            "url": f"{self.url}/api/v3/repos/{self.repo}/pulls/{pull.number}",
            "html_url": f"{self.url}/{self.repo}/pull/{pull.number}",
            "state": "closed" if merged else pull.state,
            "title": pull.title,
            "body": pull.body or None,
            "user": {"login": pull.author},
            "head": {
                "ref": pull.branch,
                "sha": self.branches[pull.branch],
                "repo": there if pull.fork else here,
            },
            "base": {"ref": pull.base, "sha": self.branches[pull.base], "repo": here},
            "merge_commit_sha": pull.merged_as or _sha("a try"),
            "merged_at": NOW if merged else None,
        }
        by = {"login": pull.merged_by} if merged else None
        return whole if brief else {**whole, "merged": merged, "merged_by": by}


class GitLabServer(ForgeServer):
    """GitLab, with a project in groups of groups."""

    kind = "gitlab"
    repo = "acme/platform/gitops-config"

    def error(self, status: int, message: str) -> Answer:
        return Answer(status, {"message": message})

    def answer(self, method: str, path: str, query: dict[str, str], body: Any, who: str) -> Answer:
        if path == "/api/v4/user":
            return Answer(200, {"username": who, "id": 1})
        project = re.escape(f"/api/v4/projects/{quote(self.repo, safe='')}")
        match = re.fullmatch(rf"{project}/(?:repository/)?(\w+)(?:/(\w+))?(?:/(\w+))?", path)
        what, name, more = match.groups() if match else ("", "", "")
        if what == "merge_requests" and not name and method == "POST":
            branch = body["source_branch"]
            if self._is_open_from(branch):
                said = "Another open merge request already exists for this source branch: !1"
                return Answer(409, {"message": [said]})
            made = self._opened(
                branch, body["target_branch"], body["title"], body["description"], who
            )
            return Answer(201, self._pull(made))
        if what == "merge_requests" and not name:
            return Answer(200, [self._pull(it) for it in self._listed(query)])
        if what == "commits" and more == "merge_requests":
            return Answer(200, [self._pull(it) for it in self.of_commit(name)])
        if what == "statuses" and method == "POST":
            return self._set_status(name, body, who)
        if what == "commits" and more == "statuses":
            return Answer(200, [it for it in self.set_statuses if it["sha"] == name])
        if not name or not name.isdigit() or int(name) > len(self.pulls):
            return self.error(404, "404 Not found")
        pull = self.pulls[int(name) - 1]
        if more == "notes":
            pull.comments.append(body["body"])
            return Answer(201, {"id": 1, "body": body["body"]})
        if more == "approvals":
            people = list(dict.fromkeys(person for person, *_ in pull.reviews))
            found = [{"user": {"username": it, "id": 1}, "approved_at": NOW} for it in people]
            return Answer(200, {"approved": True, "approved_by": found})
        if method == "PUT":
            pull.title = body.get("title", pull.title)
            pull.body = body.get("description", pull.body)
            pull.state = "closed" if body.get("state_event") == "close" else pull.state
        return Answer(200, self._pull(pull))

    def _set_status(self, sha: str, body: dict[str, Any], who: str) -> Answer:
        before = [it for it in self.set_statuses if (it["sha"], it["name"]) == (sha, body["name"])]
        given = {**body, "status": body["state"], "author": {"username": who}, "sha": sha}
        if before and before[-1]["status"] == "pending":
            if body["state"] == "pending":
                said = "Cannot transition status via :enqueue from :pending (Reason(s): Status cannot transition via"
                return Answer(400, {"message": f'{said} "enqueue")'})
            before[-1].update(given)
            return Answer(201, before[-1])
        self.set_statuses.append({**given, "id": len(self.set_statuses)})
        return Answer(201, self.set_statuses[-1])

    def _listed(self, query: dict[str, str]) -> list[Pull]:
        branch, state = query.get("source_branch"), query.get("state", "all")
        found = [it for it in self.pulls if state == "all" or it.state == "open"]
        return [it for it in found if branch in (None, it.branch)][::-1]

    def _pull(self, pull: Pull) -> dict[str, Any]:
        merged = pull.state == "merged"
        return {
            "id": 1000 + pull.number,
            "iid": pull.number,
            "web_url": f"{self.url}/{self.repo}/-/merge_requests/{pull.number}",
            "state": "opened" if pull.state == "open" else pull.state,
            "title": pull.title,
            "description": pull.body,
            "author": {"username": pull.author},
            "source_branch": pull.branch,
            "source_project_id": 8 if pull.fork else 7,
            "target_project_id": 7,
            "target_branch": pull.base,
            "sha": self.branches[pull.branch],
            "merge_commit_sha": pull.merged_as if pull.how == "merge" and merged else None,
            "squash_commit_sha": pull.merged_as if pull.how == "squash" else None,
            "merge_user": {"username": pull.merged_by} if merged else None,
            "merged_at": NOW if merged else None,
        }


class NoGitea(ForgeServer):
    """What Gitea can't be brought to answer, and whose token it is; all else is for the real one."""

    kind = "gitea"

    def error(self, status: int, message: str) -> Answer:
        return Answer(status, {"message": message})

    def answer(self, method: str, path: str, query: dict[str, str], body: Any, who: str) -> Answer:
        return Answer(200, {"login": who} if path == "/api/v1/user" else None)


def _review(one: tuple[str, str, str], index: int) -> dict[str, Any]:
    person, state, commit = one
    user = {"login": person}
    return {"id": index, "user": user, "state": state, "commit_id": commit, "submitted_at": NOW}


def _sha(text: str) -> str:
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def _handler(server: ForgeServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length) or b"null")
            query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
            who = self.headers.get("Authorization", "").partition(" ")[2]
            server.tokens.append(who)
            server.asked.append(f"{self.command} {unquote(self.path)}")
            trouble = server.trouble
            if callable(trouble):
                trouble = trouble(server.asked[-1])
            if trouble == "close":
                self.close_connection = True
                return
            if trouble == "hang":
                server._over.wait(20)
                self.close_connection = True
                return
            if isinstance(trouble, Answer):
                self._say(trouble)
            elif who in ("alice", "bob"):
                self._say(self._page(server.answer(self.command, parts.path, query, body, who)))
            else:
                self._say(server.error(401, "Bad credentials"))

        do_POST = do_PATCH = do_PUT = do_GET

        def _page(self, answer: Answer) -> Answer:
            """Of a list a page, and where the next is: always asked for fewer than there are."""
            if not isinstance(answer.body, list):
                return answer
            path, _, query = self.path.partition("?")
            asked = {key: values[-1] for key, values in parse_qs(query).items()}
            page = int(asked.get("page", 1))
            rest = answer.body[page * PAGE :]
            more = "&".join(f"{k}={quote(v)}" for k, v in {**asked, "page": str(page + 1)}.items())
            link = {"Link": f'<{server.url}{path}?{more}>; rel="next"'} if rest else {}
            return Answer(answer.status, answer.body[(page - 1) * PAGE :][:PAGE], link)

        def _say(self, answer: Answer) -> None:
            is_text = isinstance(answer.body, str)
            body = answer.body if is_text else json.dumps(answer.body)
            self.send_response(answer.status)
            self.send_header("Content-Type", "text/html" if is_text else "application/json")
            self.send_header("Content-Length", str(len(body.encode())))
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:
            return None

    return Handler
