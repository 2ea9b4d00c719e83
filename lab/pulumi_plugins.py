"""Which Pulumi plugins run: the official ones wherever they can be had, else what the lab has in their place.

For Kubernetes that is the official plugin's own code, built by the toolchain; for Vault a stand-in of the lab's.
"""

from __future__ import annotations

import datetime
import json
import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from lab.context import CHECKOUT
from lab.home import LabHome, write_private
from lab.plugin_version import said_version
from lab.toolchain import Toolbox
from lab.toolchain.cache import Cache

NAMES = ("kubernetes", "vault")
OWN = CHECKOUT / "lab" / "plugins" / "bin"
"""The executables of the lab's own plugins."""
BUILT = "kubernetes"
"""The one that the toolchain builds."""
_DOWNLOAD_SECONDS = 20


@dataclass(frozen=True)
class Plugin:
    """One plugin that a deployment uses."""

    name: str
    version: str
    """What it says of itself, which may not be what the SDK asks for."""
    origin: str
    """``official``: found or downloaded; ``built``: official code, built here; ``lab``: the lab's stand-in."""


def choose(
    home: LabHome, toolbox: Toolbox, *, cache: Cache | None = None, download: bool = True
) -> list[Plugin]:
    """Decide for each plugin, and record it for the environment.

    Official ones are looked for on PATH, in the person's ``PULUMI_HOME`` and in the lab's cache,
    then asked for from Pulumi's servers, where a refusal is remembered for the day.
    """
    cache = cache or Cache.default()
    _prepare(home.pulumi_home)
    missing = [name for name in NAMES if not _on_path(name) and not _installed(name, cache)]
    if missing and download:
        _download(toolbox, cache, missing)
    chosen = [_place(name, home.pulumi_home / "plugins", toolbox, cache) for name in NAMES]
    write_private(home.plugins, json.dumps([asdict(plugin) for plugin in chosen]))
    return chosen


def chosen(home: LabHome) -> list[Plugin]:
    """What the last start decided; nothing before the first."""
    try:
        return [Plugin(**entry) for entry in json.loads(home.plugins.read_text())]
    except FileNotFoundError:
        return []


def _place(name: str, plugins: Path, toolbox: Toolbox, cache: Cache) -> Plugin:
    """Put a plugin where the CLI looks for installed ones; one on PATH it finds by itself."""
    entry = plugins / _entry(name)
    if entry.is_symlink():
        entry.unlink()
    elif entry.exists():
        shutil.rmtree(entry)
    if found := _on_path(name):
        return Plugin(name, said_version(found), "official")
    if installed := _installed(name, cache):
        entry.symlink_to(installed)
        return Plugin(name, _wanted(name), "official")
    executable = f"pulumi-resource-{name}"
    entry.mkdir(parents=True)
    if name == BUILT:
        (entry / executable).symlink_to(toolbox.bin(executable))
        return Plugin(name, toolbox.tools[executable].version, "built")
    (entry / executable).symlink_to(OWN / executable)
    return Plugin(name, _wanted(name), "lab")


def _wanted(name: str) -> str:
    """The version of the installed SDK: the CLI asks for the plugin of the same."""
    return version(f"pulumi-{name}")


def _entry(name: str) -> str:
    """The name of a plugin's folder among the installed ones."""
    return f"resource-{name}-v{_wanted(name)}"


def _on_path(name: str) -> Path | None:
    found = shutil.which(f"pulumi-resource-{name}")
    return Path(found) if found else None


def _installed(name: str, cache: Cache) -> Path | None:
    """The folder of an official plugin that is there whole: the person's own, else the cache's."""
    mine = Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi")
    for home in (mine, cache.root / "pulumi-home"):
        entry = home / "plugins" / _entry(name)
        executable = entry / f"pulumi-resource-{name}"
        partial = entry.with_name(f"{entry.name}.partial")
        if executable.exists() and not partial.exists() and not _is_ours(executable, cache):
            return entry.resolve()
    return None


def _is_ours(executable: Path, cache: Cache) -> bool:
    """Whether it is one that the lab placed: in a lab's shell, those stand among the person's."""
    real = executable.resolve()
    return real.parent == OWN or real.is_relative_to((cache.root / "tools").resolve())


def _prepare(pulumi_home: Path) -> None:
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


def _download(toolbox: Toolbox, cache: Cache, names: list[str]) -> None:
    """Ask Pulumi's servers, all at once; at most once a day where they can't be reached."""
    refusals = cache.root / "pulumi-plugins-refused.json"
    today = datetime.date.today().isoformat()
    asked = f"{today} {' '.join(f'{name}-{_wanted(name)}' for name in names)}"
    try:
        if json.loads(refusals.read_text()) == asked:
            return
    except (OSError, ValueError):
        pass
    own_home = cache.root / "pulumi-home"
    _prepare(own_home)
    env = {**os.environ, "PULUMI_HOME": str(own_home), "PULUMI_SKIP_UPDATE_CHECK": "true"}

    def install(name: str) -> bool:
        command = [str(toolbox.bin("pulumi")), "plugin", "install", "resource", name]
        try:
            done = subprocess.run(
                [*command, f"v{_wanted(name)}", "--non-interactive"],
                env=env,
                capture_output=True,
                timeout=_DOWNLOAD_SECONDS,
            )
        except subprocess.TimeoutExpired:
            return False
        return done.returncode == 0

    with ThreadPoolExecutor() as pool:
        if not all(pool.map(install, names)):
            write_private(refusals, json.dumps(asked))
