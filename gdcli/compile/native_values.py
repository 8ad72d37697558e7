"""Values of the restricted language while it is compiled: numbers, vectors, and what becomes of one beside another."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

Module = Any  # the text being compiled; see `compile.native_compiler.Module`
Value = Any  # a value of llvmlite's builder: it has a type
Type = Any
Flags = Mapping[str, tuple[str, ...]]


class NotRestrictedError(Exception):
    """A text is not in the restricted language; a fault of the writer of the text, not of a user.

    ``line`` and ``column`` (from 1) say where.
    """

    def __init__(self, message: str, node: ast.AST) -> None:
        self.line = getattr(node, "lineno", 0)
        self.column = getattr(node, "col_offset", -1) + 1
        super().__init__(f"line {self.line}, column {self.column}: {message}")


class Values:
    """The state of one function being compiled, and the conversions between its values."""

    def __init__(self, module: Module, flags: tuple[str, ...], function: Any) -> None:
        self.m = module
        self.flags = flags
        self.function = function
        self.b = module.ir.IRBuilder(function.append_basic_block("entry"))
        self.variables: dict[str, Value] = {}

    def width(self, value: Value) -> int:
        return value.type.count if isinstance(value.type, self.m.ir.VectorType) else 1

    def element(self, value: Value) -> Type:
        return value.type.element if isinstance(value.type, self.m.ir.VectorType) else value.type

    def constant(self, element: Type, number: float, width: int = 1) -> Value:
        ir = self.m.ir
        if width == 1:
            return ir.Constant(element, number)
        return ir.Constant(ir.VectorType(element, width), [ir.Constant(element, number)] * width)

    def widened(self, value: Value, width: int, node: ast.AST) -> Value:
        have = self.width(value)
        if have == width:
            return value
        if have != 1:
            raise NotRestrictedError(f"vectors of {have} and {width} do not go together", node)
        ir = self.m.ir
        vector = ir.VectorType(value.type, width)
        if isinstance(value, ir.Constant):
            return self.constant(value.type, value.constant, width)
        first = self.b.insert_element(
            ir.Constant(vector, ir.Undefined), value, self.constant(ir.IntType(32), 0)
        )
        return self.b.shuffle_vector(
            first, ir.Constant(vector, ir.Undefined), self.constant(ir.IntType(32), 0, width)
        )

    def as_float(self, value: Value, node: ast.AST) -> Value:
        element = self.element(value)
        if element == self.m.float:
            return value
        if element != self.m.int:
            raise NotRestrictedError("a number is needed here", node)
        if isinstance(value, self.m.ir.Constant) and self.width(value) == 1:
            return self.constant(self.m.float, float(value.constant))
        return self.b.sitofp(value, self.m.shaped(self.m.float, self.width(value)))

    def coerced(self, value: Value, wanted: Type, node: ast.AST) -> Value:
        """A value as what is ``wanted``: an integer becomes a float, a number a vector; all else is an error."""
        ir = self.m.ir
        vector = isinstance(wanted, ir.VectorType)
        if (wanted.element if vector else wanted) == self.m.float:
            value = self.as_float(value, node)
        if vector:
            value = self.widened(value, wanted.count, node)
        if value.type != wanted:
            raise NotRestrictedError(f"this is {value.type}, and {wanted} is needed", node)
        return value

    def paired(self, left: Value, right: Value, node: ast.AST) -> tuple[Value, Value]:
        """Two values of one type: of a float and an integer both floats, of a number and a vector two vectors."""
        if self.element(left) != self.element(right):
            left, right = self.as_float(left, node), self.as_float(right, node)
        elif self.element(left) not in (self.m.float, self.m.int):
            raise NotRestrictedError("a number is needed here", node)
        width = max(self.width(left), self.width(right))
        return self.widened(left, width, node), self.widened(right, width, node)

    def slot(self, name: str, kind: Type) -> Value:
        with self.b.goto_entry_block():
            self.variables[name] = self.b.alloca(kind, name=name)
        return self.variables[name]
