"""Where the leak tests look: whatever a person, a log or another process might come across."""

from __future__ import annotations

import base64
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import yaml

from tests.e2e.fleet_lab import FleetLab
from tests.e2e.leaks import found_in, read

_OWN = {
    "etcd": "the API servers' storage: Secrets in clear, as in any cluster without encryption at rest",
    "openbao": "its storage, and the root token that the lab opens it with",
    "pki": "every key of the lab",
    "kubeconfig": "the person's own",
}
"""The only parts of the lab's folder that hold what the tests look for."""


def printed(lab: FleetLab, stacks: Sequence[str]) -> dict[str, str]:
    """What Pulumi tells of the stacks to anybody, by command."""
    commands = (
        ("pulumi", "stack", "export"),
        ("pulumi", "preview", "--diff"),
        ("pulumi", "stack", "output", "--json"),
    )
    return {
        f"{' '.join(command)} of {stack}": lab.run(*command, "--stack", stack).output
        for stack in stacks
        for command in commands
    }


def leaks_in_files(lab: FleetLab, secrets: Mapping[str, str]) -> list[str]:
    """What is found in the lab's files: Pulumi's state as it is on disk, all logs, each run's TMPDIR, and the rest.

    What goes again within seconds is none: Argo CD writes a kubeconfig for the time of a sync.
    """
    suspects = [path for path in _files(lab.home) if found_in(read(path), secrets)]
    if suspects:
        time.sleep(5)
    return [f"{name} in {path}" for path in suspects for name in found_in(read(path), secrets)]


def client_keys(lab: FleetLab, contexts: Sequence[str]) -> dict[str, str]:
    """The keys with which Pulumi logs in to these clusters, by a name to tell them by."""
    users = yaml.safe_load((lab.home / "kubeconfig").read_text())
    by_context = {one["name"]: one["context"]["user"] for one in users["contexts"]}
    by_user = {one["name"]: one["user"]["client-key-data"] for one in users["users"]}
    return {
        f"the key to {context}": base64.b64decode(by_user[by_context[context]]).decode()
        for context in contexts
    }


def _files(home: Path) -> Iterator[Path]:
    """Files of the lab, and those that its runs of Pulumi may have left in the TMPDIR of everybody."""
    logs = state = 0
    for path in home.rglob("*"):
        parts = path.relative_to(home).parts
        if parts[0] in _OWN or path.is_symlink() or not path.is_file():
            continue
        logs += parts[0] == "logs"
        state += parts[0] == "pulumi-state"
        yield path
    assert logs > 10, "the logs are really read"
    assert state, "the state is really read"
    for path in Path(tempfile.gettempdir()).glob("kubeconfig*"):
        if path.is_file() and path.owner() == home.owner():
            yield path
