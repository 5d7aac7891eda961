"""Rewrite NumPy's test modules in memory, as they are imported.

Patching `numpy.save` itself would also change NumPy for ndbytes, which hands some calls on to it.
Rewriting the test's source changes only what the test calls. The module keeps its name, its
`__file__` and its line numbers, so data files, fixtures and tracebacks work as they do in NumPy.
"""

from __future__ import annotations

import ast
import importlib.abc
import importlib.machinery
import importlib.util
import types
from collections.abc import Mapping, Sequence
from pathlib import Path

from .selection import Source
from .substitutes import Substitutes

HANDLE = "__conformance__"


class Replacer(ast.NodeTransformer):
    """Turn the expressions that a source names into lookups on the substitutes."""

    def __init__(self, source: Source) -> None:
        self.names = source.replaces
        self.methods = source.methods

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """Replace a name that the test imported from NumPy, such as `memmap`."""
        return self._lookup(node) or node

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        """Replace `np.save`, `format.read_array` and the methods of arrays."""
        found = self._lookup(node)
        if found is not None:
            return found
        self.generic_visit(node)
        if node.attr in self.methods and isinstance(node.ctx, ast.Load):
            return self._call("method", node, node.value, ast.Constant(node.attr))
        return node

    def _lookup(self, node: ast.Name | ast.Attribute) -> ast.expr | None:
        name = self.names.get(_dotted(node))
        if name is None or not isinstance(node.ctx, ast.Load):
            return None
        return self._call("get", node, ast.Constant(name))

    @staticmethod
    def _call(function: str, place: ast.expr, *args: ast.expr) -> ast.expr:
        owner = ast.Name(HANDLE, ast.Load())
        call = ast.Call(ast.Attribute(owner, function, ast.Load()), list(args), [])
        return ast.fix_missing_locations(ast.copy_location(call, place))


def _dotted(node: ast.expr) -> str:
    """Return `a.b.c` for such a chain of names, and "" for any other expression."""
    match node:
        case ast.Name(name):
            return name
        case ast.Attribute(owner, name) if dotted := _dotted(owner):
            return f"{dotted}.{name}"
    return ""


def rewrite(text: str | bytes, source: Source, filename: str = "<test>") -> ast.Module:
    """Return the tree of a test module with its NumPy calls replaced."""
    return Replacer(source).visit(ast.parse(text, filename))


class Loader(importlib.machinery.SourceFileLoader):
    """Load a test module from its rewritten tree, and never from or to a cached .pyc."""

    def __init__(self, name: str, path: str, source: Source, substitutes: Substitutes) -> None:
        super().__init__(name, path)
        self._source = source
        self._substitutes = substitutes

    def get_code(self, fullname: str) -> types.CodeType:
        """Compile the rewritten source under the name of the file on disk."""
        path = self.get_filename(fullname)
        return compile(rewrite(self.get_data(path), self._source, path), path, "exec")

    def exec_module(self, module: types.ModuleType) -> None:
        """Give the module its substitutes before its first line runs."""
        setattr(module, HANDLE, self._substitutes)
        super().exec_module(module)


class Finder(importlib.abc.MetaPathFinder):
    """Answer for the chosen test files alone; everything else is imported as always.

    They are known by path and not by name: `numpy/_core/tests` is no package, so pytest imports
    what is in there as top-level modules.
    """

    def __init__(self, sources: Mapping[Path, Source], substitutes: Substitutes) -> None:
        self._sources = sources
        self._substitutes = substitutes
        self._names = {path.stem for path in sources}

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: types.ModuleType | None = None,
    ) -> importlib.machinery.ModuleSpec | None:
        """Return a spec with the rewriting loader for a chosen file."""
        if fullname.rpartition(".")[2] not in self._names:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.origin is None:
            return None
        source = self._sources.get(Path(spec.origin).resolve())
        if source is None:
            return None
        loader = Loader(fullname, spec.origin, source, self._substitutes)
        return importlib.util.spec_from_file_location(fullname, spec.origin, loader=loader)
