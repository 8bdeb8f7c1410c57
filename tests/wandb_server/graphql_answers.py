"""Answer a GraphQL request by really reading it: parse the document, then project it over plain values.

The types of the server are a table: the name of a type to its fields, a field to the function that resolves it and to the
arguments that it takes. An object of a type is a `Thing`. What a request asks for and the table does not have is told to
`Unknown`, so that a test can say that there was none of it, and refused as a GraphQL server refuses it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from types import ModuleType
from typing import Any


def _parser_alone() -> None:
    """Let `graphql.language` be imported without the rest of `graphql`, which takes most of a second."""
    found = find_spec("graphql")
    if found is None or "graphql" in sys.modules:
        return
    package = ModuleType("graphql")
    package.__path__ = list(found.submodule_search_locations or ())
    sys.modules["graphql"] = package


_parser_alone()

from graphql.language import ast, parser  # noqa: E402 - after the package that it would import


class GraphQLError(Exception):
    """An answer that is an error; `status` is that of the whole HTTP answer."""

    def __init__(self, message: str, status: int = 200) -> None:
        super().__init__(message)
        self.status = status


class UnmodelledError(GraphQLError):
    """Something that the service has and this server does not; it is told as unknown."""


@dataclass(frozen=True)
class Field:
    """How a field is resolved: `resolve(world, value, arguments)`, and the names of the arguments it takes."""

    resolve: Callable[[Any, Any, Mapping[str, Any]], object]
    takes: frozenset[str] = frozenset()


def of(resolve: Callable[[Any, Any, Mapping[str, Any]], object], takes: str = "") -> Field:
    """Make a field of a function and the names of its arguments, with blanks between them."""
    return Field(resolve, frozenset(takes.split()))


def attribute(name: str) -> Field:
    """Make a field of an attribute of the value."""
    return Field(lambda _world, value, _given: getattr(value, name))


def constant(value: object) -> Field:
    """Make a field that always has this value."""
    return Field(lambda _world, _value, _given: value)


@dataclass(frozen=True)
class Thing:
    """An object of a type of the server."""

    typename: str
    value: Any = None


@dataclass
class Schema:
    """The types of the server, and the interfaces and unions that some of them belong to."""

    types: dict[str, dict[str, Field]]
    belongs: dict[str, frozenset[str]]

    def matches(self, typename: str, condition: str | None) -> bool:
        """Tell whether a fragment on `condition` is about this type."""
        return condition is None or condition == typename or condition in self.belongs.get(typename, frozenset())


@dataclass
class Request:
    """A parsed request: what a person calls it, all field names in it, and what to project."""

    operation: ast.OperationDefinitionNode
    fragments: dict[str, ast.FragmentDefinitionNode]
    variables: dict[str, Any]
    names: frozenset[str] = field(default_factory=frozenset)

    @property
    def name(self) -> str:
        """The operation's own name, in the document: clients leave `operationName` empty."""
        return self.operation.name.value if self.operation.name else ""


def read(query: str, operation_name: str, variables: Mapping[str, Any]) -> Request:
    """Parse a document and pick the operation that is meant.

    Raises:
        GraphQLError: it is no document, or the operation or a variable is missing.
    """
    try:
        document = parser.parse(query, no_location=True)
    except Exception as error:
        raise GraphQLError(f"Syntax Error: {error}", 400) from error
    operations = [each for each in document.definitions if isinstance(each, ast.OperationDefinitionNode)]
    fragments = {each.name.value: each for each in document.definitions if isinstance(each, ast.FragmentDefinitionNode)}
    meant = [each for each in operations if not operation_name or (each.name and each.name.value == operation_name)]
    if len(meant) != 1:
        raise GraphQLError(f"Unknown operation named `{operation_name}`", 400)
    names = frozenset(
        node.name.value for each in [*operations, *fragments.values()] for node in _fields_in(each.selection_set)
    )
    return Request(meant[0], fragments, _variables(meant[0], variables), names)


def _fields_in(selections: ast.SelectionSetNode | None) -> Iterator[ast.FieldNode]:
    for node in selections.selections if selections else ():
        if isinstance(node, ast.FieldNode):
            yield node
        if isinstance(node, ast.FieldNode | ast.InlineFragmentNode):
            yield from _fields_in(node.selection_set)


def _variables(operation: ast.OperationDefinitionNode, given: Mapping[str, Any]) -> dict[str, Any]:
    """Settle the declared variables: given, by default, or missing; one that was not declared is not there."""
    settled = {}
    for declared in operation.variable_definitions or ():
        name = declared.variable.name.value
        if name in given:
            settled[name] = given[name]
        elif declared.default_value is not None:
            settled[name] = _plain(declared.default_value, {})
        if isinstance(declared.type, ast.NonNullTypeNode) and settled.get(name) is None:
            raise GraphQLError(f"Variable `${name}` of a non-null type was not provided", 400)
    return settled


ABSENT = object()
ALWAYS = frozenset({"clientMutationId"})
"""What every mutation takes."""


def _plain(node: ast.ValueNode, variables: Mapping[str, Any]) -> Any:
    """Give the value that a node stands for, or `ABSENT` for a variable without one."""
    match node:
        case ast.VariableNode():
            return variables.get(node.name.value, ABSENT)
        case ast.NullValueNode():
            return None
        case ast.IntValueNode():
            return int(node.value)
        case ast.FloatValueNode():
            return float(node.value)
        case ast.ListValueNode():
            return [_plain(each, variables) for each in node.values]
        case ast.ObjectValueNode():
            plain = {each.name.value: _plain(each.value, variables) for each in node.fields}
            return {name: value for name, value in plain.items() if value is not ABSENT}
        case _:
            return node.value  # type: ignore[attr-defined]


@dataclass
class Projection:
    """One request, projected over the server's values."""

    request: Request
    schema: Schema
    world: Any
    unknown: list[str]

    def answer(self) -> dict[str, Any]:
        """Give the `data` of the answer.

        Raises:
            GraphQLError: something in it is unknown (all of it is told), or a resolver refused it.
        """
        self._undeclared()
        root = "Mutation" if self.request.operation.operation is ast.OperationType.MUTATION else "Query"
        before = len(self.unknown)
        data = self._object(Thing(root), [self.request.operation.selection_set])
        if self.unknown[before:]:
            raise GraphQLError("; ".join(self.unknown[before:]), 400)
        return data

    def _undeclared(self) -> None:
        declared = {each.variable.name.value for each in self.request.operation.variable_definitions or ()}
        used = set(_variables_in([self.request.operation.selection_set, *self.request.fragments.values()]))
        if used - declared:
            raise GraphQLError(f"Variable `${min(used - declared)}` is not defined", 400)

    def _collect(
        self, typename: str, sets: Iterable[ast.SelectionSetNode], into: dict[str, list[ast.FieldNode]]
    ) -> dict[str, list[ast.FieldNode]]:
        for node in (each for selections in sets for each in selections.selections if self._wanted(each)):
            if isinstance(node, ast.FieldNode):
                into.setdefault((node.alias or node.name).value, []).append(node)
                continue
            fragment: ast.FragmentDefinitionNode | ast.InlineFragmentNode | None
            fragment = self.request.fragments.get(node.name.value) if isinstance(node, ast.FragmentSpreadNode) else node
            if fragment is None:
                raise GraphQLError(f"Unknown fragment `{node.name.value}`", 400)
            condition = fragment.type_condition.name.value if fragment.type_condition else None
            if self.schema.matches(typename, condition):
                self._collect(typename, [fragment.selection_set], into)
        return into

    def _wanted(self, node: ast.SelectionNode) -> bool:
        for directive in node.directives or ():
            given = {each.name.value: _plain(each.value, self.request.variables) for each in directive.arguments or ()}
            if directive.name.value not in {"include", "skip"}:
                self.unknown.append(f'Unknown directive "@{directive.name.value}".')
            elif bool(given.get("if")) != (directive.name.value == "include"):
                return False
        return True

    def _object(self, thing: Thing, sets: Iterable[ast.SelectionSetNode]) -> dict[str, Any]:
        grouped = self._collect(thing.typename, sets, {})
        return {key: self._field(thing, nodes) for key, nodes in grouped.items()}

    def _field(self, thing: Thing, nodes: list[ast.FieldNode]) -> Any:
        name = nodes[0].name.value
        if name == "__typename":
            return thing.typename
        known = self.schema.types[thing.typename].get(name)
        if known is None:
            self.unknown.append(f'Cannot query field "{name}" on type "{thing.typename}".')
            return None
        given = self._arguments(f"{thing.typename}.{name}", known, nodes[0], thing.typename == "Mutation")
        value = known.resolve(self.world, thing.value, given)
        return self._value(f"{thing.typename}.{name}", value, [each.selection_set for each in nodes])

    def _arguments(self, place: str, known: Field, node: ast.FieldNode, is_mutation: bool) -> dict[str, Any]:
        given = {each.name.value: _plain(each.value, self.request.variables) for each in node.arguments or ()}
        if is_mutation:
            for name in sorted(given.keys() - {"input"}):
                self.unknown.append(f'Unknown argument "{name}" on field "{place}".')
            given = dict(given.get("input") or {})
        given = {name: value for name, value in given.items() if value is not ABSENT}
        strange = [
            f'Unknown argument "{name}" on field "{place}".' for name in sorted(given.keys() - known.takes - ALWAYS)
        ]
        self.unknown.extend(strange)
        if strange and is_mutation:
            raise GraphQLError("; ".join(strange), 400)
        return given

    def _value(self, place: str, value: Any, sets: list[ast.SelectionSetNode | None]) -> Any:
        asked = [each for each in sets if each is not None]
        if isinstance(value, list | tuple):
            return [self._value(place, each, sets) for each in value]
        if value is None or isinstance(value, Thing) == bool(asked):
            return self._object(value, asked) if isinstance(value, Thing) else value
        self.unknown.append(f'Field "{place}" {"has no subfields" if asked else "needs subfields"}.')
        return None


def _variables_in(nodes: Iterable[object]) -> Iterator[str]:
    """Give the names of the variables used anywhere below, directives included."""
    for node in nodes:
        if isinstance(node, ast.VariableNode):
            yield node.name.value
        elif isinstance(node, ast.Node):
            yield from _variables_in(getattr(node, key) for key in node.keys)
        elif isinstance(node, list | tuple):
            yield from _variables_in(node)
