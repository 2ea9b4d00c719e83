"""Pulumi's own plugins: found on PATH or among the installed ones, else downloaded from Pulumi's servers."""

from __future__ import annotations

import datetime
import os
import shutil
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

from lab.toolchain.cache import Cache

STAND_INS = Path(__file__).resolve().parents[1] / "plugins" / "bin"
"""The executables of the lab's own plugins."""
_DOWNLOAD_SECONDS = 20


def wanted(name: str) -> str:
    """The version of the installed SDK: the CLI asks for the plugin of the same."""
    return version(f"pulumi-{name}")


def entry(name: str) -> str:
    """The name of a plugin's folder among the installed ones."""
    return f"resource-{name}-v{wanted(name)}"


def on_path(name: str) -> Path | None:
    """The executable that the CLI finds on PATH, and takes before any other."""
    found = shutil.which(f"pulumi-resource-{name}")
    return Path(found) if found else None


def installed(name: str, cache: Cache) -> Path | None:
    """The folder of a plugin that is there whole: the person's own, else the cache's."""
    mine = Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi")
    for home in (mine, cache.root / "pulumi-home"):
        folder = home / "plugins" / entry(name)
        executable = folder / f"pulumi-resource-{name}"
        partial = folder.with_name(f"{folder.name}.partial")
        if executable.exists() and not partial.exists() and not _is_ours(executable, cache):
            return folder.resolve()
    return None


def download(names: Sequence[str], pulumi: Path, cache: Cache) -> None:
    """Ask Pulumi's servers for those that aren't at hand, all at once; where they refuse, not again that day."""
    missing = [name for name in names if not on_path(name) and not installed(name, cache)]
    todo = [name for name in missing if not _refused(name, cache)]
    if not todo:
        return
    own_home = cache.root / "pulumi-home"
    prepare(own_home)
    env = {**os.environ, "PULUMI_HOME": str(own_home), "PULUMI_SKIP_UPDATE_CHECK": "true"}

    def install(name: str) -> bool:
        command = [str(pulumi), "plugin", "install", "resource", name, f"v{wanted(name)}"]
        try:
            done = subprocess.run(
                [*command, "--non-interactive"],
                env=env,
                capture_output=True,
                timeout=_DOWNLOAD_SECONDS,
            )
        except (OSError, subprocess.TimeoutExpired):
            return False
        return done.returncode == 0

    with ThreadPoolExecutor() as pool:
        for name, done in zip(todo, pool.map(install, todo), strict=True):
            if not done:
                _refusal(name, cache).write_text(_request(name))


def prepare(pulumi_home: Path) -> None:
    """Make a ``PULUMI_HOME`` with a folder for plugins that keeps no log.

    The CLI writes every property into an automatic log, and knows no switch against it: it takes
    minutes and may hold secrets. Where ``logs`` is no folder, it goes without.
    """
    pulumi_home.mkdir(mode=0o700, parents=True, exist_ok=True)
    (pulumi_home / "plugins").mkdir(exist_ok=True)
    logs = pulumi_home / "logs"
    if logs.is_dir():
        shutil.rmtree(logs)
    logs.touch()


def _is_ours(executable: Path, cache: Cache) -> bool:
    """Whether it is one that the lab placed: in a lab's shell, those stand among the person's."""
    real = executable.resolve()
    return real.parent == STAND_INS or real.is_relative_to((cache.root / "tools").resolve())


def _request(name: str) -> str:
    return f"{datetime.date.today().isoformat()} {wanted(name)}"


def _refusal(name: str, cache: Cache) -> Path:
    return cache.root / f"pulumi-plugin-{name}-refused"


def _refused(name: str, cache: Cache) -> bool:
    try:
        return _refusal(name, cache).read_text() == _request(name)
    except OSError:
        return False
