"""A real Chromium for the tests of a page: the machine's own, else Debian's, unpacked into the tools' cache."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service

from lab.toolchain import Cache
from lab.toolchain.model import DebianPackage, Tool
from lab.toolchain.sources import CommandError, Shell, ToolError, install
from lab.toolchain.versions import Accept

# In no catalogue: only these tests need it, and the lab would get it for everybody.
_CHROMIUM = Tool(
    name="chromium",
    binary="chromedriver",
    version="150",  # whatever later release Debian has; the driver's package depends on the browser's of its version
    accept=Accept.LATER,
    seconds=60,
    source=DebianPackage(package="chromium-driver", executable="usr/bin/chromedriver"),
)
_FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>{unpacked}</dir><dir>/usr/share/fonts</dir><cachedir>{cache}</cachedir>
<match target="pattern"><test name="family" compare="not_eq"><string>DejaVu Sans Mono</string></test>
<edit name="family" mode="assign" binding="strong"><string>DejaVu Sans</string></edit></match></fontconfig>
"""


@dataclass(frozen=True)
class Chromium:
    """Where the browser and its driver are, and below what they were unpacked, if they were."""

    browser: Path
    driver: Path
    unpacked: Path | None = None

    @contextmanager
    def started(self, home: Path) -> Iterator[Chrome]:
        """A browser without a window, which ends with the block and keeps all that it writes below `home`."""
        options = ChromeOptions()
        options.binary_location = str(self.browser)
        for argument in (
            "--headless=new",
            "--no-sandbox",  # root has none
            "--disable-dev-shm-usage",
            "--disable-gpu",
            "--disable-background-networking",
            "--disable-component-update",
            "--no-first-run",
            "--hide-scrollbars",
            "--force-device-scale-factor=1",
            "--window-size=1280,900",
            f"--user-data-dir={home / 'profile'}",
        ):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        driver = Chrome(options, Service(str(self.driver), env=self._environment(home)))
        try:
            yield driver
        finally:
            driver.quit()

    def _environment(self, home: Path) -> dict[str, str]:
        env = {
            **{name: value for name, value in os.environ.items() if "proxy" not in name.lower()},
            "HOME": str(home),
            "TMPDIR": str(home),
            "XDG_CONFIG_HOME": str(home / "config"),
            "XDG_CACHE_HOME": str(home / "cache"),
        }
        if not self.unpacked:
            return env
        fonts = home / "fonts.conf"
        folder = self.unpacked / "usr/share/fonts"
        fonts.write_text(_FONTS.format(unpacked=folder, cache=home / "fontconfig"))
        # More than the starter of a tool has: PulseAudio's own library has no version in its name.
        libraries = sorted({str(path.parent) for path in self.unpacked.rglob("*.so*")})
        return {
            **env,
            "FONTCONFIG_FILE": str(fonts),
            "LD_LIBRARY_PATH": os.pathsep.join(libraries),
        }


def found(console: Console) -> Chromium:
    """The browser on PATH, else that of the cache, else Debian's. Raises ToolError where it can't be had."""
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if browser and driver:
        return Chromium(Path(browser), Path(driver))
    cache = Cache.default()
    if not cache.find(_CHROMIUM):
        with cache.locked(console):
            _get(cache, console)
    entry = cache.entry(_CHROMIUM)
    share = entry / "share"
    return Chromium(share / "usr/lib/chromium/chromium", entry / "bin/chromedriver", share)


def _get(cache: Cache, console: Console) -> None:
    if cache.find(_CHROMIUM):  # the run that we waited for has made it
        return
    shell = Shell(cache.log(_CHROMIUM))
    console.print("getting Debian's chromium: 130 MB, once", soft_wrap=True)
    with cache.making(_CHROMIUM) as new:
        try:
            install(_CHROMIUM, new, shell, Path("go"))
        except CommandError as failed:
            raise ToolError(f"no chromium ({failed} failed):\n{shell.tail()}") from failed
