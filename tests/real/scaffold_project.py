"""A project with stack files, and `fleet scaffold` and its like run in it, for the tests of these."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from click.testing import Result
from typer.testing import CliRunner

from fleet.commands import app
from tests.real.gitops_repo import STORE_CRD

CENTRAL = "https://git.example.com/acme/gitops-config.git"
OWN = "https://git.example.com/acme/payments-config.git"
PAYMENTS: dict[str, Any] = {"name": "payments", "namespaces": ["payment-service"]}
IDENTITY: dict[str, Any] = {"name": "identity", "namespaces": ["auth-service"]}
SPOKES = [
    {"name": "prod-1", "environment": "production", "region": "eu", "server": "https://prod-1"},
    {"name": "staging", "environment": "staging", "region": "us", "server": "https://staging"},
]


@dataclass
class Project:
    """The project's folder, with one stack `all`; `fleet` runs in it, without a kubeconfig."""

    folder: Path
    config: dict[str, Any] = field(default_factory=dict)

    def stack(self, **sections: Any) -> None:
        """Write the stack file."""
        self.config = {
            "fleet:hub": {"context": "hub"},
            "fleet:argocd": {"manifest": "https://argocd.example.com/install.yaml"},
            "fleet:gitops": {"repo": CENTRAL},
            "fleet:vault": {"address": "https://vault.example.com"},
            "fleet:externalSecrets": {"chart": "chart", "crds": "crds.yaml"},
            "fleet:spokes": SPOKES,
            "fleet:applicationSets": [
                {"name": "platform-services", "layout": "platform"},
                {"name": "services", "layout": "services"},
            ],
            **{f"fleet:{name}": value for name, value in sections.items()},
        }
        stacks = self.folder / "stacks"
        stacks.mkdir(exist_ok=True)
        (stacks / "Pulumi.all.yaml").write_text(
            yaml.safe_dump({"config": self.config}, default_style='"')
        )

    def run(self, *words: str, stdin: str = "") -> Result:
        """`fleet <words>`."""
        return CliRunner().invoke(app, [*words], input=stdin)

    def ok(self, *words: str) -> str:
        """`fleet <words>`, which succeeds."""
        done = self.run(*words)
        assert done.exit_code == 0, (done.output, done.stderr)
        return done.output

    def refused(self, *words: str) -> str:
        """`fleet <words>`, which is refused in one line and changes nothing below the project's folder."""
        before = contents(self.folder)
        done = self.run(*words)
        assert done.exit_code == 2, (done.exit_code, done.output)
        said = f"\n{done.stderr}".split("\nerror: ")
        assert len(said) == 2, done.stderr
        assert contents(self.folder) == before
        return said[1].strip()


def contents(folder: Path) -> Mapping[str, bytes]:
    """All files below a folder, but for git's own."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".git" not in path.relative_to(folder).parts
    }


def git(folder: Path, *words: str) -> str:
    """git in a checkout, as somebody who may commit."""
    names = ("AUTHOR_NAME", "AUTHOR_EMAIL", "COMMITTER_NAME", "COMMITTER_EMAIL")
    who = {f"GIT_{name}": "test@example.com" for name in names}
    done = subprocess.run(
        ["git", "-C", str(folder), *words],
        env={**os.environ, **who, "GIT_CONFIG_GLOBAL": os.devnull},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, (words, done.stderr)
    return done.stdout.strip()


def commit(folder: Path, message: str = "change") -> str:
    """Commit all that is in a checkout, made a repo where it is none; the commit."""
    if not (folder / ".git").exists():
        git(folder, "init", "--quiet", "--initial-branch=main")
        for key in ("name", "email"):
            git(folder, "config", f"user.{key}", "test@example.com")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "-m", message)
    return git(folder, "rev-parse", "HEAD")


def a_project(folder: Path) -> Project:
    """A project in a folder that is the working directory."""
    (folder / "crds.yaml").write_text(yaml.safe_dump(STORE_CRD))
    (folder / "chart").mkdir()
    project = Project(folder)
    project.stack()
    return project
