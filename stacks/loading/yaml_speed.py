"""The YAML loaders and dumper of stack files and kubeconfigs: those of libyaml, where PyYAML was built with it.

They are the safe ones, some eight times as fast as those of `yaml.safe_load` and `yaml.safe_dump`.
"""

from __future__ import annotations

import yaml

LOADER = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
DUMPER = yaml.CSafeDumper if yaml.__with_libyaml__ else yaml.SafeDumper


class TextDatesLoader(LOADER):  # type: ignore[valid-type,misc]
    """As LOADER, but what looks like a date is text, as it is to Kubernetes."""


TextDatesLoader.yaml_implicit_resolvers = {
    first: [(tag, form) for tag, form in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in LOADER.yaml_implicit_resolvers.items()
}


class StrictLoader(LOADER):  # type: ignore[valid-type,misc]
    """As LOADER, but a mapping with a key twice, or inside of itself, is an error: Pulumi takes neither."""

    def get_single_node(self) -> yaml.Node | None:
        """The document as nodes. Raises ConstructorError."""
        root: yaml.Node | None = super().get_single_node()
        _check(root, set(), set())
        return root


def _check(node: yaml.Node | None, inside: set[yaml.Node], done: set[yaml.Node]) -> None:
    """Look through `node`, which is `inside` of these; what is `done` came by another alias."""
    if node is None or isinstance(node, yaml.ScalarNode) or node in done:
        return
    if node in inside:
        raise _error("an alias of what it is inside of; take it out", node)
    inside.add(node)
    keys = set()
    for one in node.value:
        key, value = one if isinstance(node, yaml.MappingNode) else (None, one)
        if isinstance(key, yaml.ScalarNode):
            if (key.tag, key.value) in keys:
                raise _error(f'"{key.value}" stands here twice; take one out', key)
            keys.add((key.tag, key.value))
        _check(value, inside, done)
    inside.discard(node)
    done.add(node)


def _error(problem: str, node: yaml.Node) -> yaml.YAMLError:
    return yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
