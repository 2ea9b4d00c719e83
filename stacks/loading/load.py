"""From a stack file to a `Fleet`: parse, fill in from the environment and the kubeconfig, validate."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_origin

import yaml
from pydantic import ValidationError

from stacks import checks
from stacks.loading.explain import explain, fields, place, sections_of
from stacks.loading.kubeconfig import Kubeconfig, KubeconfigError
from stacks.loading.resolve import resolve
from stacks.loading.yaml_speed import LOADER, StrictLoader
from stacks.model.errors import Problem, StackError
from stacks.model.fleet import Fleet

PREFIX = "fleet:"
_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def stack_file(stack: str, root: Path | None = None) -> Path:
    """The stack file of `stack` under the project folder `root` (default: the working directory)."""
    return (root or Path.cwd()) / "stacks" / f"Pulumi.{stack}.yaml"


def stack_files(root: Path | None = None) -> list[Path]:
    """Every stack file of the project, by name."""
    return sorted(((root or Path.cwd()) / "stacks").glob("Pulumi.*.yaml"))


def load_file(stack: str, root: Path | None = None, kubeconfig: Kubeconfig | None = None) -> Fleet:
    """The fleet that a stack file describes, read from the file itself, for tools that run without Pulumi.

    Raises StackError, which names the file, the place in it, what is wrong and what to write instead.
    """
    path = stack_file(stack, root)
    source = f"stacks/{path.name}"
    try:
        document = yaml.load(path.read_text(), Loader=StrictLoader)  # noqa: S506 - a safe one
    except FileNotFoundError:
        known = (
            ", ".join(file.name[len("Pulumi.") : -len(".yaml")] for file in stack_files(root))
            or "none"
        )
        raise StackError(
            source, [Problem("", f"no such stack file; stacks here: {known}")]
        ) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 0
        raise StackError(
            source, [Problem("", f"no YAML: {getattr(error, 'problem', error)}", line)]
        ) from None
    except (OSError, ValueError) as error:
        # No UTF-8, or what looks like a date and is none.
        raise StackError(source, [Problem("", f"can't be read: {error}")]) from None
    config = document.get("config") if isinstance(document, dict) else None
    if not isinstance(config, dict):
        raise StackError(source, [Problem("", "has no `config:` section")])
    values = {
        key[len(PREFIX) :]: value for key, value in config.items() if str(key).startswith(PREFIX)
    }
    return _build(values, stack, path, kubeconfig)


def load(config: Mapping[str, str], stack: str, kubeconfig: Kubeconfig | None = None) -> Fleet:
    """The fleet that Pulumi's stack config describes.

    `config` maps whole keys (`fleet:spokes`) to values as Pulumi hands them to a program: text, with structured
    values as JSON. Raises StackError as `load_file` does.
    """
    values = {}
    for key, text in config.items():
        if key.startswith(PREFIX):
            try:
                values[key[len(PREFIX) :]] = json.loads(text)
            except json.JSONDecodeError:
                values[key[len(PREFIX) :]] = text
    return _build(values, stack, stack_file(stack), kubeconfig)


def _build(
    values: Mapping[str, Any], stack: str, path: Path, kubeconfig: Kubeconfig | None
) -> Fleet:
    problems: list[Problem] = []
    # An empty section is one left out: Pulumi knows no other default for it. A list is none.
    sections = {
        key
        for key, field in fields(Fleet).items()
        if sections_of(field) and get_origin(field.annotation) is not list
    }
    given = {
        key: value
        for key, value in values.items()
        if value is not None and not (value == {} and key in sections)
    }
    filled = _from_environment(given, (), problems)
    if not problems:
        try:
            fleet = Fleet.model_validate(filled)
        except ValidationError as error:
            problems = explain(error, Fleet, filled)
        else:
            try:
                fleet, problems = resolve(fleet, kubeconfig or Kubeconfig.read())
            except KubeconfigError as error:
                problems = [Problem("", str(error))]
            problems += checks.problems(fleet, stack)
    if problems:
        raise StackError(f"stacks/Pulumi.{stack}.yaml", with_lines(problems, path))
    return fleet


def _from_environment(value: Any, where: tuple[str | int, ...], problems: list[Problem]) -> Any:
    """`value` with every `${NAME}` replaced by that environment variable; an unset one is a problem."""
    if isinstance(value, str):

        def replace(match: re.Match[str]) -> str:
            name = match[1]
            if not os.environ.get(name):
                problems.append(
                    Problem(
                        place(where),
                        f"environment variable {name} is not set; set it or write the value",
                    )
                )
            return os.environ.get(name, "")

        return _REFERENCE.sub(replace, value)
    if isinstance(value, dict):
        return {
            key: _from_environment(item, (*where, key), problems) for key, item in value.items()
        }
    if isinstance(value, list):
        return [
            _from_environment(item, (*where, index), problems) for index, item in enumerate(value)
        ]
    return value


def with_lines(problems: list[Problem], path: Path) -> list[Problem]:
    """`problems` with the line that each has in the stack file, where that file can be read."""
    try:
        root = yaml.compose(path.read_text(), Loader=LOADER)
    except (OSError, ValueError, yaml.YAMLError):
        return problems
    return [
        Problem(problem.path, problem.message, problem.line or _line_of(problem.path, root))
        if problem.path
        else problem
        for problem in problems
    ]


def _line_of(where: str, node: yaml.Node | None) -> int:
    """The line in the stack file of a place such as `fleet:spokes[1].environment`, or of its nearest parent."""
    line = 0
    for part in ["config", *re.findall(r"[^.\[\]]+", where)]:
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == part:
                    line, node = key.start_mark.line + 1, value
                    break
            else:
                return line
        elif isinstance(node, yaml.SequenceNode) and part.isdigit() and int(part) < len(node.value):
            node = node.value[int(part)]
            line = node.start_mark.line + 1
        else:
            return line
    return line
