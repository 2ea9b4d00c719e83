from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml

from stacks.loading import explain, schema
from stacks.model.spoke import Spoke

FILES = Path(__file__).parent / "stack_files"


def test_the_schema_and_the_reference_are_fresh() -> None:
    assert schema.SCHEMA.read_text() == schema.schema(), "run `make schema`"
    assert schema.REFERENCE.read_text() == schema.reference(), "run `make schema`"


@pytest.mark.parametrize(
    "path", sorted((schema.ROOT / "examples").iterdir()), ids=lambda path: path.name
)
def test_every_stack_file_names_the_schema_and_fits_it(path: Path) -> None:
    text = path.read_text()
    assert text.splitlines()[0] == f"# yaml-language-server: $schema=../stacks/{schema.SCHEMA.name}"
    jsonschema.validate(yaml.safe_load(text), json.loads(schema.schema()))


@pytest.mark.parametrize("path", sorted((FILES / "valid").iterdir()), ids=lambda path: path.stem)
def test_what_is_valid_fits(path: Path) -> None:
    jsonschema.validate(yaml.safe_load(path.read_text()), json.loads(schema.schema()))


@pytest.mark.parametrize(
    "name",
    [
        "auth-of-unknown-kind",
        "auth-with-unknown-key",
        "auth-without-kind",
        "eks-without-cluster",
        "missing-key",
        "no-environments",
        "shard-below-zero",
        "unknown-key",
        "unknown-layout",
        "unknown-section",
        "wrong-type",
    ],
)
def test_what_an_editor_can_see_does_not_fit(name: str) -> None:
    document = yaml.safe_load((FILES / "invalid" / f"{name}.yaml").read_text())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, json.loads(schema.schema()))


def test_editors_complete_the_kinds_of_auth_and_the_words_of_an_enum() -> None:
    defs = json.loads(schema.schema())["$defs"]
    auth = defs["Spoke"]["properties"]["auth"]
    assert auth["discriminator"]["propertyName"] == "kind"
    kinds = [defs[one["$ref"].rpartition("/")[2]]["properties"]["kind"] for one in auth["oneOf"]]
    assert {one["const"] for one in kinds} == set(auth["discriminator"]["mapping"])
    assert defs["Vault"]["properties"]["auth"]["enum"] == ["jwt", "kubernetes"]


def test_the_reference_tells_every_key_of_every_section_once() -> None:
    page = schema.reference()
    for section in schema.sections()[1:]:
        for key, field in explain.fields(section).items():
            if key != "kind":
                assert f"| `{key}` |" in page, f"{section.__name__}.{key}"
            assert field.description
    for kind in explain.kinds(explain.fields(Spoke)["auth"]):
        assert f"`kind: {kind}`" in page
    assert page.count("| `clusterAdmin` |") == 1, "the spokes' rbac points to the fleet's"
    headings = {
        schema._anchor(line.lstrip("# ")) for line in page.splitlines() if line.startswith("#")
    }
    assert set(re.findall(r"\(#([^)]*)\)", page)) <= headings, "links lead somewhere"
