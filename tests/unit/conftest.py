from __future__ import annotations

import pytest

import stacks


@pytest.fixture
def kubeconfig() -> stacks.Kubeconfig:
    """Four contexts, each a cluster of its own on a port of its own."""
    names = ["hub", "prod-us-east-1", "staging", "spare"]
    return stacks.Kubeconfig(
        "kubeconfig-of-the-test",
        contexts={name: {"cluster": name, "user": "admin"} for name in names},
        clusters={
            name: {"server": f"https://127.0.0.1:{7001 + index}"}
            for index, name in enumerate(names)
        },
        users={"admin": {"token": "token-of-the-test"}},
    )
