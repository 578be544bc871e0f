"""The parts of a pattern: nodes, edges, and the chain of them, as PyGraphistry's classes of the same names.

``n``, ``e_forward``, ``e_reverse``, ``e_undirected`` and ``e`` make them. What else PyGraphistry has here
(``call``, ``remote``, …) is its own, when it is installed. May import bridge, conditions, exceptions, what parts are
made of.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from typing import Any, ClassVar

from . import bridge, conditions
from .ASTSerializable import ASTSerializable, expect, is_json
from .exceptions import ErrorCode, GFQLSyntaxError, GFQLTypeError, GFQLValidationError

DIRECTIONS = ("forward", "reverse", "undirected")


class ASTObject(ASTSerializable):
    """A step of a pattern; ``name`` marks what it matches with a column of that name."""

    def __init__(self, name: str | None = None) -> None:
        self._name = name


def is_predicate(value: Any) -> bool:
    """Say whether a value is a predicate, ours or PyGraphistry's."""
    return callable(value) and hasattr(value, "to_json")


def _check_filter(name: str, found: Any) -> None:
    if found is None:
        return
    if not isinstance(found, dict):
        raise GFQLTypeError(ErrorCode.E201, f"{name} must be a dictionary", field=name, value=type(found).__name__,
                            suggestion=f"Use {name}={{'column': 'value'}}")  # fmt: skip
    for key, value in found.items():
        if not isinstance(key, str):
            raise GFQLTypeError(ErrorCode.E102, "Filter keys must be strings", field=f"{name}.{key}", value=key,
                                suggestion="Use string column names as keys")  # fmt: skip
        if not is_predicate(value) and not is_json(value):
            raise GFQLTypeError(ErrorCode.E201, "Filter values must be predicates or JSON-serializable",
                                field=f"{name}.{key}", value=type(value).__name__,
                                suggestion="Use predicates like gt(5) or simple values")  # fmt: skip
        if key.startswith("__gfql_") and key.endswith("__"):
            raise GFQLTypeError(ErrorCode.E102, f"The column {key!r} is internal", field=f"{name}.{key}", value=key)


def _predicates_in(*filters: Any) -> list[Any]:
    return [value for found in filters if isinstance(found, dict) for value in found.values()
            if isinstance(value, ASTSerializable)]  # fmt: skip


def _written(found: dict[str, Any]) -> dict[str, Any]:
    return {key: value.to_json() if is_predicate(value) else value for key, value in found.items()}


def _read(d: dict[str, Any], key: str) -> dict[str, Any] | None:
    found = d.get(key)
    if found is None:
        return None
    if not isinstance(found, dict):
        raise ValueError(f"{key} must be an object or null, not {found!r}.")  # noqa: TRY004 - as PyGraphistry
    return {name: conditions.from_json(value) if isinstance(value, dict) else value for name, value in found.items()}


class ASTNode(ASTObject):
    """Nodes whose columns match ``filter_dict`` (values, lists, predicates) and ``query`` (pandas')."""

    def __init__(self, filter_dict: Any = None, name: str | None = None, query: str | None = None) -> None:
        super().__init__(name)
        self.filter_dict = None if filter_dict == {} else filter_dict
        self.query = query

    def __repr__(self) -> str:
        return f"ASTNode(filter_dict={self.filter_dict}, name={self._name})"

    def _validate_fields(self) -> None:
        _check_filter("filter_dict", self.filter_dict)
        expect(self._name, (str, type(None)), "name", "a string", ErrorCode.E204)
        expect(self.query, (str, type(None)), "query", "a string", ErrorCode.E205)

    def _get_child_validators(self) -> Sequence[ASTSerializable]:
        return _predicates_in(self.filter_dict)

    def to_json(self, validate: bool = True) -> dict[str, Any]:
        """Return the step as JSON."""
        if validate:
            self.validate()
        said = {"name": self._name, "query": self.query}
        return {"type": "Node", "filter_dict": _written(self.filter_dict or {}),
                **{key: value for key, value in said.items() if value is not None}}  # fmt: skip

    @classmethod
    def from_json(cls, d: dict[str, Any], validate: bool = True) -> ASTNode:
        """Return the step that a JSON object describes."""
        made = ASTNode(_read(d, "filter_dict"), d.get("name"), d.get("query"))
        if validate:
            made.validate()
        return made

    def reverse(self) -> ASTNode:
        """Return itself."""
        return self


class ASTEdge(ASTObject):
    """One or more steps over edges, with what holds at each; see :meth:`Plottable.hop` for the parameters."""

    _HOPS: ClassVar[tuple[str, ...]] = ("min_hops", "max_hops", "output_min_hops", "output_max_hops")
    _LABELS: ClassVar[tuple[str, ...]] = ("label_node_hops", "label_edge_hops")
    _QUERIES: ClassVar[tuple[str, ...]] = ("source_node_query", "destination_node_query", "edge_query")
    _MATCHES: ClassVar[tuple[str, ...]] = ("source_node_match", "edge_match", "destination_node_match")

    def __init__(
        self,
        direction: Any = "forward",
        edge_match: Any = None,
        hops: Any = 1,
        min_hops: Any = None,
        max_hops: Any = None,
        output_min_hops: Any = None,
        output_max_hops: Any = None,
        label_node_hops: Any = None,
        label_edge_hops: Any = None,
        label_seeds: bool = False,
        to_fixed_point: bool = False,
        source_node_match: Any = None,
        destination_node_match: Any = None,
        source_node_query: Any = None,
        destination_node_query: Any = None,
        edge_query: Any = None,
        name: str | None = None,
        prune_to_endpoints: bool = False,
        include_zero_hop_seed: bool = False,
    ) -> None:
        super().__init__(name)
        if direction not in DIRECTIONS:
            raise ValueError('direction must be one of "forward", "reverse", or "undirected"')
        self.hops, self.min_hops, self.max_hops = hops, min_hops, max_hops
        self.output_min_hops, self.output_max_hops = output_min_hops, output_max_hops
        self.label_node_hops, self.label_edge_hops, self.label_seeds = label_node_hops, label_edge_hops, label_seeds
        self.to_fixed_point, self.direction = to_fixed_point, direction
        self.source_node_match = None if source_node_match == {} else source_node_match
        self.edge_match = None if edge_match == {} else edge_match
        self.destination_node_match = None if destination_node_match == {} else destination_node_match
        self.source_node_query, self.destination_node_query = source_node_query, destination_node_query
        self.edge_query = edge_query
        self.prune_to_endpoints, self.include_zero_hop_seed = prune_to_endpoints, include_zero_hop_seed

    def __repr__(self) -> str:
        said = ", ".join(f"{name}={value}" for name, value in self.__dict__.items() if name != "_name")
        return f"ASTEdge({said}, name={self._name})"

    def _validate_fields(self) -> None:
        self._validate_hops()
        for name in self._LABELS:
            expect(getattr(self, name), (str, type(None)), name, "a string", ErrorCode.E204)
        for name in ("label_seeds", "to_fixed_point", "include_zero_hop_seed"):
            expect(getattr(self, name), bool, name, "a boolean")
        for name in self._MATCHES:
            _check_filter(name, getattr(self, name))
        expect(self._name, (str, type(None)), "name", "a string", ErrorCode.E204)
        for name in self._QUERIES:
            expect(getattr(self, name), (str, type(None)), name, "a string", ErrorCode.E205)

    def _validate_hops(self) -> None:
        if self.hops is not None and (not isinstance(self.hops, int) or self.hops < 1):
            raise GFQLTypeError(
                ErrorCode.E103,
                "hops must be a positive integer or None",
                field="hops",
                value=self.hops,
                suggestion="Use hops=2, or to_fixed_point=True for any number",
            )
        for name in self._HOPS:
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int) or value < 0):
                raise GFQLTypeError(
                    ErrorCode.E103, f"{name} must be a non-negative integer or None", field=name, value=value
                )
        for low, high in (("min_hops", "max_hops"), ("output_min_hops", "output_max_hops"),
                          ("output_min_hops", "max_hops"), ("min_hops", "output_max_hops")):  # fmt: skip
            a, b = getattr(self, low), getattr(self, high)
            if a is not None and b is not None and a > b:
                raise GFQLTypeError(ErrorCode.E103, f"{low} cannot exceed {high}", field=low, value=a,
                                    suggestion=f"Set {low} <= {high}")  # fmt: skip

    def _get_child_validators(self) -> Sequence[ASTSerializable]:
        return _predicates_in(*(getattr(self, name) for name in self._MATCHES))

    def to_json(self, validate: bool = True) -> dict[str, Any]:
        """Return the step as JSON."""
        if validate:
            self.validate()
        ranged = self.to_fixed_point or any(getattr(self, name) is not None for name in self._HOPS)
        made: dict[str, Any] = {"type": "Edge", "hops": None if self.hops == 1 and ranged else self.hops}
        made |= {name: getattr(self, name) for name in (*self._HOPS, *self._LABELS) if getattr(self, name) is not None}
        if self.label_seeds:
            made["label_seeds"] = self.label_seeds
        made |= {"to_fixed_point": self.to_fixed_point, "direction": self.direction}
        made |= {name: _written(getattr(self, name)) for name in self._MATCHES if getattr(self, name) is not None}
        if self._name is not None:
            made["name"] = self._name
        made |= {name: getattr(self, name) for name in self._QUERIES if getattr(self, name) is not None}
        if self.include_zero_hop_seed:
            made["include_zero_hop_seed"] = True
        return made

    @classmethod
    def from_json(cls, d: dict[str, Any], validate: bool = True) -> ASTEdge:
        """Return the step that a JSON object describes."""
        given = {name: _read(d, name) for name in cls._MATCHES}
        for name in (*cls._HOPS, *cls._LABELS, *cls._QUERIES, "hops", "name"):
            given[name] = d.get(name)
        for name in ("label_seeds", "to_fixed_point", "include_zero_hop_seed"):
            given[name] = d.get(name, False)
        made: ASTEdge = cls._of(d.get("direction"), given)
        if validate:
            made.validate()
        return made

    @classmethod
    def _of(cls, direction: Any, given: dict[str, Any]) -> Any:
        return ASTEdge(direction, **given)

    def is_simple_single_hop(self) -> bool:
        """Say whether the step is one over one edge, and nothing is labelled or cut."""
        low = self.min_hops if self.min_hops is not None else self.hops if isinstance(self.hops, int) else 1
        high = self.max_hops if self.max_hops is not None else self.hops if isinstance(self.hops, int) else low
        odd = (self.label_node_hops, self.label_edge_hops, self.label_seeds)
        cut = (self.output_min_hops, self.output_max_hops)
        return low == high == 1 and not self.to_fixed_point and not any(odd) and cut == (None, None)

    def reverse(self) -> ASTEdge:
        """Return the step as it is taken from the other end."""
        turned = {"forward": "reverse", "reverse": "forward"}.get(self.direction, "undirected")
        given = {k: v for k, v in self.__dict__.items() if k not in ("_name", "direction", "prune_to_endpoints")}
        given |= dict.fromkeys(("min_hops", "output_min_hops", "output_max_hops"))
        for kind in ("match", "query"):
            given[f"source_node_{kind}"] = getattr(self, f"destination_node_{kind}")
            given[f"destination_node_{kind}"] = getattr(self, f"source_node_{kind}")
        return ASTEdge(turned, **given)


class _Directed(ASTEdge):
    _direction: ClassVar[str]

    def __init__(
        self,
        edge_match: Any = None,
        hops: Any = 1,
        min_hops: Any = None,
        max_hops: Any = None,
        output_min_hops: Any = None,
        output_max_hops: Any = None,
        label_node_hops: Any = None,
        label_edge_hops: Any = None,
        label_seeds: bool = False,
        source_node_match: Any = None,
        destination_node_match: Any = None,
        to_fixed_point: bool = False,
        name: str | None = None,
        source_node_query: Any = None,
        destination_node_query: Any = None,
        edge_query: Any = None,
        prune_to_endpoints: bool = False,
        include_zero_hop_seed: bool = False,
    ) -> None:
        given = {key: value for key, value in locals().items() if key not in ("self", "__class__")}
        super().__init__(self._direction, **given)

    @classmethod
    def _of(cls, direction: Any, given: dict[str, Any]) -> Any:
        return cls(**given)


class ASTEdgeForward(_Directed):
    """Steps from source to destination."""

    _direction = "forward"


class ASTEdgeReverse(_Directed):
    """Steps from destination to source."""

    _direction = "reverse"


class ASTEdgeUndirected(_Directed):
    """Steps either way."""

    _direction = "undirected"


n = ASTNode
e_forward, e_reverse, e_undirected, e = ASTEdgeForward, ASTEdgeReverse, ASTEdgeUndirected, ASTEdgeUndirected


class Chain(ASTSerializable):
    """A pattern: a list of steps."""

    def __init__(self, chain: list[Any], where: Any = None, validate: bool = True) -> None:
        self.chain, self.where = chain, list(where or [])
        if validate:
            self.validate()

    def _faults(self) -> Iterator[GFQLValidationError]:
        if not isinstance(self.chain, list):
            yield GFQLTypeError(ErrorCode.E101, f"Chain must be a list, but got {type(self.chain).__name__}. "
                                                "Wrap your operations in a list [].")  # fmt: skip
            return
        for i, op in enumerate(self.chain):
            if not isinstance(op, ASTObject):
                yield GFQLTypeError(
                    ErrorCode.E101,
                    f"Chain operation at index {i} is not a valid GFQL operation. Got {type(op).__name__} instead of "
                    "an ASTObject.",
                    operation_index=i,
                    actual_type=type(op).__name__,
                    suggestion="Use n() for nodes, e() for edges, or other GFQL operations",
                )

    def _get_child_validators(self) -> Sequence[ASTSerializable]:
        return [op for op in self.chain if isinstance(op, ASTObject)] if isinstance(self.chain, list) else []

    def to_json(self, validate: bool = True) -> dict[str, Any]:
        """Return the pattern as JSON, as it goes over the wire."""
        if validate:
            self.validate()
        return {
            "type": "Chain",
            "chain": [op.to_json() for op in self.chain],
            **({"where": self.where} if self.where else {}),
        }

    @classmethod
    def from_json(cls, d: dict[str, Any], validate: bool = True) -> Chain:
        """Return the pattern that a JSON object describes; raise GFQLSyntaxError for what describes none."""
        if not isinstance(d, dict):
            raise GFQLSyntaxError(ErrorCode.E101, f"Chain JSON must be a dictionary, got {type(d).__name__}")
        if "chain" not in d:
            raise GFQLSyntaxError(ErrorCode.E105, "Chain JSON missing required 'chain' field")
        if not isinstance(d["chain"], list):
            raise GFQLSyntaxError(ErrorCode.E101, f"Chain field must be a list, got {type(d['chain']).__name__}")
        return cls([from_json(op, validate=validate) for op in d["chain"]], d.get("where"), validate)


class ASTRef(ASTObject):
    """Steps on what another name of a :class:`ASTLet` found."""

    def __init__(self, ref: str, chain: list[Any]) -> None:
        super().__init__()
        self.ref, self.chain = ref, chain

    def _validate_fields(self) -> None:
        expect(self.ref, str, "ref", "a string")
        if not self.ref:
            raise GFQLTypeError(ErrorCode.E106, "ref cannot be empty", field="ref", value=self.ref)
        expect(self.chain, list, "chain", "a list")
        for i, op in enumerate(self.chain):
            if not hasattr(op, "to_json"):
                raise GFQLTypeError(ErrorCode.E201, f"chain[{i}] must be ASTObject", field=f"chain[{i}]",
                                    value=type(op).__name__)  # fmt: skip

    def _get_child_validators(self) -> Sequence[ASTSerializable]:
        return [op for op in self.chain if isinstance(op, ASTSerializable)]

    def to_json(self, validate: bool = True) -> dict[str, Any]:
        """Return it as JSON."""
        if validate:
            self.validate()
        return {"type": "Ref", "ref": self.ref, "chain": [op.to_json() for op in self.chain]}

    @classmethod
    def from_json(cls, d: dict[str, Any], validate: bool = True) -> ASTRef:
        """Return what a JSON object describes; raise GFQLSyntaxError for what describes none."""
        for field in ("ref", "chain"):
            if field not in d:
                raise GFQLSyntaxError(ErrorCode.E105, f"Ref missing {field}", field=field)
        if not isinstance(d["chain"], list):
            raise GFQLSyntaxError(ErrorCode.E101, "The chain of a ref must be a list", field="chain", value=d["chain"])
        made = cls(d["ref"], [from_json(op, validate) for op in d["chain"]])
        if validate:
            made.validate()
        return made

    def reverse(self) -> ASTRef:
        """Return it with its steps taken from the other end."""
        return ASTRef(self.ref, [op.reverse() for op in reversed(self.chain)])


class ASTLet(ASTObject):
    """Patterns by name: steps, chains (or lists of steps), refs to other names, lets; JSON of these is read."""

    def __init__(self, bindings: dict[str, Any], validate: bool = True) -> None:
        super().__init__()
        self.bindings = {name: _binding(name, value) for name, value in bindings.items()}
        if validate:
            self.validate()

    def _validate_fields(self) -> None:
        for name, value in self.bindings.items():
            if not isinstance(name, str):
                raise GFQLTypeError(ErrorCode.E102, "binding key must be string", field=f"bindings.{name}",
                                    value=type(name).__name__)  # fmt: skip
            if not hasattr(value, "to_json") and not hasattr(value, "_edges"):
                raise GFQLTypeError(ErrorCode.E201, "binding value must be a valid operation", field=f"bindings.{name}",
                                    value=type(value).__name__,
                                    suggestion="Use a valid graph operation or matcher")  # fmt: skip

    def _get_child_validators(self) -> Sequence[ASTSerializable]:
        return [value for value in self.bindings.values() if isinstance(value, ASTSerializable)]

    def to_json(self, validate: bool = True) -> dict[str, Any]:
        """Return it as JSON; raise ValueError for a graph among the bindings, which has none."""
        if validate:
            self.validate()
        for value in self.bindings.values():
            if not hasattr(value, "to_json"):
                raise ValueError(f"Cannot serialize {type(value).__name__} to JSON")
        return {"type": "Let", "bindings": {name: value.to_json() for name, value in self.bindings.items()}}

    @classmethod
    def from_json(cls, d: dict[str, Any], validate: bool = True) -> ASTLet:
        """Return what a JSON object describes; raise GFQLSyntaxError for what describes none."""
        if not isinstance(d.get("bindings"), dict):
            raise GFQLSyntaxError(ErrorCode.E105, "Let missing bindings")
        return cls(d["bindings"], validate)


let, ref = ASTLet, ASTRef


def _binding(name: Any, value: Any) -> Any:
    if isinstance(value, list):
        return Chain([from_json(op, False) if isinstance(op, dict) else op for op in value], validate=False)
    if not isinstance(value, dict):
        return value
    if "type" not in value:
        raise ValueError(f"JSON binding '{name}' missing 'type' field")
    return Chain.from_json(value, False) if value["type"] == "Chain" else from_json(value, False)


def from_json(o: Any, validate: bool = True) -> Any:
    """Return the step that a JSON object describes; raise GFQLSyntaxError for one that is neither node nor edge."""
    if not isinstance(o, dict):
        raise GFQLSyntaxError(ErrorCode.E101, "AST JSON must be a dictionary", value=type(o).__name__)
    if "type" not in o:
        raise GFQLSyntaxError(ErrorCode.E105, "AST JSON missing required 'type' field",
                              suggestion="Add 'type' field: 'Node' or 'Edge'")  # fmt: skip
    if o["type"] == "Node":
        return ASTNode.from_json(o, validate)
    if o["type"] in ("Let", "Ref"):
        return (ASTLet if o["type"] == "Let" else ASTRef).from_json(o, validate)
    if o["type"] != "Edge":
        if bridge.available():
            return bridge.step(o, validate)
        raise GFQLSyntaxError(ErrorCode.E101, f"Unknown AST type: {o['type']}", field="type", value=o["type"],
                              suggestion="Use 'Node' or 'Edge'")  # fmt: skip
    kinds: dict[Any, type[ASTEdge]] = {
        "forward": ASTEdgeForward, "reverse": ASTEdgeReverse, "undirected": ASTEdgeUndirected,
    }  # fmt: skip
    direction = o.get("direction")
    if direction is None:
        raise GFQLSyntaxError(ErrorCode.E105, "Edge missing required 'direction' field",
                              suggestion="Add direction: 'forward', 'reverse', or 'undirected'")  # fmt: skip
    if direction not in kinds:
        raise GFQLSyntaxError(ErrorCode.E104, f"Edge has unknown direction: {direction}", field="direction",
                              value=direction, suggestion='Use "forward", "reverse", or "undirected"')  # fmt: skip
    return kinds[direction].from_json(o, validate)


_EDGES = ("ASTEdge", "ASTEdgeForward", "ASTEdgeReverse", "ASTEdgeUndirected")


def as_chain(query: Any) -> Chain | None:
    """Return a query as a chain of our own steps, whoever's they are; None for what is something else.

    Steps of PyGraphistry's are taken over with their predicates. Raises GFQLTypeError for a list of other things.
    """
    if isinstance(query, Chain):
        return query
    kind = type(query).__name__
    if kind == "Chain" and hasattr(query, "chain"):
        return None if getattr(query, "where", None) else as_chain(query.chain)
    if isinstance(query, dict):
        if query.get("type") != "Chain" or query.get("where"):
            return None
        return as_chain(list(query.get("chain", [])))
    if isinstance(query, list | tuple):
        ops = [_as_step(op) for op in query]
        return None if any(op is None for op in ops) else Chain(ops)
    step = _as_step(query) if kind == "ASTNode" or kind in _EDGES else None
    return None if step is None else Chain([step])


def as_let(query: Any) -> ASTLet | None:
    """Return a query as a let of our own parts, whoever's they are; None for what is none, or has parts of others."""
    if isinstance(query, ASTLet):
        made = query
    elif isinstance(query, dict) and query.get("type") == "Let":
        made = ASTLet.from_json(query)
    elif type(query).__name__ == "ASTLet" and hasattr(query, "bindings"):
        made = ASTLet(dict(query.bindings), validate=False)
    else:
        return None
    bindings = {name: _own(value) for name, value in made.bindings.items()}
    return None if any(value is None for value in bindings.values()) else ASTLet(bindings)


def _own(value: Any) -> Any:
    """Return a binding in our own classes, or None."""
    if type(value).__name__ == "ASTLet":
        return as_let(value)
    if type(value).__name__ == "ASTRef":
        chain = as_chain(list(value.chain))
        return None if chain is None else ASTRef(value.ref, list(chain.chain))
    return as_chain(value) if hasattr(value, "to_json") else None


def _as_step(op: Any) -> Any:
    if isinstance(op, ASTNode | ASTEdge):
        return op
    if isinstance(op, dict) and op.get("type") in ("Node", "Edge"):
        return from_json(op)
    kind = type(op).__name__
    if kind == "ASTNode" and hasattr(op, "filter_dict"):
        return ASTNode(op.filter_dict, op._name, op.query)
    if kind in _EDGES and hasattr(op, "edge_match"):
        names = [name for name in vars(ASTEdge()) if name != "_name"]
        return ASTEdge(**{name: getattr(op, name) for name in names if hasattr(op, name)}, name=op._name)
    if isinstance(op, dict) or hasattr(op, "to_json"):
        return None  # PyGraphistry's, or JSON of it
    return op  # what it is not is said by the chain


def _theirs(name: str) -> Any:
    if find_spec("graphistry") is None:
        return None
    from graphistry.compute import ast

    return getattr(ast, name, None)


def __getattr__(name: str) -> Any:
    found = None if name.startswith("_") else getattr(conditions, name, None) or _theirs(name)
    if found is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return found
