"""From a stack file to a `Fleet`: parse, fill in from the environment and the kubeconfig, validate."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, get_origin

import yaml
from pydantic import ValidationError

from stacks import checks
from stacks.loading import secrets
from stacks.loading.document import DocumentError, read
from stacks.loading.environment import from_environment
from stacks.loading.explain import explain, fields, place, sections_of
from stacks.loading.kubeconfig import Kubeconfig, KubeconfigError
from stacks.loading.resolve import resolve
from stacks.loading.yaml_speed import LOADER
from stacks.model.errors import Problem, StackError
from stacks.model.fleet import Fleet

PREFIX = "fleet:"
# Pulumi opens these in its cloud, by a login of its own.
ESC = "imports from Pulumi ESC, which only Pulumi can read: `pulumi preview` knows what they set"


def stack_file(stack: str, root: Path | None = None) -> Path:
    """The stack file of `stack` under the project folder `root` (default: the working directory)."""
    return (root or Path.cwd()) / "stacks" / f"Pulumi.{stack}.yaml"


def stack_files(root: Path | None = None) -> list[Path]:
    """Every stack file of the project, by name."""
    return sorted(((root or Path.cwd()) / "stacks").glob("Pulumi.*.yaml"))


def imports_from_esc(stack: str, root: Path | None = None) -> bool:
    """Whether a stack file, which could be loaded, takes more from Pulumi ESC than stands in it."""
    return bool(read(stack_file(stack, root).read_text(encoding="utf-8-sig")).get("environment"))


def load_file(stack: str, root: Path | None = None, kubeconfig: Kubeconfig | None = None) -> Fleet:
    """The fleet that a stack file describes, read from the file itself, for tools that run without Pulumi.

    Raises StackError, which names the file, the place in it, what is wrong and what to write instead.
    """
    path = stack_file(stack, root)
    source = f"stacks/{path.name}"
    try:
        document = read(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        known = (
            ", ".join(file.name[len("Pulumi.") : -len(".yaml")] for file in stack_files(root))
            or "none"
        )
        raise StackError(
            source, [Problem("", f"no such stack file; stacks here: {known}")]
        ) from None
    except DocumentError as error:
        raise StackError(source, [Problem("", str(error), error.line)]) from None
    except UnicodeDecodeError:
        raise StackError(source, [Problem("", "can't be read: it is no text in UTF-8")]) from None
    except OSError as error:
        raise StackError(source, [Problem("", f"can't be read: {error.strerror}")]) from None
    config = document.get("config") if isinstance(document, dict) else None
    if not isinstance(config, dict):
        raise StackError(source, [Problem("", "has no `config:` section")])
    try:
        values = {**project_defaults(path.parents[1] / "Pulumi.yaml"), **own_keys(config)}
    except DocumentError as error:
        raise StackError(source, [Problem("", str(error))]) from None
    try:
        return _build(values, stack, path, kubeconfig, secured(values))
    except StackError as error:
        if not document.get("environment"):
            raise
        problem = with_lines(
            [Problem("environment", f"{ESC}; what is missing below may come from there")], path
        )
        raise StackError(source, [*problem, *error.problems], error.fleet) from None


def load(
    config: Mapping[str, str],
    stack: str,
    kubeconfig: Kubeconfig | None = None,
    secret_keys: Iterable[str] = (),
) -> Fleet:
    """The fleet that Pulumi's stack config describes.

    `config` maps whole keys (`fleet:spokes`) to values as Pulumi hands them to a program: text, with structured
    values as JSON. `secret_keys` are those of which Pulumi has decrypted anything. Raises StackError as `load_file`
    does.
    """
    values = {}
    for key, text in config.items():
        if key.startswith(PREFIX):
            try:
                values[key[len(PREFIX) :]] = json.loads(text) if text else None
            except (json.JSONDecodeError, RecursionError):
                values[key[len(PREFIX) :]] = text
    secrets = [_no_secret((key[len(PREFIX) :],)) for key in secret_keys if key.startswith(PREFIX)]
    return _build(values, stack, stack_file(stack), kubeconfig, secrets)


def _build(
    values: Mapping[str, Any],
    stack: str,
    path: Path,
    kubeconfig: Kubeconfig | None,
    problems: list[Problem],
) -> Fleet:
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
    filled = from_environment(given, problems)
    # Before any other error, which may quote a value.
    problems = problems or list(secrets.problems(filled))
    known: Fleet | None = None
    if not problems:
        try:
            fleet = Fleet.model_validate(filled)
        except ValidationError as error:
            problems = explain(error, Fleet, filled)
        else:
            try:
                fleet, problems = resolve(fleet, kubeconfig or Kubeconfig.read())
                known = fleet if not checks.ground(fleet) else None
            except KubeconfigError as error:
                problems = [Problem("", str(error))]
            problems += checks.problems(fleet, stack)
    if problems:
        raise StackError(f"stacks/Pulumi.{stack}.yaml", with_lines(problems, path), known)
    return fleet


def own_keys(config: Mapping[Any, Any]) -> dict[str, Any]:
    """The project's own keys of a `config:`, without their prefix; one without any is the project's own to Pulumi."""
    found: dict[str, Any] = {}
    for key, value in config.items():
        match str(key).split(":"):
            case [name] | ["fleet", name] | ["fleet", "config", name]:
                found[name] = value
    return found


def project_defaults(path: Path) -> dict[str, Any]:
    """What Pulumi.yaml at `path` says of keys that a stack file leaves out; nothing where it is not there.

    Raises DocumentError where it can't be read. https://www.pulumi.com/docs/iac/concepts/config/#project-level-configuration
    """
    try:
        document = read(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, DocumentError) as error:
        raise DocumentError(f"{path.name} can't be read: {error}") from None
    config = document.get("config") if isinstance(document, dict) else None
    found = {}
    for key, said in own_keys(config if isinstance(config, dict) else {}).items():
        if not isinstance(said, dict):
            found[key] = said
            continue
        for word in ("value", "default"):
            if word in said:
                found[key] = said[word]
                break
    return found


def secured(value: Any, where: tuple[str | int, ...] = ()) -> list[Problem]:
    """The places that Pulumi has encrypted: `secure:` alone in a mapping."""
    if isinstance(value, dict):
        if list(value) == ["secure"]:
            return [_no_secret(where)]
        items: Iterable[tuple[Any, Any]] = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    else:
        return []
    return [problem for key, item in items for problem in secured(item, (*where, key))]


def _no_secret(where: tuple[str | int, ...]) -> Problem:
    return Problem(
        place(where),
        "is encrypted (`secure:`), and no key of Fleet's holds a secret; write the value as it is",
    )


def with_lines(problems: list[Problem], path: Path) -> list[Problem]:
    """`problems` with the line that each has in the stack file, where that file can be read."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        read(text)  # Which knows how deep PyYAML may go.
        root = yaml.compose(text, Loader=LOADER)
    except (OSError, ValueError, yaml.YAMLError, DocumentError):
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
    root = [] if where == "environment" else ["config"]
    for part in [*root, *re.findall(r"[^.\[\]]+", where)]:
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
