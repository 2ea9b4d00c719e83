"""A Prometheus of the lab's own, for what analyses ask. It scrapes what the files in its folder `targets` name."""

from __future__ import annotations

from pathlib import Path

import httpx
import yaml

from lab.context import Lab
from lab.home import LabHome, write_private
from lab.ports import PortBook
from lab.processes import Part

PART = "prometheus"


def address(home: LabHome) -> str:
    """Where it answers."""
    return f"http://127.0.0.1:{PortBook(home.ports).get(PART)}"


def targets(home: LabHome) -> Path:
    """The folder for lists of targets: JSON as its file_sd has it, read anew as soon as one is there."""
    return home.prometheus / "targets"


def boot(lab: Lab) -> None:
    """Start it and wait until it answers."""
    port = lab.port(PART, of=PART)
    targets(lab.home).mkdir(mode=0o700, parents=True, exist_ok=True)
    scraped = {
        "job_name": "lab",
        "file_sd_configs": [
            {"files": [str(targets(lab.home) / "*.json")], "refresh_interval": "5s"}
        ],
    }
    # Each second, because a lab's analyses are to take seconds.
    document = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
        "scrape_configs": [scraped],
    }
    config = lab.home.prometheus / "prometheus.yml"
    write_private(config, yaml.safe_dump(document, sort_keys=False))
    command: list[str | Path] = [
        lab.toolbox.bin("prometheus"),
        f"--config.file={config}",
        f"--storage.tsdb.path={lab.home.prometheus / 'data'}",
        "--storage.tsdb.retention.time=12h",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=warn",
    ]
    lab.start(Part(name=PART, command=command, env=lab.base_env()))
    url = f"{address(lab.home)}/-/ready"
    probe = lambda: httpx.get(url, trust_env=False, timeout=5).is_success  # noqa: E731
    lab.processes.wait_ready(PART, probe, 60)
