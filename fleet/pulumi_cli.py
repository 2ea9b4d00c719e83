"""The `pulumi` CLI, as `fleet recover` needs it. Nothing here imports Pulumi."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from fleet.pending import moment

_NOT_FOR_REFRESH = (
    # It would put objects that a refresh reads into another Vault namespace than their own.
    "TERRAFORM_VAULT_NAMESPACE_IMPORT",
    # It would have a cluster's objects forgotten for a credential that has ended.
    "PULUMI_K8S_DELETE_UNREACHABLE",
)


class PulumiError(Exception):
    """A `pulumi` command failed; the message is its own error, in one or a few lines."""


@dataclass(frozen=True)
class Lock:
    """A lock on the stack that some run of Pulumi holds, or held when it died."""

    user: str
    host: str
    pid: int
    since: datetime | None = None
    """When the run took it, which is at its start."""

    @property
    def ours(self) -> bool:
        """Whether it was taken on this machine, so that its process can be looked up."""
        return self.host == socket.gethostname()

    @property
    def alive(self) -> bool:
        """Whether its process still runs; of another machine's we can't know, and say no."""
        if not self.ours:
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        # The pid may belong to another program by now.
        command = Path(f"/proc/{self.pid}/comm")
        return not command.exists() or "pulumi" in command.read_text()


class PulumiStack:
    """One stack of the project in `folder`, through the CLI on PATH; `stack` may be qualified as Pulumi has it."""

    def __init__(self, stack: str, folder: Path | None = None) -> None:
        self.stack = stack
        self.folder = folder or Path.cwd()
        if not (self.folder / "Pulumi.yaml").exists():
            raise PulumiError(f"no Pulumi.yaml in {self.folder}; run this in the project's folder")
        found = shutil.which("pulumi")
        if not found:
            raise PulumiError("no pulumi on PATH; for the lab: fleet lab run -- fleet recover")
        self._pulumi = found

    @property
    def name(self) -> str:
        """The stack's own name, as its file and its locks have it."""
        return self.stack.rpartition("/")[2]

    def export(self) -> dict[str, Any]:
        """The stack's state, secrets encrypted. Raises PulumiError."""
        state: dict[str, Any] = json.loads(self._run("stack", "export"))
        return state

    def replace(self, state: dict[str, Any]) -> None:
        """Put an edited state in place of the stack's. Raises PulumiError."""
        # By a pipe, so that no copy of the state is left in a file.
        self._run("stack", "import", text=json.dumps(state))

    def cancel(self) -> None:
        """Take the stack's locks away. Raises PulumiError."""
        self._run("cancel", "--yes")

    def refresh(self, targets: Sequence[str] = ()) -> int:
        """`pulumi refresh` of these URNs, its output going straight to the user; the exit code.

        By the credentials that the state has of the clusters, and may have ended. Without targets all is refreshed, by
        those of today: for that the program must run, and it can't for some of its objects alone (3.259: `unknown
        resource`, of a component that the plugin makes).
        """
        chosen = [word for urn in targets for word in ("--target", urn)] or ["--run-program"]
        command = [
            self._pulumi,
            "refresh",
            "--yes",
            "--skip-preview",
            "--non-interactive",
            "--stack",
            self.stack,
        ]
        with (
            _environment() as env,
            subprocess.Popen([*command, *chosen], cwd=self.folder, env=env) as process,
        ):
            return _wait(process)

    def locks(self) -> list[Lock]:
        """The locks on the stack, where the backend is a folder; other backends keep none that outlive a run's lease.

        Raises PulumiError.
        """
        backend = urlsplit(json.loads(self._run("whoami", "--json", stack=False)).get("url", ""))
        if backend.scheme != "file":
            return []
        folder = Path(unquote(backend.path)).expanduser() / ".pulumi" / "locks"
        # organization/<project>/<stack>, or just <stack> in backends from before projects had folders
        files = [
            path
            for path in folder.rglob("*.json")
            if path.parent.name == self.name and self._ours(path, folder)
        ]
        return [_lock(path) for path in sorted(files)]

    def _ours(self, path: Path, folder: Path) -> bool:
        parts = path.relative_to(folder).parts
        return len(parts) < 4 or parts[-3] == self._project()

    def _project(self) -> str:
        for line in (self.folder / "Pulumi.yaml").read_text().splitlines():
            if line.startswith("name:"):
                return line.removeprefix("name:").strip().strip("\"'")
        return ""

    def _run(self, *words: str, text: str | None = None, stack: bool = True) -> str:
        command = [
            self._pulumi,
            *words,
            "--non-interactive",
            *(["--stack", self.stack] if stack else []),
        ]
        with _environment() as env:
            done = subprocess.run(
                command,
                cwd=self.folder,
                env=env,
                input=text,
                capture_output=True,
                text=True,
                check=False,
            )
        if done.returncode:
            said = (done.stderr.strip() or done.stdout.strip()).removeprefix("error: ")
            raise PulumiError(f"pulumi {' '.join(words)}: {said or f'exit code {done.returncode}'}")
        return done.stdout


@contextmanager
def _environment() -> Iterator[dict[str, str]]:
    """The environment of one run, with a TMPDIR of its own: its plugins leave kubeconfigs there, and never remove them.

    Only this user may look into it, and it goes with the run, however that ended.
    """
    kept = {key: value for key, value in os.environ.items() if key not in _NOT_FOR_REFRESH}
    # An orphan of the run could still write while it is removed; that is no reason to fail.
    with tempfile.TemporaryDirectory(prefix="fleet-pulumi-", ignore_cleanup_errors=True) as folder:
        yield {**kept, "PULUMI_SKIP_UPDATE_CHECK": "true", "TMPDIR": folder}


def _wait(process: subprocess.Popen[bytes]) -> int:
    """The exit code of a run, Ctrl-C or not: the CLI gets it as well, and ends its plugins before itself.

    `subprocess.run` would kill it after a quarter of a second, and make orphans of them.
    """
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue


def _lock(path: Path) -> Lock:
    try:
        content = json.loads(path.read_text())
    except (OSError, json.JSONDecodeError):
        content = {}
    return Lock(
        str(content.get("username", "?")),
        str(content.get("hostname", "?")),
        int(content.get("pid", 0)),
        moment(content.get("timestamp")),
    )
