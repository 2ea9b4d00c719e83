"""The forge's side of a release in the lab: branch rules, a second person who approves, the pipeline's token."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from lab import forge
from lab.home import LabHome
from tests.e2e.fleet_lab import FleetLab, Result

APPROVER = "approver"
GATES = ["promotion/source-healthy", "promotion/integration"]


class Forge:
    """One repo on the lab's Gitea, as its people and its branch rules have it."""

    def __init__(self, lab: FleetLab, repo: str) -> None:
        self._home = LabHome(lab.home)
        self.path = f"/repos/{forge.ORGANIZATION}/{repo}"
        self.token = forge.credentials(self._home).token
        self._approver = self._person()
        self.ask("PUT", f"{self.path}/collaborators/{APPROVER}", {"permission": "write"})

    def ask(self, method: str, path: str, body: Any = None, *, token: str = "") -> Any:
        with forge.client(self._home) as api:
            headers = {"Authorization": f"token {token or self.token}"}
            answer = api.request(method, path, json=body, headers=headers)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    @contextmanager
    def protected(self) -> Iterator[None]:
        """Inside, main takes pull requests with an approval and the gates only; the pipeline may push, for staging."""
        rule = {
            "rule_name": "main",
            "enable_push": True,
            "required_approvals": 1,
            "block_admin_merge_override": True,
            "dismiss_stale_approvals": True,
            "enable_status_check": True,
            "status_check_contexts": GATES,
        }
        self.ask("POST", f"{self.path}/branch_protections", rule)
        try:
            yield
        finally:
            self.ask("DELETE", f"{self.path}/branch_protections/main")

    def open(self) -> list[dict[str, Any]]:
        return list(self.ask("GET", f"{self.path}/pulls?state=open"))

    def merges(self, number: int, how: str = "merge") -> bool:
        """Whether the forge lets it be merged."""
        with forge.client(self._home) as api:
            for _ in range(100):
                answer = api.post(f"{self.path}/pulls/{number}/merge", json={"Do": how})
                if "try again" not in answer.text:
                    return answer.is_success
        raise AssertionError(answer.text)

    def approve(self, number: int) -> None:
        body = {"event": "APPROVED", "body": "as tested"}
        self.ask("POST", f"{self.path}/pulls/{number}/reviews", body, token=self._approver)

    def _person(self) -> str:
        password = secrets.token_urlsafe(16)
        body = {"username": APPROVER, "email": f"{APPROVER}@lab.invalid", "password": password}
        with forge.client(self._home) as api:
            if api.get(f"/users/{APPROVER}").is_success:
                login = {"login_name": APPROVER, "source_id": 0, "password": password}
                assert api.patch(f"/admin/users/{APPROVER}", json=login).is_success
            else:
                made = api.post("/admin/users", json={**body, "must_change_password": False})
                assert made.is_success, made.text
            answer = httpx.post(
                f"{api.base_url}/users/{APPROVER}/tokens",
                json={"name": secrets.token_hex(4), "scopes": ["all"]},
                auth=(APPROVER, password),
                trust_env=False,
            )
        assert answer.is_success, answer.text
        return str(answer.json()["sha1"])


def fleet(lab: FleetLab, forge_token: str, *words: str, check: bool = True) -> Result:
    """`fleet <words>` as CI runs it."""
    lab.env |= {"FLEET_FORGE_TOKEN": forge_token, "FLEET_ACTOR": "ci"}
    try:
        return lab.run("fleet", *words, "--stack=lab", check=check)
    finally:
        del lab.env["FLEET_FORGE_TOKEN"], lab.env["FLEET_ACTOR"]


def number(output: str) -> int:
    """Of the pull request that a command names."""
    found = re.search(r"/pulls/(\d+)", output)
    assert found, output
    return int(found[1])
