"""A gitops-config repo on a real Gitea, and a hub that runs what a test says: for promotions and rollbacks."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import Result

from gitops.releases import overlay
from live import versions
from live.versions import Running
from tests.real.gitea_server import GiteaServer
from tests.real.scaffold_project import Project

SERVICE = "payment-service"
IMAGE = "registry.example.com/payment-service"
OLD, NEW = f"{IMAGE}:v2.3.0", f"{IMAGE}:v2.3.1-rc.1"
PLACES = {"prod-1": "production", "staging": "staging"}


@dataclass
class Release:
    """The project whose stack file names the repo, a person's checkout of it, and what the hub says."""

    project: Project
    gitea: GiteaServer
    repo: str
    people: dict[str, str]
    checkout: Path
    hub: dict[str, object] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"{self.gitea.url}/{self.repo}.git"

    def fleet(self, *words: str) -> Result:
        return self.project.run(*words)

    def promote(self, *more: str) -> Result:
        return self.fleet("promote", SERVICE, "--from", "staging", "--to", "production", *more)

    def git(self, *words: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(self.checkout), *words], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, (words, done.stderr)
        return done.stdout.strip()

    def push(self, message: str, *words: str) -> str:
        self.git("commit", "--quiet", "-am", message)
        self.git("push", "--quiet", *words, "origin", "HEAD:main")
        return self.git("rev-parse", "HEAD")

    def pull(self) -> None:
        self.git("fetch", "--quiet", "origin")
        self.git("reset", "--quiet", "--hard", "origin/main")

    def overlay(self, environment: str, service: str = SERVICE) -> Path:
        return self.checkout / f"apps/{service}/overlays/{environment}/kustomization.yaml"

    def image(self, environment: str) -> str:
        """What main has, by the forge."""
        self.pull()
        return str(overlay.images(self.checkout, f"apps/{SERVICE}/overlays/{environment}")[0])

    def pulls(self, state: str = "all") -> list[dict[str, object]]:
        found = self.gitea.ask("GET", f"/repos/{self.repo}/pulls?state={state}&limit=50")
        return sorted(found, key=lambda one: one["number"])

    def statuses(self, commit: str) -> dict[str, str]:
        found = self.gitea.ask("GET", f"/repos/{self.repo}/commits/{commit}/status")
        return {one["context"]: one["status"] for one in found["statuses"] or []}

    def running(self) -> list[Running]:
        """As an Argo CD that has done its work, but for what the test says in `hub`."""
        self.pull()
        head = self.git("rev-parse", "HEAD")
        found = []
        for cluster, environment in PLACES.items():
            for folder in sorted((self.checkout / "apps").iterdir()):
                path = f"apps/{folder.name}/overlays/{environment}"
                if not overlay.exists(self.checkout, path):
                    continue
                one = Running(
                    name=f"{cluster}-{folder.name}",
                    cluster=cluster,
                    environment=environment,
                    repo=self.url,
                    path=path,
                    sync="Synced",
                    health="Healthy",
                    revision=head,
                    images=tuple(map(str, overlay.images(self.checkout, path))),
                    deployed=datetime.now(UTC) - timedelta(minutes=10),
                )
                if folder.name == SERVICE and environment == "staging":
                    one = replace(one, **self.hub)
                found.append(one)
        return found


@pytest.fixture
def release(
    gitea: GiteaServer,
    gitops_project: Project,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    people: dict[str, str],
) -> Release:
    repo = gitea.make_repo("anna", "ci", "bert")
    checkout = tmp_path / "checkout"
    made = Release(gitops_project, gitea, repo, people, checkout)
    gitops_project.stack(gitops={"repo": made.url, "forge": "gitea"})
    gitops_project.ok("scaffold", str(checkout))
    subprocess.run(["git", "init", "--quiet", "-b", "main", str(checkout)], check=True)
    tags = ("--tag=production=v2.3.0", "--tag=staging=v2.3.0")
    for service in (SERVICE, "auth-service"):
        gitops_project.ok("scaffold", "service", service, f"--in={checkout}", "--yes", *tags)
    url = made.url.replace("://", f"://anna:{people['anna']}@")
    for key, value in (("user.name", "Anna"), ("user.email", "anna@lab.invalid")):
        made.git("config", key, value)
    made.git("remote", "add", "origin", url)
    made.git("add", "--all")
    made.push("Start", "--force")
    monkeypatch.setenv("FLEET_FORGE_TOKEN", people["ci"])
    monkeypatch.setenv("FLEET_ACTOR", "ci")
    monkeypatch.setattr(
        versions,
        "read",
        lambda api, namespace, environment="": [
            one for one in made.running() if environment in ("", one.environment)
        ],
    )
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(_kubeconfig("hub", *PLACES)))
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    monkeypatch.setattr(
        versions, "pods", lambda api, namespace: [("one", made.image("production"), "")] * 3
    )
    return made


def _kubeconfig(*names: str) -> dict[str, Any]:
    return {
        "contexts": [{"name": one, "context": {"cluster": one, "user": "u"}} for one in names],
        "clusters": [{"name": one, "cluster": {"server": f"https://{one}"}} for one in names],
        "users": [{"name": "u", "user": {"token": "t"}}],
    }


@pytest.fixture(scope="session")
def people(gitea: GiteaServer) -> dict[str, str]:
    """Tokens: of anna, whose the repo is, of ci, by which Fleet works, and of bert, who approves."""
    return {name: gitea.make_user(name) for name in ("anna", "ci", "bert")}


@pytest.fixture
def built(release: Release) -> Release:
    """CI has built v2.3.1-rc.1 and brought it to staging, where it runs."""
    # As the scaffolded pipelines write it, so that no value is taken for an option.
    words = (f"--image={NEW}", "--to=staging", "--build=https://ci.example.com/1", "--", SERVICE)
    done = release.fleet("promote", *words)
    assert done.exit_code == 0, (done.output, done.stderr)
    assert "v2.3.0 → v2.3.1-rc.1, by commit" in done.output
    return release
