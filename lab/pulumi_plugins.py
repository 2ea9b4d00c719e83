"""Which Pulumi plugins run: the official ones wherever they can be had, else what the lab has in their place.

For Kubernetes that is the official plugin's own code, built by the toolchain; for Vault a stand-in of the lab's.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from lab.home import LabHome, write_private
from lab.toolchain import Toolbox, official_plugins
from lab.toolchain.cache import Cache
from lab.toolchain.plugin_version import said_version

NAMES = ("kubernetes", "vault")


@dataclass(frozen=True)
class Plugin:
    """One plugin that a deployment uses."""

    name: str
    version: str
    """What it says of itself, which may not be what the SDK asks for."""
    origin: str
    """``official``: found or downloaded; ``built``: official code, built here; ``lab``: the lab's stand-in."""


def choose(home: LabHome, toolbox: Toolbox, *, cache: Cache | None = None) -> list[Plugin]:
    """Decide for each plugin, and record it for the environment.

    Official ones are looked for on PATH, in the person's ``PULUMI_HOME`` and in the lab's cache,
    then asked for from Pulumi's servers.
    """
    cache = cache or Cache.default()
    official_plugins.prepare(home.pulumi_home)
    official_plugins.download(NAMES, toolbox.bin("pulumi"), cache)
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
    entry = plugins / official_plugins.entry(name)
    if entry.is_symlink():
        entry.unlink()
    elif entry.exists():
        shutil.rmtree(entry)
    if found := official_plugins.on_path(name):
        return Plugin(name, said_version(found), "official")
    if installed := official_plugins.installed(name, cache):
        entry.symlink_to(installed)
        return Plugin(name, official_plugins.wanted(name), "official")
    executable = f"pulumi-resource-{name}"
    entry.mkdir(parents=True)
    if built := toolbox.tools.get(executable):
        (entry / executable).symlink_to(built.folder / executable)
        return Plugin(name, built.version, "built")
    (entry / executable).symlink_to(official_plugins.STAND_INS / executable)
    return Plugin(name, official_plugins.wanted(name), "lab")
