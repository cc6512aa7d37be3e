"""Hashes of an entry's code: what it does counts, how it is worded or laid out does not."""

import ast
import hashlib
from collections.abc import Iterator
from pathlib import Path


def code_sha256(path: Path) -> str:
    """The SHA-256 of a module's code and of the siblings that it imports, and they import.

    Comments, layout, docstrings and decorators (hence cards) do not count.
    """
    digest = hashlib.sha256()
    for file in _with_siblings(path, seen=set()):
        tree = _Bare().visit(ast.parse(file.read_bytes()))
        digest.update(f"{file.stem}\0{ast.dump(tree)}\0".encode())
    return digest.hexdigest()


class _Bare(ast.NodeTransformer):
    """Takes docstrings and decorators out of a module's tree."""

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            node.decorator_list = []
        if isinstance(node, (ast.Module, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            node.body = [item for item in node.body if not _is_text(item)]
        return node


def _is_text(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _with_siblings(path: Path, *, seen: set[Path]) -> Iterator[Path]:
    seen.add(path)
    yield path
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.ImportFrom) and node.level == 1:
            names = [node.module] if node.module else [alias.name for alias in node.names]
            for sibling in (path.parent / f"{name}.py" for name in names):
                if sibling not in seen and sibling.exists():
                    yield from _with_siblings(sibling, seen=seen)
