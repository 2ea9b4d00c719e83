"""What a release works with: the repos' clones, their forges, and the hub; each opened once, when it is needed."""

from __future__ import annotations

import getpass
import os
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from fleet.releases.where import Place, ReleaseError, Repo, Shelf, place, shelves
from forges import connect
from forges.forge import Forge, ForgeError
from gitops import git
from gitops.releases import clone
from gitops.releases.clone import Clone
from gitops.releases.trailers import one_line
from live import versions
from live.cluster_api import PATIENCE, ClusterAPI
from live.versions import Running
from stacks.loading.kubeconfig import Kubeconfig
from stacks.model.fleet import Fleet

_ACTORS = ("FLEET_ACTOR", "GITHUB_ACTOR", "GITLAB_USER_LOGIN", "GITEA_ACTOR")


class Desk:
    """A context manager: what was opened goes with it."""

    def __init__(self, stacks: Mapping[str, Fleet]) -> None:
        """Raises ReleaseError where the stack files leave open which branch is followed."""
        self.stacks = stacks
        self.shelves: list[Shelf] = shelves(stacks)
        self._clones: dict[tuple[str, str], Clone] = {}
        self._forges: dict[str, Forge] = {}
        self._running: dict[str, list[Running]] = {}
        self._open = ExitStack()

    def __enter__(self) -> Desk:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.__exit__(kind, error, trace)

    def place(self, service: str, environment: str) -> Place:
        """Where a service is in an environment. Raises ReleaseError."""
        return place(self.shelves, service, environment)

    def clone(self, repo: Repo) -> Clone:
        """The repo's clone. Raises GitError."""
        key = (repo.url, repo.branch)
        if key not in self._clones:
            made = clone.cloned(repo.url, repo.branch, self._token(repo))
            self._clones[key] = self._open.enter_context(made)
        return self._clones[key]

    def forge(self, repo: Repo) -> Forge:
        """The repo's forge. Raises ForgeError: no such kind, no token."""
        if repo.url not in self._forges:
            kind = self._kind(repo)
            if not kind:
                raise ForgeError(
                    f"which forge {connect.web_url(repo.url)} is can't be told from its name: write `forge:` under "
                    "fleet:gitops, github, gitlab or gitea"
                )
            token = connect.token_of(kind, os.environ, repo.url)
            self._forges[repo.url] = connect.connect(kind, repo.url, "", token)
        return self._forges[repo.url]

    def running(self, environment: str = "") -> list[Running]:
        """The hub's Applications of an environment, or of all. Raises Unreachable, KubeconfigError."""
        if environment not in self._running:
            fleet = self.hub
            api = ClusterAPI(Kubeconfig.read(), fleet.hub.context, PATIENCE)
            self._running[environment] = versions.read(api, fleet.argocd.namespace, environment)
        return self._running[environment]

    @property
    def hub(self) -> Fleet:
        """A fleet of the hub that all these stacks share. Raises ReleaseError where they name several."""
        fleets = list(self.stacks.values())
        if len({one.hub.context for one in fleets}) > 1:
            raise ReleaseError("these stacks have several hubs; name those of one by --stack")
        return fleets[0]

    def protects(self, environment: str) -> bool:
        """Whether a stack file has this environment as a protected one."""
        return any(
            environment in one.protected_environments and environment in one.environments
            for one in self.stacks.values()
        )

    def _kind(self, repo: Repo) -> str:
        try:
            return repo.forge or connect.kind_of(repo.url) or ""
        except ForgeError:
            return ""

    def _token(self, repo: Repo) -> str:
        """The forge's token for git too, where there is one; git may have its own way in."""
        try:
            kind = self._kind(repo)
            return connect.token_of(kind, os.environ, repo.url) if kind else ""
        except ForgeError:
            return ""


def actor() -> str:
    """Who does this: as CI says, else as git's own settings have it."""
    for name in _ACTORS:
        if value := os.environ.get(name):
            return one_line(value)
    configured = git.run(Path.cwd(), "config", "--get", "user.name", check=False).decode().strip()
    return one_line(configured) or getpass.getuser()


def run_url() -> str:
    """The address of the CI run that this is, "" outside of one."""
    if url := os.environ.get("CI_PIPELINE_URL"):
        return url
    parts = [os.environ.get(f"GITHUB_{one}", "") for one in ("SERVER_URL", "REPOSITORY", "RUN_ID")]
    return f"{parts[0]}/{parts[1]}/actions/runs/{parts[2]}" if all(parts) else ""
