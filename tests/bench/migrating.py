"""`python -m tests.bench.migrating`: `fleet migrate mono-to-multi` for 200 services of 10 teams, then `fleet lint`.

Prints one JSON object: seconds to split and prove, of which the second number is with everything built before; seconds
to lint all eleven repos. Each is a process of its own, with the lab's kustomize. Asserts nothing.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from lab.toolchain import ensure
from tests.bench.linting import SERVICES, config, repo, write

TEAMS = 10


def main() -> None:
    """Write a repo and its stack file, split it twice, and lint what came out."""
    toolbox = ensure(["kustomize"], console=Console(stderr=True))
    path = f"{Path(toolbox.bin('kustomize')).parent}:{os.environ['PATH']}"
    with tempfile.TemporaryDirectory(prefix="fleet-bench-") as folder:
        root = Path(folder)
        environ = {**os.environ, "PATH": path, "XDG_CACHE_HOME": str(root / "cache")}
        _stack(root, own=False)
        repo(root / "repo")
        for words in (
            ["init", "--quiet", "--initial-branch=main"],
            ["add", "--all"],
            ["-c", "user.name=x", "-c", "user.email=x@example.com", "commit", "-qm", "start"],
            ["config", "user.name", "x"],
            ["config", "user.email", "x@example.com"],
        ):
            subprocess.run(["git", "-C", root / "repo", *words], check=True)
        split = ["migrate", "mono-to-multi", "repo", "--into", "split", "--offline"]
        split += [f"--team=team-{index}={_url(index)}" for index in range(TEAMS)]
        first = _seconds(root, environ, *split)
        shutil.rmtree(root / "split")
        again = _seconds(root, environ, *split)
        _stack(root, own=True)
        teams = [f"--team=team-{index}=split/team-{index}-config" for index in range(TEAMS)]
        lint = _seconds(root, environ, "lint", "repo", *teams)
    result = {
        "split_s": round(first, 1),
        "split_again_s": round(again, 1),
        "lint_eleven_repos_s": round(lint, 1),
        "first_to_again": round(first / again, 1),
    }
    sys.stdout.write(json.dumps(result, indent=2) + "\n")


def _url(index: int) -> str:
    return f"https://git.example.com/team-{index}-config.git"


def _stack(root: Path, *, own: bool) -> None:
    teams: list[dict[str, Any]] = [
        {
            "name": f"team-{index}",
            "namespaces": [f"service-{number}" for number in range(index, SERVICES, TEAMS)],
            **({"repo": _url(index)} if own else {}),
        }
        for index in range(TEAMS)
    ]
    write(root / "stacks" / "Pulumi.all.yaml", {"config": {**config(), "fleet:teams": teams}})


def _seconds(root: Path, environ: dict[str, str], *words: str) -> float:
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "fleet", *words],
        cwd=root,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
