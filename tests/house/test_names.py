"""One name for one thing: class names are unique, and the glossary names what there is."""

from __future__ import annotations

import ast
from collections import defaultdict

from tests.house.source import modules, tree


def test_no_two_classes_have_one_name() -> None:
    """A reader who meets a class by its name finds one."""
    homes = defaultdict(list)
    for path in modules("."):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ClassDef):
                homes[node.name].append(str(path))
    assert not {name: paths for name, paths in homes.items() if len(paths) > 1}
