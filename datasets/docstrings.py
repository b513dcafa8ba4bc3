"""Finding docstrings in the sources of installed packages, without importing them."""

from __future__ import annotations

import ast
import gc
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

# Tests, and copies of other projects, which would come twice.
_SKIPPED_FOLDERS = {"tests", "test", "testing", "__pycache__"} | {
    *("externals", "extern", "_vendor", "vendor", "vendored"),
    *("array_api_compat", "array_api_extra"),
}
_DEFINITIONS = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
# A file without this has no docstring worth reading, and need not be parsed.
_LONG_STRING = re.compile(rb'"""|\'\'\'|add_newdoc')

_NOT_PROSE = re.compile(
    r"""
      ^[ ]*>>>.*\n(?:[ ]*\S.*\n)*                    # doctests up to a blank line
    | ^[ ]*```.*\n(?:(?![ ]*```).*\n)*.*\n           # fenced code
    | ^(?P<margin>[ ]*)\.\.[ ](?:code|code-block|sourcecode|ipython|plot|math|image
        |figure|versionadded|versionchanged|deprecated|\[[^\]]*\])(?:::|\b).*\n
        (?:(?P=margin)[ ]+\S.*\n|[ ]*\n)*            # directives, with their bodies
    | ^[ ]*References\n[ ]*-+\n                      # the bibliography ...
        (?:(?![ ]*\S.*\n[ ]*---).*\n)*               # ... up to the next heading
    | ``[^`]*``                                      # code inside a sentence
    | :[\w:]+:`[^`]*`                                # roles: formulas, links
    | https?://\S+
    """,
    re.MULTILINE | re.VERBOSE,
)


def find_docstrings(package: str) -> Iterator[tuple[str, str]]:
    """Yield the dotted name and the docstring of everything in an installed package.

    Modules, classes, methods and functions, but not functions inside functions, in
    the order of the sorted paths and of the lines. Folders of tests and bundled
    copies of other packages are left out, and so are files that cannot be read or
    parsed. No code of the package is run.

    Parameters
    ----------
    package : str
        Name of a top-level package; nothing is yielded if it is not installed.
    """
    spec = find_spec(package)
    for root in (spec.submodule_search_locations or []) if spec else []:
        for path in _sources(root):
            relative = os.path.relpath(path, root).removesuffix(".py")
            parts = [package, *relative.split(os.sep)]
            if parts[-1] == "__init__":
                parts.pop()
            with _no_collection():
                found = _in_file(path, ".".join(parts))
            yield from found


def prose(docstring: str) -> str:
    """Return a docstring without doctests, code, formulas, links and references."""
    return _NOT_PROSE.sub(" \n", docstring.expandtabs().rstrip() + "\n")


def _sources(root: str) -> Iterator[str]:
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(set(folders) - _SKIPPED_FOLDERS)
        for file in sorted(files):
            if file.endswith(".py"):
                yield os.path.join(folder, file)


def _in_file(path: str, name: str) -> list[tuple[str, str]]:
    try:
        with open(path, "rb") as file:
            source = file.read()
        if not _LONG_STRING.search(source):
            return []
        with warnings.catch_warnings():
            # Other people's invalid escape sequences are not our business.
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    docstring = ast.get_docstring(tree, clean=False)
    module = [(name, docstring)] if docstring else []
    return [*module, *_in_body(tree, name)]


@contextmanager
def _no_collection() -> Iterator[None]:
    """Pause the garbage collector, which would walk each tree again and again.

    A tree holds no cycles: it is gone before the collector runs again.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _in_body(node: ast.AST, name: str) -> Iterator[tuple[str, str]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, _DEFINITIONS):
            inner = f"{name}.{child.name}"
            docstring = ast.get_docstring(child, clean=False)
            if docstring:
                yield inner, docstring
            if isinstance(child, ast.ClassDef):
                yield from _in_body(child, inner)
        elif isinstance(child, ast.If | ast.Try):
            yield from _in_body(child, name)
        elif isinstance(child, ast.Expr) and isinstance(child.value, ast.Call):
            yield from _added_later(child.value, name)


def _added_later(call: ast.Call, module: str) -> Iterator[tuple[str, str]]:
    """Docstrings of compiled functions: add_newdoc(place, name, [(member,] text)."""
    called = call.func
    if not isinstance(called, ast.Name) or called.id != "add_newdoc":
        return
    strings = list(_strings(call.args))
    if len(strings) < 2:
        return
    *names, text = strings
    if names[0].partition(".")[0] != module.partition(".")[0]:
        names.insert(0, module.rpartition(".")[0])
    yield ".".join(names), text


def _strings(arguments: list[ast.expr]) -> Iterator[str]:
    for argument in arguments:
        if isinstance(argument, ast.Tuple):
            yield from _strings(argument.elts)
        elif isinstance(argument, ast.Constant) and isinstance(argument.value, str):
            yield argument.value
