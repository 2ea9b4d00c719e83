"""The executable `pulumi-resource-vault`."""

from __future__ import annotations

import sys

from lab.plugins.serve import serve
from lab.plugins.vault.provider import VERSION, VaultProvider


def main() -> None:
    """Serve the provider, or answer `--version`."""
    serve(VaultProvider(), version=VERSION, args=sys.argv[1:])
