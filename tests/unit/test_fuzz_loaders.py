"""Whatever a stack file or kubeconfig holds, its loader answers with a fleet or with an error for people."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stacks.loading.kubeconfig import Kubeconfig, KubeconfigError
from stacks.loading.load import load_file
from stacks.model.errors import StackError
from tests.unit.mutation import documents

FILES = Path(__file__).parent / "stack_files"
TRIAL = Path(__file__).parent / "trial"
STACKS = [path.read_text() for path in sorted((FILES / "valid").iterdir())]
# Without those that are no YAML to begin with.
KUBECONFIGS = [path.read_text() for path in sorted(TRIAL.glob("[!3]*/kubeconfig"))]
EXAMPLES = int(os.environ.get("FLEET_FUZZ", "300"))
"""Inputs for each loader and way of making them: few here, 100,000 in all by `make soak`."""

fuzzed = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    database=None,
    derandomize="FLEET_FUZZ" not in os.environ,
)
Load = Callable[[bytes], None]


@pytest.fixture(scope="module")
def load_stack(tmp_path_factory: pytest.TempPathFactory) -> Load:
    root = tmp_path_factory.mktemp("fuzz")
    (root / "stacks").mkdir()
    (root / "kubeconfig").write_text(KUBECONFIGS[0])
    kubeconfig = Kubeconfig.read({"KUBECONFIG": str(root / "kubeconfig")})

    def load(content: bytes) -> None:
        (root / "stacks" / "Pulumi.t.yaml").write_bytes(content)
        with suppress(StackError):
            load_file("t", root, kubeconfig)

    return load


@pytest.fixture(scope="module")
def load_kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Load:
    path = tmp_path_factory.mktemp("fuzz") / "kubeconfig"

    def load(content: bytes) -> None:
        path.write_bytes(content)
        try:
            kubeconfig = Kubeconfig.read({"KUBECONFIG": str(path)})
        except KubeconfigError:
            return
        for context in kubeconfig.contexts:
            with suppress(KubeconfigError):
                kubeconfig.access(context)

    return load


@fuzzed
@given(
    content=st.binary(max_size=400)
    | st.text(max_size=400).map(lambda one: one.encode("utf-8", "replace"))
)
def test_anything(content: bytes, load_stack: Load, load_kubeconfig: Load) -> None:
    load_stack(content)
    load_kubeconfig(content)


@fuzzed
@given(content=documents(STACKS))
def test_a_stack_file_with_other_things_in_it(content: bytes, load_stack: Load) -> None:
    load_stack(content)


@fuzzed
@given(content=documents(KUBECONFIGS))
def test_a_kubeconfig_with_other_things_in_it(content: bytes, load_kubeconfig: Load) -> None:
    load_kubeconfig(content)
