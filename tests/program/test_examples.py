"""The example stack files and Pulumi.yaml say of every key of the model what it is, and say it right."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, get_args

import pytest
import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from stacks.model.fleet import Fleet
from tests.program.conftest import EXAMPLES, REPO

OFF = re.compile(r"^( *)# (- )?(?=[A-Za-z:]+:( |$))")
"""The mark of a key that is commented out, as against prose."""
SAID = re.compile(r"# (REQUIRED|OPTIONAL)(?:, default (.+?))?\. ")


def _lines(stack: str) -> list[str]:
    return (REPO / "examples" / f"Pulumi.{stack}.yaml").read_text().splitlines()


def _section(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_section, get_args(annotation))), None)


def _keys(
    model: type[BaseModel], node: yaml.Node, lines: list[str], prefix: str = ""
) -> Iterator[tuple[FieldInfo, str, yaml.Node | None, str]]:
    """Every key that the model has at `node` and below, where a section is in use: its field, place, value and line."""
    assert isinstance(node, yaml.MappingNode)
    given = {key.value: (key, value) for key, value in node.value}
    for name, field in model.model_fields.items():
        spelling = f"{prefix}{field.alias or name}"
        key, value = given.get(spelling, (None, None))
        yield field, spelling, value, lines[key.start_mark.line] if key else ""
        inner = _section(field.annotation)
        if not key or not inner or OFF.match(lines[key.start_mark.line]) or spelling == "auth":
            continue
        # In a list the first block shows every key, the others only what they need.
        first = value.value[0] if isinstance(value, yaml.SequenceNode) else value
        if isinstance(first, yaml.MappingNode):
            yield from _keys(inner, first, lines)


def _document(stack: str) -> Iterator[tuple[FieldInfo, str, yaml.Node | None, str]]:
    lines = _lines(stack)
    switched_on = yaml.compose("\n".join(OFF.sub(r"\1\2", line) for line in lines))
    config = next(value for key, value in switched_on.value if key.value == "config")
    return _keys(Fleet, config, lines, "fleet:")


def _value(node: yaml.Node) -> Any:
    return yaml.SafeLoader("").construct_document(node)


def _agrees(given: Any, default: Any) -> bool:
    if isinstance(default, BaseModel):
        default = default.model_dump(by_alias=True)
    if isinstance(given, dict) and isinstance(default, dict):
        return all(key in default and _agrees(value, default[key]) for key, value in given.items())
    if isinstance(given, list) and isinstance(default, list):
        return len(given) == len(default) and all(map(_agrees, given, default))
    return bool(given == default)


@pytest.mark.parametrize("stack", EXAMPLES)
def test_every_key_says_what_it_is(stack: str) -> None:
    keys = list(_document(stack))
    assert len(keys) > 35
    for field, spelling, _, line in keys:
        said = SAID.search(line)
        assert said, f"{spelling} is not there, or not said to be REQUIRED or OPTIONAL: {line!r}"
        assert (said[1] == "REQUIRED") == field.is_required(), spelling


@pytest.mark.parametrize("stack", EXAMPLES)
def test_every_default_is_the_models(stack: str) -> None:
    for field, spelling, node, line in _document(stack):
        said = SAID.search(line)
        if field.is_required() or not said or node is None:
            continue
        default = field.get_default(call_default_factory=True)
        if OFF.match(line):
            value = _value(node)
            assert (value is None and not default) or _agrees(value, default), spelling
            assert value is not None or said[2], f"{spelling} says nothing of its default"
        else:
            assert said[2], f"{spelling} is set, and its default is not said"
            if default and not isinstance(default, BaseModel):
                assert yaml.safe_load(said[2]) == default, spelling


@pytest.mark.parametrize("stack", EXAMPLES)
def test_no_line_is_too_long_to_read(stack: str) -> None:
    assert max(map(len, _lines(stack))) <= 120


@pytest.mark.parametrize("stack", EXAMPLES)
def test_a_stack_file_names_the_schema_and_shuts_default_providers(stack: str) -> None:
    assert _lines(stack)[0] == "# yaml-language-server: $schema=../stacks/stack.schema.json"
    config = yaml.safe_load("\n".join(_lines(stack)))["config"]
    assert config["pulumi:disable-default-providers"] == ["kubernetes", "vault"]


def test_the_examples_are_the_stack_files_that_are_there() -> None:
    assert {path.name for path in (REPO / "examples").iterdir()} == {
        f"Pulumi.{stack}.yaml" for stack in EXAMPLES
    }


def test_pulumi_yaml_has_every_key_and_the_models_default() -> None:
    config = yaml.safe_load((REPO / "Pulumi.yaml").read_text())["config"]
    fields = {f"fleet:{field.alias or name}": field for name, field in Fleet.model_fields.items()}
    assert list(config) == list(fields)
    for key, entry in config.items():
        field, need = fields[key], entry["description"].split(".")[0]
        assert entry["type"] in {"array", "object"}
        assert (need == "REQUIRED") == field.is_required(), key
        assert ("default" in entry) != field.is_required(), f"Pulumi asks for {key} or doesn't"
        if "default" in entry:
            default = field.get_default(call_default_factory=True)
            assert _agrees(entry["default"], {} if default is None else default), key
