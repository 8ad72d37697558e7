"""Expressions of the restricted language: one kind of node, one method."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any

from gdcli.compile.native_calls import WIDEST, Calls, NotRestrictedError, Type, Value
from gdcli.language.syntax import COMPARE

_FLOAT_OPS = {ast.Add: "fadd", ast.Sub: "fsub", ast.Mult: "fmul"}
_INT_OPS = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.LShift: "shl", ast.RShift: "ashr", ast.BitAnd: "and_",
    ast.BitOr: "or_", ast.BitXor: "xor",
}  # fmt: skip


class Expressions(Calls):
    """Methods ``of_`` and the kind of the node."""

    def of(self, node: ast.expr) -> Value:
        method: Callable[[Any], Value] | None = getattr(self, f"of_{type(node).__name__.lower()}", None)
        if method is None:
            raise NotRestrictedError(f"no {type(node).__name__} in the restricted language", node)
        return method(node)

    def of_constant(self, node: ast.Constant) -> Value:
        if type(node.value) is float:
            return self.constant(self.m.float, node.value)
        if type(node.value) is not int or not -(2**63) <= node.value < 2**63:
            raise NotRestrictedError("a constant is a float or a 64-bit integer", node)
        return self.constant(self.m.int, node.value)

    def of_name(self, node: ast.Name) -> Value:
        place = self.variables.get(node.id)
        if place is None:
            if node.id in ("inf", "nan"):
                return self.constant(self.m.float, float(node.id))
            raise NotRestrictedError(f"{node.id} has no value here", node)
        return self.b.load(place) if isinstance(place, self.m.ir.AllocaInstr) else place

    def of_unaryop(self, node: ast.UnaryOp) -> Value:
        if isinstance(node.op, ast.Not):
            return self.b.not_(self.condition(node.operand))
        if not isinstance(node.op, ast.USub):
            raise NotRestrictedError("of the signs there is minus and not", node)
        value = self.of(node.operand)
        if isinstance(value, self.m.ir.Constant) and self.width(value) == 1:
            return self.constant(value.type, -value.constant)
        if self.element(value) == self.m.float:
            return self.b.fneg(value, flags=self.flags)
        return self.b.neg(self.coerced(value, self.m.shaped(self.m.int, self.width(value)), node))

    def of_binop(self, node: ast.BinOp) -> Value:
        return self.operated(self.of(node.left), node.op, self.of(node.right), node)

    def operated(self, left: Value, op: ast.operator, right: Value, node: ast.AST) -> Value:
        left, right = self.paired(left, right, node)
        if isinstance(op, ast.Div):
            return self.b.fdiv(self.as_float(left, node), self.as_float(right, node), flags=self.flags)
        if self.element(left) == self.m.float:
            if type(op) not in _FLOAT_OPS:
                raise NotRestrictedError(f"no {type(op).__name__} of floats; powers are power(a, b)", node)
            return getattr(self.b, _FLOAT_OPS[type(op)])(left, right, flags=self.flags)
        if isinstance(op, ast.FloorDiv | ast.Mod):
            return self.divided(left, op, right, node)
        if type(op) not in _INT_OPS:
            raise NotRestrictedError(f"no {type(op).__name__} of integers", node)
        return getattr(self.b, _INT_OPS[type(op)])(left, right)

    def divided(self, left: Value, op: ast.operator, right: Value, node: ast.AST) -> Value:
        """Python's // and %, which round down, by a positive literal."""
        known = isinstance(right, self.m.ir.Constant) and self.width(right) == 1 and right.constant > 0
        if not known:
            raise NotRestrictedError("integers are divided by a positive literal", node)
        rest = self.b.srem(left, right)
        below = self.b.icmp_signed("<", rest, self.constant(self.m.int, 0))
        rest = self.b.select(below, self.b.add(rest, right), rest)
        return rest if isinstance(op, ast.Mod) else self.b.sdiv(self.b.sub(left, rest), right)

    def of_compare(self, node: ast.Compare) -> Value:
        if len(node.ops) != 1 or type(node.ops[0]) not in COMPARE:
            raise NotRestrictedError("one comparison at a time: <, <=, >, >=, ==, !=", node)
        relation = COMPARE[type(node.ops[0])]
        left, right = self.paired(self.of(node.left), self.of(node.comparators[0]), node)
        if self.element(left) == self.m.int:
            return self.b.icmp_signed(relation, left, right)
        return (self.b.fcmp_unordered if relation == "!=" else self.b.fcmp_ordered)(relation, left, right)

    def condition(self, node: ast.expr) -> Value:
        """A single truth value; an integer is true when it is not 0."""
        value = self.of(node)
        if value.type == self.m.int:
            value = self.b.icmp_signed("!=", value, self.constant(self.m.int, 0))
        if value.type != self.m.bool:
            raise NotRestrictedError("a condition is needed here; of vectors write where(c, a, b)", node)
        return value

    def of_boolop(self, node: ast.BoolOp) -> Value:
        """``and`` and ``or``: what stands on the right is computed only if it decides."""
        end = self.function.append_basic_block("decided")
        decided = self.constant(self.m.bool, int(isinstance(node.op, ast.Or)))
        entries = []
        for index, part in enumerate(node.values):
            value = self.condition(part)
            if index == len(node.values) - 1:
                entries.append((value, self.b.block))
                self.b.branch(end)
                break
            more = self.function.append_basic_block("more")
            entries.append((decided, self.b.block))
            yes, no = (end, more) if isinstance(node.op, ast.Or) else (more, end)
            self.b.cbranch(value, yes, no)
            self.b.position_at_end(more)
        self.b.position_at_end(end)
        return self.joined(self.m.bool, entries)

    def of_ifexp(self, node: ast.IfExp) -> Value:
        yes, no, end = (self.function.append_basic_block(name) for name in ("yes", "no", "chosen"))
        self.b.cbranch(self.condition(node.test), yes, no)
        sides = []
        for block, side in ((yes, node.body), (no, node.orelse)):
            self.b.position_at_end(block)
            sides.append((self.of(side), self.b.block))
        mixed = sides[0][0].type != sides[1][0].type
        entries = []
        for value, block in sides:
            self.b.position_at_end(block)
            entries.append((self.as_float(value, node) if mixed else value, block))
            self.b.branch(end)
        self.b.position_at_end(end)
        if entries[0][0].type != entries[1][0].type:
            raise NotRestrictedError("the two sides of a choice have one type", node)
        return self.joined(entries[0][0].type, entries)

    def joined(self, kind: Type, entries: Sequence[tuple[Value, Any]]) -> Value:
        phi = self.b.phi(kind)
        for value, block in entries:
            phi.add_incoming(value, block)
        return phi

    # -- memory --------------------------------------------------------------------------------------------

    def place(self, node: ast.Subscript) -> tuple[Value, int]:
        """Where ``p[i]`` or ``p[i:i + 16]`` stands, and how many elements are meant."""
        pointer = self.of(node.value)
        if not isinstance(pointer.type, self.m.ir.PointerType):
            raise NotRestrictedError("only pointers have elements", node)
        index, width = node.slice, 1
        if isinstance(index, ast.Slice):
            width = _slice_width(index)
            assert index.lower is not None
            index = index.lower
        offset = self.coerced(self.of(index), self.m.int, node)
        return self.b.gep(pointer, [offset], inbounds=True), width

    def of_subscript(self, node: ast.Subscript) -> Value:
        place, width = self.place(node)
        element = place.type.pointee
        if width > 1:
            place = self.b.bitcast(place, self.m.ir.VectorType(element, width).as_pointer())
        value = self.b.load(place, align=element.width // 8 if element != self.m.float else 8)
        return value if element in (self.m.float, self.m.int) else self.b.zext(value, self.m.int)

    def store(self, node: ast.Subscript, value: Value) -> None:
        place, width = self.place(node)
        kind = self.m.shaped(place.type.pointee, width)
        if width > 1:
            place = self.b.bitcast(place, kind.as_pointer())
        self.b.store(self.coerced(value, kind, node), place, align=8)


def _slice_width(node: ast.Slice) -> int:
    lower, upper = node.lower, node.upper
    if (
        lower is not None
        and node.step is None
        and isinstance(upper, ast.BinOp)
        and isinstance(upper.op, ast.Add)
        and isinstance(upper.right, ast.Constant)
        and ast.dump(upper.left) == ast.dump(lower)
    ):
        width = upper.right.value
        if isinstance(width, int) and 1 < width <= WIDEST and width & (width - 1) == 0:
            return width
    raise NotRestrictedError("a slice is i : i + 16, with a power of two from 2 to 64", node)
