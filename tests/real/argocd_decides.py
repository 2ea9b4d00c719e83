"""Argo CD's own answer to what an AppProject lets through: a small program around its code, of the lab's version."""

from __future__ import annotations

import hashlib
import json
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.toolchain import at_hand
from lab.toolchain.cache import Cache
from lab.toolchain.catalogue import GO
from lab.toolchain.sources import WRAPPERS, go_environment
from stacks.model.spoke import IN_CLUSTER_SERVER

SOURCE = Path(__file__).parent / "may_deploy" / "main.go"
MODULE = WRAPPERS / "argocd"
SPOKE = "https://prod-1.example.com"
HUB = IN_CLUSTER_SERVER


@dataclass(frozen=True)
class Object:
    """What is to be deployed: `namespace` is empty for what is cluster-wide, `name` counts there only."""

    kind: str
    namespace: str = ""
    group: str = ""
    name: str = "some"
    server: str = SPOKE
    repo: str = "https://git.example.com/gitops-config.git"


def program() -> Path:
    """The program, built where the tools are, once for each version of it and of Argo CD."""
    cache = Cache.default()
    made_of = [SOURCE, MODULE / "go.mod", MODULE / "go.sum"]
    digest = hashlib.sha256(b"".join(one.read_bytes() for one in made_of)).hexdigest()[:16]
    built = cache.root / "tests" / f"may-deploy-{digest}"
    if not built.exists():
        go = at_hand(GO, cache)
        assert go, "`python -m lab.toolchain` brings Go, with the tools"
        built.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=built.parent) as folder:
            new, overlay = Path(folder, "new"), Path(folder, "overlay.json")
            # In the module that pins Argo CD, without a file of tests among the lab's.
            inside = MODULE / SOURCE.parent.name / SOURCE.name
            overlay.write_text(json.dumps({"Replace": {str(inside): str(SOURCE)}}))
            subprocess.run(
                [
                    *(go.folder / "go", "build", "-trimpath", "-buildvcs=false"),
                    *(
                        "-ldflags",
                        "-s -w",
                        "-overlay",
                        overlay,
                        "-o",
                        new,
                        f"./{inside.parent.name}",
                    ),
                ],
                cwd=MODULE,
                env=go_environment(),
                check=True,
            )
            new.replace(built)
    return built


def may_deploy(spec: dict[str, Any], wanted: Sequence[Object]) -> list[bool]:
    """Which of these objects Argo CD lets through by an AppProject of this spec; a spec it refuses fails the test."""
    project = {"metadata": {"name": "asked"}, "spec": spec}
    asked = [
        {
            "project": project,
            "repo": one.repo,
            "server": one.server,
            "name": "cluster",
            "namespace": one.namespace,
            "group": one.group,
            "kind": one.kind,
            "object": one.name,
        }
        for one in wanted
    ]
    done = subprocess.run(
        [program()], input=json.dumps(asked), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    answers: list[bool] = json.loads(done.stdout)
    return answers
