"""Entry point of `pulumi-resource-kubernetes`."""

from __future__ import annotations

import sys

from lab.plugins.kubernetes import VERSION
from lab.plugins.kubernetes.servicer import KubernetesServicer
from lab.plugins.serve import serve


def main() -> None:
    """Serve until the engine that started this process is gone."""
    serve(KubernetesServicer, version=VERSION, args=sys.argv[1:])
