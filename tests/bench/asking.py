"""`python -m tests.bench.asking`: how long it takes to ask clusters who they are, by credential plugins that are slow.

Each plugin sleeps a second, as those of clouds do; the API server is one thread's. Prints one JSON object: seconds for
one spoke and for 48, and their ratio, which would be 48 where one waits for another. Asserts nothing.
"""

from __future__ import annotations

import http.server
import json
import sys
import tempfile
import threading
import time
from pathlib import Path

from live import identity, recognition
from live.identity import Identities
from stacks.loading.kubeconfig import Kubeconfig
from stacks.model.fleet import Fleet

SPOKES = 48
_ANSWER = {
    "apiVersion": "client.authentication.k8s.io/v1",
    "kind": "ExecCredential",
    "status": {"token": "t"},
}


_EXEC = {"apiVersion": _ANSWER["apiVersion"], "interactiveMode": "Never"}


class _Cluster(http.server.BaseHTTPRequestHandler):
    """Says that it is whichever cluster its address names."""

    def do_GET(self) -> None:
        body = json.dumps({"metadata": {"uid": self.path.split("/")[1]}}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


class _Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128


def main() -> None:
    """Ask one cluster, then many."""
    with (
        tempfile.TemporaryDirectory(prefix="fleet-bench-") as folder,
        _Server(("127.0.0.1", 0), _Cluster) as server,
    ):
        threading.Thread(target=server.serve_forever, daemon=True).start()
        plugin = Path(folder, "login")
        plugin.write_text(f"#!/bin/sh\nsleep 1\necho '{json.dumps(_ANSWER)}'\n")
        plugin.chmod(0o755)
        one, many = (_seconds(spokes, plugin, server.server_port) for spokes in (1, SPOKES))
        server.shutdown()
    result = {
        "spokes_1_s": round(one, 2),
        f"spokes_{SPOKES}_s": round(many, 2),
        "ratio": round(many / one, 1),
    }
    sys.stdout.write(json.dumps(result, indent=2) + "\n")


def _seconds(spokes: int, plugin: Path, port: int) -> float:
    names = [f"spoke-{index}-of-{spokes}" for index in range(spokes)]  # A plugin's answer is kept.
    kubeconfig = Kubeconfig(
        "the kubeconfig",
        contexts={name: {"cluster": name, "user": name} for name in ["hub", *names]},
        clusters={name: {"server": f"http://127.0.0.1:{port}/{name}"} for name in ["hub", *names]},
        users={
            "hub": {"token": "t"},
            **{name: {"exec": {**_EXEC, "command": str(plugin), "args": [name]}} for name in names},
        },
    )
    fleet = Fleet.model_validate(
        {
            "hub": {"context": "hub"},
            "gitops": {"repo": "https://git.example.com/gitops-config.git"},
            "spokes": [
                {
                    "name": name,
                    "context": name,
                    "environment": "dev",
                    "region": "eu",
                    "server": f"https://{name}",
                }
                for name in names
            ],
        }
    )
    began = time.perf_counter()
    found = recognition.require(fleet, "dev", kubeconfig, Identities(), (), preview=False).fleet
    took = time.perf_counter() - began
    if len(identity.of(found).spokes) != spokes:
        raise RuntimeError("not every cluster was asked")
    return took


if __name__ == "__main__":
    main()
