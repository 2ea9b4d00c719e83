"""What the e2e tests ask of the lab: run a command as a user would, look at a cluster, wait for something."""

from __future__ import annotations

import base64
import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from lab import deployment, environment, project, up, vault
from lab.home import LabHome
from lab.private_tmp import private_tmp
from lab.processes import Processes
from lab.report import Reporter
from lab.toolchain import ensure

REPO = Path(__file__).parents[2]
CRD, MARK = "clusterexternalsecrets.external-secrets.io", "fleet.test/release"
SPOKES = {"prod-us-east-1": "production", "prod-eu-west-1": "production", "staging": "staging"}
"""The spokes of the lab's stack file, and the environment of each."""


@dataclass(frozen=True)
class Result:
    """How a command ended and what it printed, both streams in one text."""

    code: int
    output: str


class FleetLab:
    """One running lab, whose own stack files the tests may change."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._home = LabHome(home).create()
        self._owner: int | None = None
        self._toolbox = ensure(console=Console(stderr=True))
        self.project = project.ensure(self._home)
        self.env = {
            **os.environ,
            "FLEET_LAB": str(home),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }

    @contextmanager
    def leading_elsewhere(self, folder: Path, changes: dict[str, str]) -> Iterator[None]:
        """Inside, these contexts lead to where another does, with its user: `{context: whose}`."""
        given = self.env["KUBECONFIG"]
        document = yaml.safe_load(Path(given).read_text())
        known = {one["name"]: one["context"] for one in document["contexts"]}
        for one in document["contexts"]:
            one["context"] = known[changes.get(one["name"], one["name"])]
        (folder / "kubeconfig").write_text(yaml.safe_dump(document))
        self.env["KUBECONFIG"] = str(folder / "kubeconfig")
        try:
            yield
        finally:
            self.env["KUBECONFIG"] = given

    def start(self, *, owner: int | None) -> None:
        """`fleet lab up`; from then on every command runs in the lab's environment, and the lab ends with `owner`.

        A lab that is kept between runs may be split already: then the single stack must not come back.
        """
        if not self._home.pulumi_state.joinpath(".pulumi/stacks/fleet/hub.json").exists():
            print(self.run("fleet", "lab", "up", cwd=REPO, timeout=900).output)
        self._owner = owner
        up.boot(self._home, self._toolbox, Reporter(), owner=owner)
        self.env.update(environment.variables(self._home, self._toolbox))

    def run_controllers(self) -> None:
        """Start what `pulumi up` has made room for, and what has died."""
        self.run("fleet", "lab", "up", "--no-deploy", cwd=REPO)
        up.boot(self._home, self._toolbox, Reporter(), owner=self._owner)  # whose end is the lab's

    def kill_part(self, name: str) -> None:
        """SIGKILL one process of the lab, and see it gone: else whoever starts it again would find it running."""
        processes = Processes(self._home)
        state = processes.state(name)
        assert state.pid, f"{name} does not run"
        os.kill(state.pid, signal.SIGKILL)
        wait_until(f"{name} is gone", lambda: not processes.is_running(name), timeout=20)

    def unseal(self) -> None:
        """Open OpenBao again."""
        vault.unseal(self._home)

    def run(
        self, *command: str, cwd: Path | None = None, check: bool = True, timeout: float = 300
    ) -> Result:
        """Run a command in the project's folder; with `check`, a failure fails the test with all that was printed."""
        with private_tmp(self._home) as tmp:
            done = subprocess.run(
                command,
                cwd=cwd or self.project,
                env={**self.env, "TMPDIR": str(tmp)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=timeout,
                check=False,
            )
        if check and done.returncode != 0:
            raise AssertionError(
                f"{shlex.join(command)} ended with {done.returncode}:\n{done.stdout}"
            )
        return Result(done.returncode, done.stdout)

    # Pulumi

    def up(self, stack: str = "lab", *, check: bool = True) -> Result:
        """`pulumi up` as the documentation has it."""
        return self.run(
            "pulumi", "up", "--stack", stack, "--yes", "--skip-preview", "--continue-on-error",
            "--non-interactive", check=check, timeout=600,
        )  # fmt: skip

    @contextmanager
    def up_begun(self, stack: str = "lab") -> Iterator[subprocess.Popen[bytes]]:
        """A `pulumi up` that is to be killed; waits for its end.

        As docs/recover.md has it, what its plugins leave in TMPDIR goes, although they may live on.
        """
        command = ["pulumi", "up", "--stack", stack, "--yes", "--skip-preview", "--non-interactive"]
        silent = subprocess.DEVNULL
        with (
            tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as tmp,
            subprocess.Popen(
                command,
                cwd=self.project,
                env={**self.env, "TMPDIR": tmp},
                stdin=silent,
                stdout=silent,
                stderr=silent,
            ) as process,
        ):
            yield process

    def failing_up(self, stack: str = "lab") -> Result:
        """`pulumi up` that fails for a resource, and so must delete nothing, whatever depends on that."""
        before = {one["urn"]: one.get("id") for one in self.state(stack)}
        result = self.up(stack, check=False)
        assert result.code != 0
        assert " deleted" not in result.output, result.output
        assert "Traceback" not in result.output, result.output
        after = {one["urn"]: one.get("id") for one in self.state(stack)}
        assert before.items() <= after.items(), "nothing is gone, nothing was made anew"
        return result

    def up_together(self, stacks: Sequence[str]) -> None:
        """`pulumi up` of several stacks at the same time; all must succeed."""
        with ThreadPoolExecutor(max_workers=len(stacks)) as pool:
            for done in [pool.submit(self.up, stack) for stack in stacks]:
                done.result()

    def ensure_stack(self, stack: str) -> None:
        """Make the stack where the backend doesn't have it yet, as `fleet lab up` does."""
        deployment.ensure_stack(self._home, self._toolbox, stack=stack)

    def nothing_to_change(self, stack: str = "lab") -> None:
        """`pulumi preview --expect-no-changes` passes."""
        self.run("pulumi", "preview", "--stack", stack, "--expect-no-changes", "--non-interactive")

    def state(self, stack: str = "lab") -> list[dict[str, Any]]:
        """The resources in Pulumi's state, in clear: what is encrypted looks different at every export.

        Without the stack itself, whose outputs Pulumi drops when a program fails.
        """
        command = ["pulumi", "stack", "export", "--show-secrets", "--stack", stack]
        exported = json.loads(self.run(*command).output)
        resources = exported["deployment"].get("resources", [])
        return [one for one in resources if one["type"] != "pulumi:pulumi:Stack"]

    def still_there(self, cluster: str, state: list[dict[str, Any]]) -> list[str]:
        """What of all that a state has on `cluster` exists: what Pulumi would meet if it were to make it again."""
        made: dict[str, set[tuple[str, str]]] = {}
        for one in state:
            inputs = one.get("inputs", {})
            if f"::{cluster}::" in one.get("provider", "") and "metadata" in inputs:
                group, _, version = inputs["apiVersion"].rpartition("/")
                kind = f"{inputs['kind']}.{version}.{group}" if group else inputs["kind"]
                metadata = inputs["metadata"]
                made.setdefault(kind, set()).add((metadata.get("namespace", ""), metadata["name"]))
        assert len(made) > 3, f"the state has something on {cluster}"
        return [
            f"{kind} {'/'.join(filter(None, place))}"
            for kind, places in made.items()
            for place in places & self._all(cluster, kind)
        ]

    def _all(self, cluster: str, kind: str) -> set[tuple[str, str]]:
        """Namespace ("" where it has none) and name of every object of this kind."""
        found = self.get(cluster, kind, "-A") or {"items": []}
        metadata = [one["metadata"] for one in found["items"]]
        return {(one.get("namespace", ""), one["name"]) for one in metadata}

    def state_file(self, stack: str = "lab") -> Path:
        """Where the backend keeps the state: to be read while a run is on, or changed as no command would."""
        return self.home / "pulumi-state/.pulumi/stacks/fleet" / f"{stack}.json"

    def end_credential(self, cluster: str) -> None:
        """As if the token by which Pulumi last talked to the cluster had ended since."""
        kubeconfig = yaml.safe_load((self.home / "kubeconfig").read_text())
        kubeconfig["current-context"] = cluster
        for one in kubeconfig["users"]:
            one["user"] = {"token": "ended"}
        state = json.loads(self.state_file().read_text())
        (provider,) = [
            one
            for one in state["checkpoint"]["latest"]["resources"]
            if one["type"] == "pulumi:providers:kubernetes" and one["urn"].endswith(f"::{cluster}")
        ]
        for kept in (provider["inputs"], provider["outputs"]):
            kept["kubeconfig"] = yaml.safe_dump(kubeconfig)
        self.state_file().write_text(json.dumps(state))

    # The stack file

    def stack_file(self, stack: str = "lab") -> Path:
        return self.project / "stacks" / f"Pulumi.{stack}.yaml"

    def edit(self, change: Callable[[dict[str, Any]], None], stack: str = "lab") -> None:
        """Change the `config:` of a stack file."""
        file = self.stack_file(stack)
        document = yaml.safe_load(file.read_text())
        change(document["config"])
        file.write_text(yaml.safe_dump(document, sort_keys=False))

    def restore_stack_file(self, stack: str = "lab") -> None:
        """The stack file as its example is, with the salt that Pulumi has put into the lab's."""
        project.write(self._home, stack, project.example(stack))

    def allow_deletion(self, *spokes: str, stack: str = "lab") -> None:
        """Say in the stack file that the spokes may lose their Applications, and are not protected."""
        self.edit(lambda config: config.update({"fleet:allowDeletion": [*spokes]}), stack)

    @contextmanager
    def changed_crds(self, mark: str) -> Iterator[None]:
        """As if there were a new release of External Secrets: one of its CRDs has an annotation more."""
        variable = "FLEET_EXTERNAL_SECRETS_CRDS"
        released = self.env[variable]
        file = self.home / f"crds-{mark}.yaml"
        crds = list(yaml.load_all(Path(released).read_text(), Loader=yaml.CSafeLoader))
        for crd in crds:
            if crd["metadata"]["name"] == CRD:
                crd["metadata"]["annotations"][MARK] = mark
        file.write_text(yaml.dump_all(crds, Dumper=yaml.CSafeDumper))
        self.env[variable] = str(file)
        try:
            yield
        finally:
            self.env[variable] = released
            file.unlink()

    def crd_mark(self, context: str) -> str:
        """What `changed_crds` has left on a cluster, if it was applied there."""
        return str(self.get(context, "crd", CRD)["metadata"].get("annotations", {}).get(MARK, ""))

    # Clusters, Vault, git

    def get(self, context: str, *what: str) -> Any:
        """`kubectl get … -o json`, None where there is no such object."""
        result = self.run("kubectl", "--context", context, "get", *what, "-o", "json", check=False)
        if result.code:
            assert "NotFound" in result.output or "not found" in result.output, result.output
            return None
        return json.loads(result.output)

    def kubectl(self, context: str, *command: str) -> str:
        return self.run("kubectl", "--context", context, *command).output

    def applications(self) -> dict[str, dict[str, Any]]:
        """Every Application on the hub, by name."""
        found = self.get("hub", "applications.argoproj.io", "-n", "argocd")
        return {one["metadata"]["name"]: one for one in found["items"]}

    def secret(self, context: str, namespace: str, name: str) -> dict[str, str]:
        """A Secret's data, decoded; empty where there is none."""
        found = self.get(context, "secret", "-n", namespace, name) or {}
        return {
            key: base64.b64decode(value).decode() for key, value in found.get("data", {}).items()
        }

    def image(self, context: str, namespace: str, deployment: str) -> str:
        """The image of a Deployment's first container, empty where there is no such Deployment."""
        found = self.get(context, "deployment", "-n", namespace, deployment)
        return str(found["spec"]["template"]["spec"]["containers"][0]["image"]) if found else ""

    def bao(self, *command: str, namespace: str = "", check: bool = True) -> Result:
        """The `bao` command, in a Vault namespace."""
        self.env["BAO_NAMESPACE"] = self.env["VAULT_NAMESPACE"] = namespace
        try:
            return self.run("bao", *command, check=check)
        finally:
            del self.env["BAO_NAMESPACE"], self.env["VAULT_NAMESPACE"]

    def written(self, environment: str) -> dict[str, str]:
        """The credentials of payment-service's database as they are in Vault."""
        command = ["kv", "get", "-format=json", "-mount=secret", "payment-service/db"]
        return dict(json.loads(self.bao(*command, namespace=environment).output)["data"]["data"])

    def git(self, *command: str) -> str:
        """git in the person's clone of the gitops-config repo."""
        return self.run("git", *command, cwd=self.home / "gitops-config").output


def is_fine(application: dict[str, Any]) -> bool:
    """Synced, to a revision, and Healthy."""
    status = application.get("status", {})
    sync = status.get("sync", {})
    return (
        sync.get("status") == "Synced"
        and bool(sync.get("revision"))
        and status.get("health", {}).get("status") == "Healthy"
    )


def wait_until(what: str, is_so: Callable[[], bool], timeout: float = 90) -> float:
    """Wait for something and return the seconds it took; after `timeout` seconds the test fails, saying `what`."""
    started = time.monotonic()
    while not is_so():
        assert time.monotonic() - started < timeout, f"not within {timeout:.0f} s: {what}"
        time.sleep(0.5)
    return time.monotonic() - started
