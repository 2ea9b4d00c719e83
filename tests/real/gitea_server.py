"""A real Gitea, as the lab starts it: for tests that need a forge which judges by itself."""

from __future__ import annotations

import base64
import os
import secrets
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from rich.console import Console

from lab import forge as lab_forge
from lab import up
from lab.context import Lab
from lab.home import LabHome
from lab.lock import locked
from lab.report import Reporter
from lab.toolchain import ensure


@dataclass
class GiteaServer:
    """A running Gitea; its administrator's name is `lab.forge.USER`, and what they may do is everything."""

    lab: Lab
    _passwords: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return lab_forge.url(self.lab.home)

    @property
    def token(self) -> str:
        return lab_forge.credentials(self.lab.home).token

    def ask(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        token: str = "",
        password: tuple[str, str] | None = None,
    ) -> Any:
        """What the API answers, asked by the administrator unless a token or password is given."""
        headers = {} if password else {"Authorization": f"token {token or self.token}"}
        answer = httpx.request(
            method,
            f"{self.url}/api/v1{path}",
            json=body,
            headers=headers,
            auth=password,
            trust_env=False,
            timeout=30,
        )
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def make_user(self, name: str) -> str:
        """A person with a token that may do everything that they may."""
        self._passwords[name] = secrets.token_urlsafe(16)
        body = {
            "username": name,
            "email": f"{name}@lab.invalid",
            "password": self._passwords[name],
            "must_change_password": False,
        }
        self.ask("POST", "/admin/users", body)
        return self.make_token(name, "all")

    def make_token(self, user: str, *scopes: str) -> str:
        """One more token of a person that `make_user` made, which may do only this: `read:repository`, say."""
        body = {"name": secrets.token_hex(4), "scopes": list(scopes)}
        asked = self.ask(
            "POST", f"/users/{user}/tokens", body, password=(user, self._passwords[user])
        )
        return str(asked["sha1"])

    def make_repo(self, owner: str, *writers: str, private: bool = False) -> str:
        """A repo of a person, with one commit on main; `owner/name`. The writers may push and approve."""
        name = f"repo-{secrets.token_hex(4)}"
        body = {"name": name, "auto_init": True, "default_branch": "main", "private": private}
        self.ask("POST", f"/admin/users/{owner}/repos", body)
        for writer in writers:
            self.ask(
                "PUT", f"/repos/{owner}/{name}/collaborators/{writer}", {"permission": "write"}
            )
        return f"{owner}/{name}"

    def commit(self, repo: str, branch: str, path: str, text: str) -> str:
        """A commit on a branch, made off main where it isn't there, that writes one new file; its SHA."""
        branches = {one["name"] for one in self.ask("GET", f"/repos/{repo}/branches?limit=50")}
        where = {"branch": branch} if branch in branches else {"new_branch": branch}
        body = {"content": base64.b64encode(text.encode()).decode(), "message": f"Write {path}"}
        asked = self.ask("POST", f"/repos/{repo}/contents/{path}", {**body, **where})
        return str(asked["commit"]["sha"])

    def protect(self, repo: str, **rule: Any) -> None:
        """Protect main by a rule: `required_approvals=1, dismiss_stale_approvals=True`, say."""
        body = {"rule_name": "main", "enable_push": True, **rule}
        self.ask("POST", f"/repos/{repo}/branch_protections", body)

    def review(self, repo: str, number: int, token: str, event: str = "APPROVED") -> int:
        """A person's review (`APPROVED`, `REQUEST_CHANGES` or `COMMENT`) of the newest commit; its id."""
        body = {"event": event, "body": "as I see it"}
        return int(
            self.ask("POST", f"/repos/{repo}/pulls/{number}/reviews", body, token=token)["id"]
        )

    def merge(self, repo: str, number: int, how: str = "merge") -> None:
        """Merge one by `merge`, `squash`, `rebase`, `rebase-merge` or `fast-forward-only`."""
        body, end = {"Do": how}, time.monotonic() + 20
        while True:
            try:
                self.ask("POST", f"/repos/{repo}/pulls/{number}/merge", body)
            except AssertionError as error:
                # It checks for conflicts first, in its own time.
                if "Please try again later" not in str(error) or time.monotonic() > end:
                    raise
                time.sleep(0.1)
            else:
                return

    def tip(self, repo: str, branch: str = "main") -> str:
        """The newest commit of a branch."""
        return str(self.ask("GET", f"/repos/{repo}/branches/{branch}")["commit"]["id"])

    def stop(self) -> None:
        """Stop it; `start` brings back what was in it."""
        self.lab.processes.stop([lab_forge.PART])

    def start(self) -> None:
        lab_forge.boot(self.lab)


@pytest.fixture(scope="session")
def gitea() -> Iterator[GiteaServer]:
    """The Gitea that the tests of a run share; each makes repos of its own."""
    home = LabHome(Path(tempfile.mkdtemp(prefix="fleet-gitea-"))).create()
    lab = Lab(home, ensure(["gitea"], console=Console(stderr=True)), Reporter())
    try:
        with locked(home):
            up.start_janitor(lab, os.getpid())  # it ends with this process even when that is killed
            lab_forge.boot(lab)
        yield GiteaServer(lab)
    finally:
        up.down(home, wipe=True)
