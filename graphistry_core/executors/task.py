"""From what the user passed to a callable ``task``: source, checks, fresh module. Imports errors only.

The source that is run is the source that is shipped: a callable is turned into its text first, so that what it
takes from its surroundings (closures, globals, decorators) is missed here, before a server misses it.
"""

from __future__ import annotations

import ast
import builtins
import dis
import functools
import inspect
import linecache
import sys
import textwrap
import tokenize
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..errors import InvalidTask

_FIX = "import it inside the task, write it into the task, or ship the whole file by passing its Path"


def source_of(task: Callable[..., Any] | Path | str) -> str:
    """Return the source to ship for a callable, a file (Path, or a string ending in ``.py``) or source text.

    A callable's ``def`` is renamed to ``task``; names that its source does not define raise InvalidTask naming
    them. Text is returned dedented, as PyGraphistry does.
    """
    if isinstance(task, Path) or (isinstance(task, str) and task.rstrip().endswith(".py") and "\n" not in task):
        path = Path(task)
        try:
            with tokenize.open(path) as file:  # honours a byte order mark and a coding comment, as Python does
                return file.read()
        except (OSError, UnicodeDecodeError, SyntaxError) as e:
            reason = e.strerror if isinstance(e, OSError) else "it is not text in its encoding (UTF-8 by default)"
            raise InvalidTask(f"The task file {path} cannot be read: {reason}.") from e
    if isinstance(task, str):
        return dedented(task)
    if callable(task):
        return _source_of_callable(task)
    raise InvalidTask(f"A task is a function, its source, or the path of a .py file, not a {type(task).__name__}.")


def dedented(text: str) -> str:
    """Return a source without its common indentation, as PyGraphistry sends it, unless that would change a literal."""
    flat = textwrap.dedent(text)
    try:
        same = ast.dump(parse(text)) == ast.dump(parse(flat))
    except (InvalidTask, RecursionError):
        return flat
    return flat if same else text


def _source_of_callable(task: Callable[..., Any]) -> str:
    if isinstance(task, functools.partial):
        raise InvalidTask(
            "A functools.partial cannot be shipped as source: write def task(g): … with the arguments filled in."
        )
    if inspect.ismethod(task):
        raise InvalidTask(
            f"The bound method {task.__qualname__} cannot be shipped without its object: write a function def task(g)."
        )
    if not inspect.isfunction(inspect.unwrap(task)):
        raise InvalidTask(f"A {type(task).__name__} object cannot be shipped as source: write a function def task(g).")
    if task.__name__ == "<lambda>":
        raise InvalidTask("A lambda cannot be shipped as a task: write def task(g): return …")
    try:
        text = dedented(inspect.getsource(task))
    except (OSError, TypeError) as e:
        raise InvalidTask(
            f"The source of {task.__name__} is not available (was it made by exec or typed into a plain prompt?): "
            "pass the source as text, or a .py file."
        ) from e
    if hasattr(task, "__wrapped__") and not text.lstrip().startswith("@"):
        raise InvalidTask(
            f"{task.__name__} is wrapped by a decorator that its source does not show: pass the plain function, or a "
            "file that has both."
        )
    text = _rename(text, task.__name__)
    missing = undefined_names(text)
    if missing:
        name, line = missing[0]
        others = f" (nor {', '.join(repr(n) for n, _ in missing[1:])})" if missing[1:] else ""
        raise InvalidTask(f"name {name!r} is not defined in the shipped source{others}: {_FIX}.", line=line)
    return text


def _rename(text: str, old: str) -> str:
    """Rename the first ``def old`` to ``def task``, as PyGraphistry does; the rest of the text stays as it is."""
    return text if old == "task" else text.replace(f"def {old}", "def task", 1)


def undefined_names(text: str) -> list[tuple[str, int | None]]:
    """Return (name, line) for every global name that the source uses and does not define, in order of first use.

    Read off the compiled code, so it is exactly what Python would look up; annotations that are never evaluated do
    not count.
    """
    try:
        code = compile(parse(text), "<task>", "exec", dont_inherit=True)
    except (InvalidTask, SyntaxError, RecursionError, MemoryError):
        return []  # whoever prepares the source says what is wrong with it
    used: dict[str, int | None] = {}
    defined = {*dir(builtins), "__name__", "__file__", "__doc__", "__builtins__", "__annotations__"}
    for block in _blocks(code):
        own = {i.argval for i in dis.get_instructions(block) if i.opname == "STORE_NAME"}
        for instruction in dis.get_instructions(block):
            name, kind = instruction.argval, instruction.opname
            if kind == "STORE_GLOBAL" or (kind == "STORE_NAME" and block is code):
                defined.add(name)
            elif kind == "IMPORT_STAR" or (kind == "CALL_INTRINSIC_1" and "IMPORT_STAR" in instruction.argrepr):
                return []  # nobody can know what a star brings
            elif kind in _LOOKUPS and not (block is not code and name in own):
                used.setdefault(name, instruction.positions.lineno if instruction.positions else None)
    missing = [(name, line) for name, line in used.items() if name not in defined]
    return sorted(missing, key=lambda item: (item[1] or 0, item[0]))


_LOOKUPS = {"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"}


def _blocks(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _blocks(constant)


# --- text -> tree -> module -----------------------------------------------------------------------------------


def normalize(text: str) -> str:
    """Return a source with plain line ends, and without blank lines at both ends and a byte order mark."""
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    while lines and not lines[0].strip():
        del lines[0]
    while lines and not lines[-1].strip():
        del lines[-1]
    return "\n".join(lines)


def parse(text: str) -> ast.Module:
    """Parse a task's source at any indentation; raise InvalidTask with line, column and caret."""
    text = normalize(text)
    indented = text[:1] in (" ", "\t")
    try:
        # An indented source becomes the body of an "if", so that string literals in it stay as they are.
        tree = ast.parse(f"if 1:\n{text}" if indented else text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as e:
        raise _invalid_syntax(e, 1 if indented else 0) from e
    if not indented:
        return tree
    block = tree.body[0]
    assert isinstance(block, ast.If)
    return ast.increment_lineno(ast.Module(block.body + tree.body[1:], []), -1)


def _invalid_syntax(e: BaseException, offset: int) -> InvalidTask:
    if not isinstance(e, SyntaxError):
        return InvalidTask(f"The task's source cannot be parsed: {e}.")
    line = max((e.lineno or 1) - offset, 1)
    where = f"line {line}" + (f", column {e.offset}" if e.offset else "")
    shown = (e.text or "").rstrip("\n")
    caret = f"  {shown}\n  {' ' * ((e.offset or 1) - 1)}^\n" if shown else ""
    return InvalidTask(
        f"{type(e).__name__}: {e.msg} ({where}).",
        line=line,
        column=e.offset,
        traceback=f"  {where}\n{caret}{type(e).__name__}: {e.msg}",
    )


def check(tree: ast.Module) -> None:
    """Raise InvalidTask unless the source defines, at its top, ``def task(g)`` with exactly one parameter."""
    found: ast.stmt | None = None
    for node in tree.body:
        names = [node.name] if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) else []
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        names += [target.id for target in targets if isinstance(target, ast.Name)]
        if "task" in names:
            found = node
    if found is None:
        raise InvalidTask("The source defines no function 'task' at its top level: define def task(g): …")
    line = found.lineno
    if isinstance(found, ast.AsyncFunctionDef):
        raise InvalidTask("'task' is an async function; a task is called and must return its value: use a plain def.",
                          line=line)  # fmt: skip
    if not isinstance(found, ast.FunctionDef):
        kind = "a lambda" if isinstance(getattr(found, "value", None), ast.Lambda) else "not a function"
        raise InvalidTask(f"'task' is {kind}; define it with def task(g): …", line=line)
    arguments = found.args
    count = len(arguments.posonlyargs) + len(arguments.args)
    if count != 1 or None in arguments.kw_defaults or arguments.posonlyargs:
        raise InvalidTask(
            "'task' must take exactly one parameter, the graph: define def task(g), not "
            f"def task({ast.unparse(arguments)}).",
            line=line,
        )


_OF_THE_GPU = ("cudf", "cupy", "cuml", "cugraph", "cuspatial", "rmm", "dask_cudf")


def check_imports(text: str, provided: tuple[str, ...] = ()) -> None:
    """Raise InvalidTask for an import of a GPU library that is not here, and that the task will certainly come to.

    One inside ``try``, ``if``, a loop or a function of the task's own may be meant for elsewhere, and is left to fail.
    """
    for node in _certain(parse(text).body):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [getattr(node, "module", "")]
        for name in names:
            root = (name or "").partition(".")[0]
            if root not in _OF_THE_GPU or root in provided or root in sys.modules or find_spec(root) is not None:
                continue
            shown = ast.unparse(node)
            hint = "; or let a stand-in over pandas take its place (--cudf-fallback pandas)" if root == "cudf" else ""
            raise InvalidTask(
                f"`{shown}` at line {node.lineno}: {root} is not installed here. Run the task where it is, or work on "
                f"g._edges and g._nodes, which are pandas frames here{hint}.",
                line=node.lineno,
            )


def _certain(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the imports that run whenever a task runs: of the module, and of ``task`` itself."""
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, ast.With) or (isinstance(node, ast.FunctionDef) and node.name == "task"):
            yield from _certain(node.body)


def prepare(text: str) -> str:
    """Normalize and check a source; return what will run. Raises InvalidTask; runs nothing."""
    text = normalize(text)
    check(parse(text))
    return text


@contextmanager
def loaded(text: str, run_id: str) -> Iterator[types.ModuleType]:
    """Yield a fresh module for a prepared source, to be filled by :func:`execute`.

    It is in ``sys.modules`` while the block runs (dataclasses and pickle look there), its lines are known to
    tracebacks, and both are gone after.
    """
    module = types.ModuleType(f"graphistry_task_{run_id}")
    module.__file__ = f"<task {run_id}>"
    if find_spec("graphistry") is None:
        module.__dict__["__builtins__"] = {**vars(builtins), "__import__": _import_with_alias}
    linecache.cache[module.__file__] = (len(text), None, text.splitlines(keepends=True), module.__file__)
    sys.modules[module.__name__] = module
    try:
        yield module
    finally:
        sys.modules.pop(module.__name__, None)
        linecache.cache.pop(module.__file__, None)


def compiled(text: str, filename: str) -> types.CodeType:
    """Compile a prepared source; raise InvalidTask for what only the compiler sees (``return`` outside, …)."""
    try:
        return compile(parse(text), filename, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as e:
        raise _invalid_syntax(e, 0) from e


def function_of(module: types.ModuleType) -> Callable[[Any], Any]:
    """Return the ``task`` that a module defined; raise InvalidTask when it deleted or replaced it."""
    function = module.__dict__.get("task")
    if not callable(function):
        raise InvalidTask("After the source has run, 'task' is no function any more: leave its name alone.")
    return function  # type: ignore[no-any-return]


def _import_with_alias(name: str, *args: Any, **kwargs: Any) -> Any:
    """Import for tasks where PyGraphistry is not installed: ``graphistry`` is then this library."""
    if name == "graphistry" or name.startswith("graphistry."):
        name = name.replace("graphistry", "graphistry_core", 1)
    return builtins.__import__(name, *args, **kwargs)
