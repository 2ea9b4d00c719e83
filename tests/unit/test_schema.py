from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

import stacks
from stacks import schema

FILES = Path(__file__).parent / "stack_files"


def test_the_schema_and_the_reference_are_fresh() -> None:
    assert schema.SCHEMA.read_text() == schema.schema(), "run `make schema`"
    assert schema.REFERENCE.read_text() == schema.reference(), "run `make schema`"


@pytest.mark.parametrize("path", stacks.stack_files(schema.ROOT), ids=lambda path: path.name)
def test_every_stack_file_names_the_schema_and_fits_it(path: Path) -> None:
    text = path.read_text()
    assert text.splitlines()[0] == f"# yaml-language-server: $schema={schema.SCHEMA.name}"
    jsonschema.validate(yaml.safe_load(text), json.loads(schema.schema()))


@pytest.mark.parametrize("path", sorted((FILES / "valid").iterdir()), ids=lambda path: path.stem)
def test_what_is_valid_fits(path: Path) -> None:
    jsonschema.validate(yaml.safe_load(path.read_text()), json.loads(schema.schema()))


@pytest.mark.parametrize("name", ["unknown-key", "unknown-section", "missing-key", "wrong-type"])
def test_what_an_editor_can_see_does_not_fit(name: str) -> None:
    document = yaml.safe_load((FILES / "invalid" / f"{name}.yaml").read_text())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, json.loads(schema.schema()))
