"""Which Pulumi plugins run: the official ones wherever they can be had, else the lab's own."""

from __future__ import annotations

import datetime
import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from lab.context import CHECKOUT
from lab.errors import LabError
from lab.home import LabHome, write_private
from lab.toolchain import Toolbox
from lab.toolchain.cache import Cache

NAMES = ("kubernetes", "vault")
OWN = CHECKOUT / "lab" / "plugins" / "bin"
"""The executables of the lab's own plugins."""
_DOWNLOAD_SECONDS = 20


@dataclass(frozen=True)
class Plugin:
    """One plugin that a deployment uses."""

    name: str
    version: str
    origin: str
    """``official`` or ``lab``."""


def choose(
    home: LabHome, toolbox: Toolbox, *, cache: Cache | None = None, download: bool = True
) -> list[Plugin]:
    """Decide for each plugin, and record it for the environment.

    Official ones are looked for on PATH, in the person's ``PULUMI_HOME`` and in the lab's cache,
    then asked for from Pulumi's servers, where a refusal is remembered for the day. Raises
    :class:`LabError` where neither kind can be had.
    """
    cache = cache or Cache.default()
    folder = _shared_folder(cache, os.environ)
    _prepare(home.pulumi_home)
    missing = [name for name in NAMES if not _is_official(name, folder)]
    if missing and download:
        _download(toolbox, cache, folder, missing)
    chosen = []
    for name in NAMES:
        official = _is_official(name, folder)
        if not official and not (OWN / f"pulumi-resource-{name}").exists():
            raise LabError(
                f"the Pulumi plugin '{name}' is not on PATH and can't be downloaded, and the "
                f"lab's own is missing in {OWN}"
            )
        chosen.append(Plugin(name, _wanted(name), "official" if official else "lab"))
        _place(chosen[-1], home.pulumi_home / "plugins", folder)
    write_private(home.plugins, json.dumps([asdict(plugin) for plugin in chosen]))
    return chosen


def chosen(home: LabHome) -> list[Plugin]:
    """What the last start decided; the lab's own before the first."""
    try:
        return [Plugin(**entry) for entry in json.loads(home.plugins.read_text())]
    except FileNotFoundError:
        return [Plugin(name, _wanted(name), "lab") for name in NAMES]


def _wanted(name: str) -> str:
    """The version of the installed SDK: the CLI asks for the plugin of the same."""
    return version(f"pulumi-{name}")


def _shared_folder(cache: Cache, environ: Mapping[str, str]) -> Path:
    """A folder of plugins for all labs: the person's own if it has what we need."""
    mine = Path(environ.get("PULUMI_HOME") or Path.home() / ".pulumi") / "plugins"
    return (
        mine
        if all(_installed(name, mine) for name in NAMES)
        else cache.root / "pulumi-home" / "plugins"
    )


def _place(plugin: Plugin, plugins: Path, folder: Path) -> None:
    """Put a plugin where the CLI looks for installed ones; one on PATH it finds by itself."""
    entry = _entry(plugin.name, plugins)
    if entry.is_symlink():
        entry.unlink()
    elif entry.exists():
        shutil.rmtree(entry)
    if plugin.origin == "lab":
        entry.mkdir(parents=True)
        executable = f"pulumi-resource-{plugin.name}"
        (entry / executable).symlink_to(OWN / executable)
    elif _installed(plugin.name, folder):
        entry.symlink_to(_entry(plugin.name, folder))


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


def _is_official(name: str, folder: Path) -> bool:
    return bool(shutil.which(f"pulumi-resource-{name}")) or _installed(name, folder)


def _entry(name: str, folder: Path) -> Path:
    return folder / f"resource-{name}-v{_wanted(name)}"


def _installed(name: str, folder: Path) -> bool:
    """Whether the official plugin is there whole; in a lab's shell the lab's own stand in its place."""
    entry = _entry(name, folder)
    executable = entry / f"pulumi-resource-{name}"
    partial = entry.with_name(f"{entry.name}.partial")
    return executable.exists() and executable.resolve().parent != OWN and not partial.exists()


def _download(toolbox: Toolbox, cache: Cache, folder: Path, names: list[str]) -> None:
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
