"""Whatever a stack file or kubeconfig holds, its loader answers with a fleet or with an error for people."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stacks.loading.contexts import cluster_problems, user_problems
from stacks.loading.kubeconfig import Kubeconfig, KubeconfigError
from stacks.loading.load import load, load_file
from stacks.model.errors import StackError
from stacks.model.fields import server_problem, without_secrets
from tests.unit.mutation import documents

FILES = Path(__file__).parent / "stack_files"
TRIAL = Path(__file__).parent / "trial"
STACKS = [path.read_text() for path in sorted((FILES / "valid").iterdir())]
# Without those that are no YAML to begin with.
KUBECONFIGS = [path.read_text() for path in sorted(TRIAL.glob("[!3]*/kubeconfig"))]
EXAMPLES = int(os.environ.get("FLEET_FUZZ", "300"))
"""Inputs for each loader and way of making them: few here, 170,000 in all by `make soak`."""

fuzzed = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    database=None,
    derandomize="FLEET_FUZZ" not in os.environ,
)
Load = Callable[[bytes], None]
NOBODY = Kubeconfig("the kubeconfig", {}, {}, {})


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
        for _ in said_of_kubeconfig(path):
            pass

    return load


def said_of_kubeconfig(path: Path) -> Iterator[str]:
    """Whatever is said of a kubeconfig and its contexts."""
    try:
        kubeconfig = Kubeconfig.read({"KUBECONFIG": str(path)})
    except KubeconfigError as error:
        yield str(error)
        return
    for context in kubeconfig.contexts:
        try:
            kubeconfig.access(context)
            yield from cluster_problems(kubeconfig.cluster(context))
            yield from user_problems(kubeconfig.user(context))
        except KubeconfigError as error:
            yield str(error)


@fuzzed
@given(
    content=st.binary(max_size=400)
    | st.text(max_size=400).map(lambda one: one.encode("utf-8", "replace"))
)
def test_anything(content: bytes, load_stack: Load, load_kubeconfig: Load) -> None:
    load_stack(content)
    load_kubeconfig(content)


CANARIES = ("hunter2", "48277e221", "98765432109876543210", ".inf", "2024-01-01T00:00:00Z")
SIGNS = st.text(alphabet="!*&%@`'\"[]{}|>:#?/,;=~^$<-+. \\\t0ex_é", max_size=6)


@fuzzed
@given(
    key=st.sampled_from(["password", "token", "username", "client-key-data"]),
    canary=st.sampled_from(CANARIES),
    before=SIGNS,
    after=SIGNS,
)
def test_no_credential_of_a_kubeconfig_is_ever_quoted(
    key: str, canary: str, before: str, after: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "canary"
    path.write_text(
        "contexts: [{name: a, context: {cluster: a, user: a}}]\n"
        "clusters: [{name: a, cluster: {server: https://a.example.com}}]\n"
        f"users:\n- name: a\n  user:\n    {key}: {before}{canary}{after}\n"
    )
    for said in said_of_kubeconfig(path):
        assert canary not in said


def said_of_stack(values: dict[str, Any]) -> str:
    try:
        load({key: json.dumps(value) for key, value in values.items()}, "t", NOBODY)
    except StackError as error:
        return str(error)
    return ""


@fuzzed
@given(canary=st.sampled_from(CANARIES[:3]), before=SIGNS, after=SIGNS, host=SIGNS)
def test_no_password_of_an_address_is_ever_quoted(
    canary: str, before: str, after: str, host: str
) -> None:
    address = f"https://root:{before}{canary}{after}@{host}example.com"
    assert canary not in server_problem(address)
    assert canary not in without_secrets(address)
    for section, key in (
        ("gitops", "repo"),
        ("vault", "address"),
        ("argocd", "manifest"),
        ("externalSecrets", "repo"),
    ):
        values = {
            "fleet:hub": {"context": "hub"},
            "fleet:gitops": {"repo": "https://git.example.com/x"},
            f"fleet:{section}": {key: address},
        }
        assert canary not in said_of_stack(values)


@fuzzed
@given(content=documents(STACKS))
def test_a_stack_file_with_other_things_in_it(content: bytes, load_stack: Load) -> None:
    load_stack(content)


@fuzzed
@given(content=documents(KUBECONFIGS))
def test_a_kubeconfig_with_other_things_in_it(content: bytes, load_kubeconfig: Load) -> None:
    load_kubeconfig(content)
