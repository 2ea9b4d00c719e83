"""Every stack file under stack_files/: the valid ones load, the invalid ones say what their first line expects."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from stacks.checks import application_sets, credentials
from stacks.loading import explain, schema
from stacks.loading.endpoints import endpoints_of
from stacks.loading.kubeconfig import Kubeconfig
from stacks.loading.load import load, load_file
from stacks.model.auth import EksAuth
from stacks.model.errors import StackError
from stacks.model.fields import server_key
from stacks.model.fleet import Fleet
from stacks.model.spoke import Rule
from stacks.model.vault import HubSecretStore
from tests.unit.live_hub import a_fleet, a_spoke

FILES = Path(__file__).parent / "stack_files"
REPO = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _pem(pem_files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEET_TEST_PEM", str(pem_files))
    for name in ("install.yaml", "crds.yaml"):
        (pem_files / name).touch()
    (pem_files / "chart").mkdir(exist_ok=True)
    # What stack files name by a path is looked for.
    monkeypatch.chdir(pem_files)
    monkeypatch.setenv("FLEET_TEST_LONG", "x" * 256 * 1024)


def _project(tmp_path: Path, stack_file: Path) -> Path:
    (tmp_path / "stacks").mkdir(parents=True)
    shutil.copy(stack_file, tmp_path / "stacks" / f"Pulumi.{stack_file.stem}.yaml")
    return tmp_path


@pytest.mark.parametrize("path", sorted((FILES / "valid").iterdir()), ids=lambda path: path.stem)
def test_valid(path: Path, tmp_path: Path, kubeconfig: Kubeconfig) -> None:
    fleet = load_file(path.stem, _project(tmp_path, path), kubeconfig)
    assert all(spoke.server for spoke in fleet.spokes)
    assert all(spoke.context for spoke in fleet.spokes if fleet.needs_context(spoke))
    assert list(endpoints_of(fleet, kubeconfig)) == [spoke.name for spoke in fleet.spokes]


@pytest.mark.parametrize("path", sorted((FILES / "invalid").iterdir()), ids=lambda path: path.stem)
def test_invalid(path: Path, tmp_path: Path, kubeconfig: Kubeconfig) -> None:
    expected = path.read_text().splitlines()[0].removeprefix("# expect: ")
    with pytest.raises(StackError) as caught:
        load_file(path.stem, _project(tmp_path, path), kubeconfig)
    lines = str(caught.value).splitlines()
    assert all(line.startswith(f"stacks/Pulumi.{path.stem}.yaml:") for line in lines), (
        "names the file"
    )
    assert any(expected in line for line in lines), f"expected {expected!r} among {lines}"
    assert "canary" not in str(caught.value), "an error quotes no value of an unknown key"


def test_lines_are_those_of_the_file(tmp_path: Path, kubeconfig: Kubeconfig) -> None:
    path = FILES / "invalid" / "unknown-environment.yaml"
    with pytest.raises(StackError) as caught:
        load_file(path.stem, _project(tmp_path, path), kubeconfig)
    (problem,) = caught.value.problems
    assert "stagin" in path.read_text().splitlines()[problem.line - 1]


def test_defaults_come_from_the_context(tmp_path: Path, kubeconfig: Kubeconfig) -> None:
    path = FILES / "valid" / "minimal.yaml"
    prod, staging = load_file("minimal", _project(tmp_path, path), kubeconfig).spokes
    assert (prod.context, prod.server) == ("prod-us-east-1", "https://127.0.0.1:7002")
    assert prod.issuer == "", "nobody guesses it before Vault is told"
    assert staging.server == "https://127.0.0.1:7003"


def test_given_values_win_and_lose_their_trailing_slash(
    tmp_path: Path, kubeconfig: Kubeconfig
) -> None:
    path = FILES / "valid" / "everything.yaml"
    fleet = load_file("everything", _project(tmp_path, path), kubeconfig)
    spoke = fleet.spokes[0]
    assert spoke.server == "https://prod.example.com:6443"
    assert spoke.issuer == "https://oidc.example.com/id/1/", "an issuer is matched to the letter"
    assert fleet.vault
    assert fleet.vault.address == "https://vault.example.com:8200"


def test_everything_has_every_key(tmp_path: Path, kubeconfig: Kubeconfig) -> None:
    """The fixture that is read as the example of all keys leaves none out but those that exclude another."""
    document = yaml.safe_load((FILES / "valid" / "everything.yaml").read_text())["config"]
    given = {key for section in _mappings(document) for key in map(str, section)} | {
        key.removeprefix("fleet:") for key in document
    }
    sections = [
        one for one in schema.sections() if one.__name__.removesuffix("Auth") == one.__name__
    ]
    known = {key for section in sections for key in explain.fields(section)}
    assert known - given == {"manifests"}, "an install manifest excludes a chart"


def _mappings(value: object) -> Iterator[dict[str, object]]:
    if isinstance(value, dict):
        yield value
    for item in (
        value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    ):
        yield from _mappings(item)


def test_where_a_spoke_is_that_this_machine_does_not_know(
    tmp_path: Path, kubeconfig: Kubeconfig, pem_files: Path
) -> None:
    path = FILES / "valid" / "argocd-delivery.yaml"
    fleet = load_file(path.stem, _project(tmp_path, path), kubeconfig)
    assert [spoke.context for spoke in fleet.spokes] == ["", "", "staging", "prod-us-east-1"]
    found = endpoints_of(fleet, kubeconfig)
    assert found["unknown-here"].server == "https://prod.example.com"
    assert found["unknown-here"].ca_pem == (pem_files / "ca.pem").read_text()
    assert found["unknown-public"].ca_data == "", "public CAs vouch for it"
    assert found["staging"].ca_pem.startswith("-----BEGIN CERTIFICATE-----")
    assert [name for name, one in found.items() if one.access] == ["prod-us-east-1"], (
        "only a ServiceAccount to be made there makes this machine talk to the spoke"
    )


def test_the_hub_as_a_spoke(tmp_path: Path, kubeconfig: Kubeconfig) -> None:
    path = FILES / "valid" / "every-credential.yaml"
    fleet = load_file(path.stem, _project(tmp_path, path), kubeconfig)
    itself = fleet.spokes[-1]
    assert (itself.context, itself.server, itself.issuer) == (
        "hub",
        "https://kubernetes.default.svc",
        "https://127.0.0.1:7001",
    )
    found = endpoints_of(fleet, kubeconfig)["itself"]
    assert found.server == "https://kubernetes.default.svc"
    assert found.access == kubeconfig.access("hub")


def test_an_empty_section_is_one_left_out(kubeconfig: Kubeconfig) -> None:
    """Pulumi asks for every key that has no default, and knows no default for a section but an empty one."""
    config = {
        "hub": {"context": "hub"},
        "gitops": {"repo": "https://git.example/r"},
        "vault": {},
        "rbac": {},
    }
    fleet = load(
        {f"fleet:{key}": json.dumps(value) for key, value in config.items()}, "hub", kubeconfig
    )
    assert fleet.vault is None
    assert not fleet.rbac.cluster_admin


@pytest.mark.parametrize("value", ["{}", "null", None])
@pytest.mark.parametrize("key", ["spokes", "applicationSets"])
def test_an_empty_mapping_is_no_empty_list(
    kubeconfig: Kubeconfig, key: str, value: str | None
) -> None:
    config = {
        "fleet:hub": '{"context": "hub"}',
        "fleet:gitops": '{"repo": "https://git.example/r"}',
    }
    config |= {f"fleet:{key}": value} if value else {}
    if value != "{}":
        assert load(config, "hub", kubeconfig).spokes == []
        return
    with pytest.raises(StackError, match=rf"fleet:{key}: must be a list"):
        load(config, "hub", kubeconfig)


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("https://a", "https://a"),
        (" https://A:443/ ", "https://a"),
        ("https://a:6443/", "https://a:6443"),
        ("http://a:80", "http://a"),
        ("http://a:443", "http://a:443"),
        ("https://[::1]:443", "https://[::1]"),
        ("https://Rancher/k8s/clusters/C-1/", "https://rancher/k8s/clusters/C-1"),
        ("https://a:port", "https://a:port"),
        ("", ""),
    ],
)
def test_what_servers_are_compared_by(address: str, key: str) -> None:
    assert server_key(address) == key


def test_a_server_stays_as_it_is_written(tmp_path: Path, kubeconfig: Kubeconfig) -> None:
    project = _project(tmp_path, FILES / "valid" / "minimal.yaml")
    path = project / "stacks" / "Pulumi.minimal.yaml"
    staging = "{name: staging, environment: staging, region: us-east-1}"
    given = staging[:-1] + ', server: "https://Staging.example.com:443/"}'
    path.write_text(path.read_text().replace(staging, given))
    fleet = load_file("minimal", project, kubeconfig)
    assert fleet.spokes[1].server == "https://Staging.example.com:443"


def _refused(fleet: Fleet) -> list[str]:
    return [problem.path for problem in application_sets.shapes(fleet)]


@pytest.mark.parametrize(
    ("path", "refused"),
    [
        ("addons/{{.name}}", False),
        ('addons/{{index .metadata.labels "../a"}}', False),
        ("addons/{{/* {{ */}}x", False),
        ('addons/{{"}}"}}/{{`{{`}}', False),
        ("addons/v1..2/{x}", False),
        ("/addons", True),
        ("..", True),
        ("addons/../{{.name}}", True),
        ("addons/{{.name}}/..", True),
        ("addons/{{{.name}}", True),
        ("addons/{{.name", True),
        ("addons/.name}}", True),
        ('addons/{{"}}', True),
    ],
)
def test_paths_of_sets(path: str, refused: bool) -> None:
    fleet = a_fleet(applicationSets=[{"name": "addons", "layout": "directory", "path": path}])
    assert _refused(fleet) == ["fleet:applicationSets[0].path"] * refused


@pytest.mark.parametrize(
    ("args", "refused"),
    [
        (["get-token", "--login", "devicecode"], []),
        (["eks", "get-token", "--token-file", "/var/run/token"], []),
        (["--use-token=true", "--with-token", "--verbose"], []),
        (["login", "--token"], []),
        (["--token=x", "-password", "x"], [0, 1]),
        (["--client-secret", "x", "--Access-Key=x"], [0, 2]),
        (["CLIENT_SECRET=x", "login"], [0]),
    ],
)
def test_arguments_that_look_like_secrets(args: list[str], refused: list[int]) -> None:
    auth = {"kind": "exec", "command": "login", "args": args}
    found = credentials.problems(a_fleet(spokes=[a_spoke("one", auth=auth)]))
    assert [problem.path for problem in found] == [
        f"fleet:spokes[0].auth.args[{index}]" for index in refused
    ]


def test_values_of_the_kubeconfig_are_in_no_problem(tmp_path: Path, kubeconfig: Kubeconfig) -> None:
    for name in ("token-of-an-exec-user", "basic-without-password", "certificate-of-a-token-user"):
        with pytest.raises(StackError) as caught:
            load_file(
                name, _project(tmp_path / name, FILES / "invalid" / f"{name}.yaml"), kubeconfig
            )
        assert "canary" not in str(caught.value)


def test_pulumi_hands_over_the_same_fleet(
    tmp_path: Path, kubeconfig: Kubeconfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = _project(tmp_path, FILES / "valid" / "everything.yaml")
    monkeypatch.chdir(project)
    config = yaml.safe_load((FILES / "valid" / "everything.yaml").read_text())["config"]
    as_pulumi = {key: json.dumps(value) for key, value in config.items()}
    assert load(as_pulumi, "everything", kubeconfig) == load_file(
        "everything", kubeconfig=kubeconfig
    )


def test_a_missing_stack_file_names_those_there(tmp_path: Path) -> None:
    with pytest.raises(
        StackError,
        match=r"stacks/Pulumi\.prod\.yaml: no such stack file; stacks here: minimal",
    ):
        load_file("prod", _project(tmp_path, FILES / "valid" / "minimal.yaml"))


@pytest.mark.parametrize("text", [b"config: caf\xe9\n", "config: {}\n".encode("utf-16")])
def test_a_file_that_is_no_utf_8(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks" / "Pulumi.one.yaml").write_bytes(text)
    with pytest.raises(
        StackError, match=r"stacks/Pulumi\.one\.yaml: can't be read: it is no text in UTF-8"
    ):
        load_file("one", tmp_path)


def test_what_a_merge_key_brings_may_be_written_over(
    tmp_path: Path, kubeconfig: Kubeconfig
) -> None:
    project = _project(tmp_path, FILES / "valid" / "minimal.yaml")
    path = project / "stacks" / "Pulumi.minimal.yaml"
    staging = "{name: staging, environment: staging, region: us-east-1}"
    text = path.read_text()
    assert staging in text
    text = text.replace(staging, "{<<: *prod, name: staging, environment: staging}")
    path.write_text(text.replace("- {name: prod-us-east-1", "- &prod {name: prod-us-east-1"))
    fleet = load_file("minimal", project, kubeconfig)
    assert [(one.name, one.region) for one in fleet.spokes][1] == ("staging", "us-east-1")


@pytest.mark.parametrize(
    ("fixture", "stack", "message"),
    [
        ("minimal", "my_stack.v2", ""),
        ("minimal", "_mine", "must have at most 63 letters"),
        ("minimal", "x" * 64, "must have at most 63 letters"),
        ("argocd-delivery", "prod-eu.v2", ""),
        ("argocd-delivery", "Prod", 'makes no ApplicationSet "external-secrets-Prod"'),
        ("argocd-delivery", "prod_eu", 'makes no ApplicationSet "external-secrets-prod_eu"'),
    ],
)
def test_the_stack_s_own_name(
    tmp_path: Path, kubeconfig: Kubeconfig, fixture: str, stack: str, message: str
) -> None:
    project = _project(tmp_path, FILES / "valid" / f"{fixture}.yaml")
    (project / "stacks" / f"Pulumi.{fixture}.yaml").rename(
        project / "stacks" / f"Pulumi.{stack}.yaml"
    )
    if not message:
        assert load_file(stack, project, kubeconfig).spokes
        return
    with pytest.raises(StackError, match=message):
        load_file(stack, project, kubeconfig)


def test_references_are_filled_from_the_environment(
    tmp_path: Path, kubeconfig: Kubeconfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEET_TEST_UNSET", "https://git.example.com/x.git")
    path = FILES / "invalid" / "unset-variable.yaml"
    fleet = load_file("unset-variable", _project(tmp_path, path), kubeconfig)
    assert fleet.gitops.repo == "https://git.example.com/x.git"


def test_every_section_and_field_of_the_model_is_described() -> None:
    sections = schema.sections()
    assert {Fleet, Rule, EksAuth, HubSecretStore} <= set(sections)
    undescribed = [
        f"{section.__name__}.{name}"
        for section in sections
        for name, field in section.model_fields.items()
        if not field.description
    ]
    assert not undescribed
    assert all(section.__doc__ for section in sections)


def test_pulumi_yaml_types_and_describes_every_section() -> None:
    config = yaml.safe_load((REPO / "Pulumi.yaml").read_text())["config"]
    assert {f"fleet:{field.alias or name}" for name, field in Fleet.model_fields.items()} == set(
        config
    )
    assert all(entry["type"] and entry["description"] for entry in config.values())
