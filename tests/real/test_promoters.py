"""Ten at once on one branch: nothing is lost, whoever is faster."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
from pathlib import Path

import yaml

from fleet.lint import stack_fleets
from fleet.releases import promoting
from fleet.releases.desk import Desk
from gitops.releases.images import Image
from tests.real.scaffold_project import Project

PROMOTERS = 10
SERVICES = int(os.environ.get("SERVICES", "20"))


def _promote(services: list[str]) -> list[str]:
    stacks = stack_fleets(["all"])
    done = []
    for one in services:
        with Desk(stacks) as desk:
            image = Image(f"registry.example.com/{one}", "v2")
            done.append(promoting.direct(desk, one, image, "staging", promoting.Evidence()).done)
    return done


def test_ten_promoters_lose_nothing(gitops_project: Project, tmp_path: Path) -> None:
    bare, checkout = tmp_path / "forge.git", tmp_path / "checkout"
    names = [f"service-{number:03}" for number in range(SERVICES)]
    for name in names:
        folder = checkout / f"apps/{name}/overlays/staging"
        folder.mkdir(parents=True)
        entry = {"name": f"registry.example.com/{name}", "newTag": "v1"}
        (folder / "kustomization.yaml").write_text(yaml.safe_dump({"images": [entry]}))
    who = ("-c", "user.name=Anna", "-c", "user.email=anna@lab.invalid")
    for words in (
        ("init", "--quiet", "--bare", "-b", "main", str(bare)),
        ("init", "--quiet", "-b", "main", str(checkout)),
        ("-C", str(checkout), "add", "--all"),
        ("-C", str(checkout), *who, "commit", "--quiet", "-m", "Start"),
        ("-C", str(checkout), "push", "--quiet", str(bare), "main"),
    ):
        subprocess.run(["git", *words], check=True)
    gitops_project.stack(gitops={"repo": f"file://{bare}", "forge": "gitea"})
    with multiprocessing.get_context("fork").Pool(PROMOTERS) as pool:
        done = pool.map(_promote, [names[place::PROMOTERS] for place in range(PROMOTERS)])
    assert [one for its in done for one in its] == ["pushed"] * SERVICES

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", f"--git-dir={bare}", *words], check=True, capture_output=True, text=True
        ).stdout

    for name in names:
        assert "newTag: v2" in git("show", f"main:apps/{name}/overlays/staging/kustomization.yaml")
    assert int(git("rev-list", "--count", "main")) == SERVICES + 1
    assert git("rev-list", "--merges", "main") == ""
