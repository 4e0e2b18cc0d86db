"""Where each key of a YAML text stands, and keys that stand twice (YAML keeps the last one and says nothing)."""

from __future__ import annotations

import yaml

Key = tuple[str | int, ...]


def lines_of(text: str) -> tuple[dict[Key, int], list[str]]:
    """Line of every key and list item, from 1, by its path; and one sentence for each key given twice.

    Raises:
        yaml.YAMLError: `text` is not YAML.
    """
    lines: dict[Key, int] = {}
    twice: list[str] = []
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if root is not None:
        _walk(root, (), lines, twice, set())
    return lines, twice


def _walk(node: yaml.Node, path: Key, lines: dict[Key, int], twice: list[str], above: set[int]) -> None:
    if id(node) in above:  # an alias of a node that holds it: YAML allows the knot, our params cannot be one
        return
    above = above | {id(node)}
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            name, line = str(key.value), key.start_mark.line + 1
            if name in seen and name != "<<":
                where = ".".join(str(part) for part in (*path, name))
                twice.append(f"  line {line}: {where} was given before, on line {seen[name]}")
            seen[name] = line
            lines[(*path, name)] = line
            _walk(value, (*path, name), lines, twice, above)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            lines[(*path, index)] = item.start_mark.line + 1
            _walk(item, (*path, index), lines, twice, above)
