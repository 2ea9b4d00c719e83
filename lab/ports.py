"""Loopback ports: each chosen once, remembered, and changed only where nothing depends on it."""

from __future__ import annotations

import json
import random
import socket
import threading
import time
from pathlib import Path

import psutil

from lab.errors import LabError
from lab.home import write_private

RELEASE_SECONDS = 5.0
LOWEST = 15_000
"""Below are the ports that people give to their own servers."""


class PortBook:
    """The ports of one lab's parts, kept in a file. Safe to use from several threads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()

    def get(self, name: str) -> int:
        """The port of this part, chosen now if it has none. Always the same from then on."""
        with self._lock:
            ports = self._read()
            if name not in ports:
                ports[name] = _choose(set(ports.values()))
                self._write(ports)
            return ports[name]

    def settle(self, name: str, *, pinned: bool = False) -> int:
        """The port for a part that is not running and about to start.

        If another process holds the port, a new one is chosen. A pinned port is part of lasting
        state and can't change: then this raises :class:`LabError`, naming the holder.
        """
        port = self.get(name)
        if is_free(port):
            return port
        if pinned:
            # a part that was just killed lets go of its port some moments after its death shows
            end = time.monotonic() + RELEASE_SECONDS
            while time.monotonic() < end:
                time.sleep(0.1)
                if is_free(port):
                    return port
            raise LabError(
                f"port {port} of {name} is held by {holder(port)}. It is part of the lab's state "
                "and can't change: end that process, or make a new lab with "
                "'fleet lab down --wipe'."
            )
        with self._lock:
            ports = self._read()
            ports[name] = _choose(set(ports.values()))
            self._write(ports)
            return ports[name]

    def forget(self, name: str) -> None:
        """Drop the port of a part that is gone for good."""
        with self._lock:
            ports = self._read()
            if ports.pop(name, None) is not None:
                self._write(ports)

    def _read(self) -> dict[str, int]:
        try:
            content: dict[str, int] = json.loads(self._path.read_text())
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise LabError(f"{self._path} is damaged; remove it: {error}") from error
        return content

    def _write(self, ports: dict[str, int]) -> None:
        write_private(self._path, json.dumps(ports, indent=1, sort_keys=True))


def is_free(port: int) -> bool:
    """Whether a server could listen on this loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def holder(port: int) -> str:
    """Who listens on this port, for a message: ``nginx (pid 12)`` or ``another process``."""
    try:
        for connection in psutil.net_connections("tcp"):
            local = connection.laddr
            if local and local.port == port and connection.pid:
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    except psutil.Error:
        pass
    return "another process"


def _choose(taken: set[int]) -> int:
    """A free port that isn't taken.

    It lies below the range the kernel gives to outgoing connections, so that none of these can
    sit on a part's port while the part is down.
    """
    for _ in range(200):
        port = random.randrange(LOWEST, _ephemeral_start())  # noqa: S311 - no secret
        if port not in taken and is_free(port):
            return port
    raise LabError("no free port was found on 127.0.0.1")


def _ephemeral_start() -> int:
    try:
        lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except (OSError, ValueError):
        lowest = 32_768
    return lowest if lowest > LOWEST + 1_000 else 32_768
