"""``let``: several patterns by name, each on the graph or on what another one found. Imports chain, ast, exceptions."""

from __future__ import annotations

from typing import Any

from .ast import ASTEdge, ASTLet, ASTNode, ASTRef, Chain
from .chain import is_plain, run
from .exceptions import ErrorCode, GFQLValidationError
from .filter_by_dict import NotOurs
from .prepared import in_pandas, with_nodes


def reduces(let: ASTLet) -> bool:
    """Say whether all that a let names is a pattern that this package runs."""
    return all(_reduces(value) for value in let.bindings.values())


def _reduces(value: Any) -> bool:
    if isinstance(value, ASTLet):
        return reduces(value)
    pattern = _pattern(value)
    return pattern is not None and is_plain(pattern)


def _pattern(value: Any) -> Chain | None:
    """Return the steps of a binding, or None for what has none."""
    if isinstance(value, ASTNode | ASTEdge):
        return Chain([value])
    if isinstance(value, ASTRef):
        return Chain(value.chain)
    return value if isinstance(value, Chain) else None


def run_let(g: Any, let: ASTLet, output: str | None = None, outer: dict[str, Any] | None = None) -> Any:
    """Run what a let names, each after what it refers to; return the one asked for, else the last that was run.

    Raises GFQLValidationError for a name that is not there, and for names that need each other; RuntimeError, as
    PyGraphistry, with the name of what failed otherwise.
    """
    let.validate()
    g = with_nodes(in_pandas(g))
    found: dict[str, Any] = dict(outer or {})
    order = _order(let.bindings, set(found))
    for name in order:
        value = let.bindings[name]
        if isinstance(value, ASTLet):
            found[name] = run_let(g, value, outer=found)
            continue
        pattern = _pattern(value)
        assert pattern is not None
        try:
            found[name] = run(found[value.ref] if isinstance(value, ASTRef) else g, pattern)
        except (GFQLValidationError, NotImplementedError, NotOurs):
            raise
        except Exception as e:
            raise RuntimeError(f"Failed in {name!r} of the let: {type(e).__name__}: {e}") from e
    if not order:
        return g
    asked = order[-1] if output is None else output
    if asked not in found:
        raise GFQLValidationError(
            ErrorCode.E151,
            f"Output binding '{asked}' not found. Available bindings: {sorted(order)}",
            field="output",
            value=asked,
        )
    return found[asked]


def _needs(value: Any, bound: frozenset[str] = frozenset()) -> set[str]:
    """Return the names that a binding refers to, but for those that it binds itself."""
    if isinstance(value, ASTRef):
        return {value.ref} - bound
    if isinstance(value, ASTLet):
        inner = bound | frozenset(value.bindings)
        return {name for each in value.bindings.values() for name in _needs(each, inner)}
    return set()


def _order(bindings: dict[str, Any], outer: set[str]) -> list[str]:
    """Return names after what they need; of several that could come, the one that became possible first."""
    needs = {name: _needs(value) for name, value in bindings.items()}
    for name, names in needs.items():
        missing = sorted(names - set(bindings) - outer)
        if missing:
            raise GFQLValidationError(
                ErrorCode.E151,
                f"'{name}' refers to {missing}, which nothing is named. There are: {sorted({*bindings, *outer})}",
                field=name,
            )
    waiting = {name: names & set(bindings) for name, names in needs.items()}
    ready = [name for name, names in waiting.items() if not names]
    order: list[str] = []
    while ready:
        order.append(ready.pop(0))
        for name, names in waiting.items():
            if order[-1] in names:
                names.discard(order[-1])
                if not names:
                    ready.append(name)
    if len(order) < len(bindings):
        stuck = [name for name in bindings if name not in order]
        raise GFQLValidationError(ErrorCode.E153, f"These names need each other, or themselves: {', '.join(stuck)}")
    return order
