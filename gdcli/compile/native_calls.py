"""Values and calls in the restricted language: of the C library, of the processor, of functions of the same text."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gdcli.language.functions import FUNCTIONS

Module = Any  # the text being compiled; see `compile.native_compiler.Module`
Value = Any  # a value of llvmlite's builder: it has a type
Type = Any
Flags = Mapping[str, tuple[str, ...]]

# Functions of the C library, by the names of `math`; power is C's pow.
LIBM: Mapping[str, int] = {row.python: row.arity for row in FUNCTIONS.values() if row.native == "libm"} | {
    "power": 2
}
# Operations of the processor, exact as IEEE 754 has them.
INTRINSICS: Mapping[str, int] = {
    row.python: row.arity for row in FUNCTIONS.values() if row.native == "intrinsic"
} | {"copysign": 2}
# The library's functions have names of their own in machine code: LLVM must not know them, it would replace
# pow(x, 2.0) by x*x, which is not the same to the last bit.
SYMBOL = "gdcli_"
WIDEST = 64  # elements of a vector


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


class Calls(Values):
    """One method (``call_``) for each function that is not simply passed on."""

    def of_call(self, node: ast.Call) -> Value:
        if not isinstance(node.func, ast.Name) or node.keywords:
            raise NotRestrictedError("a call is name(arguments)", node)
        name = node.func.id
        if name in self.m.defs:
            return self.call_own(name, node)
        if name == "each":
            return self.call_each(node)
        arguments = [self.of(a) for a in node.args]
        method: Callable[..., Value] | None = getattr(self, f"call_{name}", None)
        if name in LIBM or name in INTRINSICS:
            return self.call_known(name, arguments, node)
        if method is None or name in ("own", "known", "each"):
            raise NotRestrictedError(f"there is no function {name}", node)
        return method(node, *arguments)

    def call_own(self, name: str, node: ast.Call) -> Value:
        parameters = self.m.defs[name].args.args
        if len(parameters) != len(node.args):
            raise NotRestrictedError(f"{name} takes {len(parameters)} arguments", node)
        values = [self.of(a) for a in node.args]
        width = max(map(self.width, values), default=1)
        function = self.m.instance(name, width, node)
        wanted = function.function_type.args
        return self.b.call(function, [self.coerced(v, t, node) for v, t in zip(values, wanted, strict=True)])

    def call_each(self, node: ast.Call) -> Value:
        """``each(f, v, ...)``: a helper of the same text, element by element."""
        helper = node.args[0] if node.args else None
        if not isinstance(helper, ast.Name) or helper.id not in self.m.defs:
            raise NotRestrictedError("each(f, v) begins with a function of the text", node)
        values = [self.as_float(self.of(a), node) for a in node.args[1:]]
        width = max(map(self.width, values), default=1)
        values = [self.widened(value, width, node) for value in values]
        function = self.m.instance(helper.id, 1, node)
        if [v.type for v in function.args] != [self.m.float] * len(values):
            raise NotRestrictedError(f"{helper.id} takes {len(function.args)} floats", node)
        return self.lanewise(lambda *parts: self.b.call(function, parts), values, values[0].type)

    def call_known(self, name: str, arguments: Sequence[Value], node: ast.AST) -> Value:
        """A function of the C library, element by element, or of the processor, all elements at once."""
        if len(arguments) != {**LIBM, **INTRINSICS}[name]:
            raise NotRestrictedError(f"{name} takes {LIBM.get(name) or INTRINSICS[name]} arguments", node)
        width = max(map(self.width, arguments))
        values = [self.widened(self.as_float(a, node), width, node) for a in arguments]
        kind = values[0].type
        if name in INTRINSICS:
            suffix = "f64" if width == 1 else f"v{width}f64"
            return self.b.call(
                self.m.external(f"llvm.{name}.{suffix}", kind, [kind] * len(values), False), values
            )
        function = self.m.external(SYMBOL + name, self.m.float, [self.m.float] * len(values))
        return self.lanewise(lambda *parts: self.b.call(function, parts), values, kind)

    def lanewise(self, call: Callable[..., Value], values: Sequence[Value], kind: Type) -> Value:
        width = self.width(values[0])
        if width == 1:
            return call(*values)
        result = self.m.ir.Constant(kind, self.m.ir.Undefined)
        for lane in range(width):
            index = self.constant(self.m.ir.IntType(32), lane)
            one = call(*(self.b.extract_element(v, index) for v in values))
            result = self.b.insert_element(result, one, index)
        return result

    def call_whole(self, node: ast.AST, value: Value) -> Value:
        floor = self.call_known("floor", [value], node)
        return self.b.fadd(floor, self.constant(self.m.float, 0.0, self.width(floor)))

    def call_float(self, node: ast.AST, value: Value) -> Value:
        return self.as_float(value, node)

    def call_int(self, node: ast.AST, value: Value) -> Value:
        """Towards zero; what does not fit becomes the nearest integer that does, nan becomes 0."""
        if self.element(value) == self.m.int:
            return value
        kind = self.m.shaped(self.m.int, self.width(value))
        suffix = "i64.f64" if self.width(value) == 1 else f"v{kind.count}i64.v{kind.count}f64"
        return self.b.call(self.m.external(f"llvm.fptosi.sat.{suffix}", kind, [value.type], False), [value])

    def call_abs(self, node: ast.AST, value: Value) -> Value:
        if self.element(value) != self.m.int:
            return self.call_known("fabs", [value], node)
        zero = self.constant(self.m.int, 0, self.width(value))
        return self.b.select(self.b.icmp_signed("<", value, zero), self.b.neg(value), value)

    def call_min(self, node: ast.AST, left: Value, right: Value) -> Value:
        return self.extreme("<", left, right, node)

    def call_max(self, node: ast.AST, left: Value, right: Value) -> Value:
        return self.extreme(">", left, right, node)

    def extreme(self, relation: str, left: Value, right: Value, node: ast.AST) -> Value:
        left, right = self.paired(left, right, node)
        compare = self.b.icmp_signed if self.element(left) == self.m.int else self.b.fcmp_ordered
        return self.b.select(compare(relation, right, left), right, left)

    def call_where(self, node: ast.AST, test: Value, yes: Value, no: Value) -> Value:
        if self.element(test) != self.m.bool:
            raise NotRestrictedError("where(condition, a, b) begins with a condition", node)
        yes, no = self.paired(yes, no, node)
        width = max(self.width(test), self.width(yes))
        yes, no = self.widened(yes, width, node), self.widened(no, width, node)
        return self.b.select(test, yes, no)

    def call_bits(self, node: ast.AST, value: Value) -> Value:
        return self.b.bitcast(self.as_float(value, node), self.m.shaped(self.m.int, self.width(value)))

    def call_from_bits(self, node: ast.AST, value: Value) -> Value:
        whole = self.coerced(value, self.m.shaped(self.m.int, self.width(value)), node)
        return self.b.bitcast(whole, self.m.shaped(self.m.float, self.width(value)))

    def call_high(self, node: ast.AST, left: Value, right: Value) -> Value:
        """The upper half of the product of two integers taken as unsigned, 128 bits long."""
        wide = self.m.ir.IntType(128)
        left, right = (self.coerced(value, self.m.int, node) for value in (left, right))
        product = self.b.mul(self.b.zext(left, wide), self.b.zext(right, wide))
        return self.b.trunc(self.b.lshr(product, self.constant(wide, 64)), self.m.int)

    def call_leading_zeros(self, node: ast.AST, value: Value) -> Value:
        """How many of the 64 bits of an integer stand above the highest 1."""
        return self.zeros("ctlz", node, value)

    def call_trailing_zeros(self, node: ast.AST, value: Value) -> Value:
        """How many of the 64 bits of an integer stand below the lowest 1."""
        return self.zeros("cttz", node, value)

    def zeros(self, name: str, node: ast.AST, value: Value) -> Value:
        value = self.coerced(value, self.m.int, node)
        function = self.m.external(f"llvm.{name}.i64", self.m.int, [self.m.int, self.m.bool], False)
        return self.b.call(function, [value, self.m.ir.Constant(self.m.bool, 0)])

    def call_word(self, node: ast.AST, pointer: Value, index: Value) -> Value:
        """The eight bytes from p[i] on as an integer, in the order of the processor."""
        ir = self.m.ir
        if pointer.type != ir.IntType(8).as_pointer():
            raise NotRestrictedError("word(p, i) begins with a pointer to bytes", node)
        place = self.b.gep(pointer, [self.coerced(index, self.m.int, node)], inbounds=True)
        return self.b.load(self.b.bitcast(place, self.m.int.as_pointer()), align=1)

    def call_prefetch(self, node: ast.AST, pointer: Value, index: Value) -> Value:
        """Tell the processor that p[i] will be read soon; i may lie outside."""
        ir = self.m.ir
        if not isinstance(pointer.type, ir.PointerType):
            raise NotRestrictedError("prefetch(p, i) begins with a pointer", node)
        place = self.b.gep(pointer, [self.coerced(index, self.m.int, node)])
        byte, word = ir.IntType(8).as_pointer(), ir.IntType(32)
        # Without a suffix for the kind of pointer, which LLVM then supplies: it differs between its versions.
        function = self.m.external("llvm.prefetch", self.m.void, [byte, word, word, word], False)
        reading, near, data = (ir.Constant(word, n) for n in (0, 3, 1))
        return self.b.call(function, [self.b.bitcast(place, byte), reading, near, data])

    def call_lanes(self, node: ast.AST, value: Value, width: Value) -> Value:
        """A number as a vector of so many equal elements."""
        if not isinstance(width, self.m.ir.Constant) or not 1 <= width.constant <= WIDEST:
            raise NotRestrictedError(f"lanes(a, width) has a literal width up to {WIDEST}", node)
        return self.widened(self.as_float(value, node), width.constant, node)

    def call_total(self, node: ast.AST, value: Value) -> Value:
        """The sum of a vector: the upper half onto the lower, until one number is left."""
        ir = self.m.ir
        width = self.width(value)
        while width > 1:
            width //= 2
            undefined = ir.Constant(value.type, ir.Undefined)
            low, high = (
                self.b.shuffle_vector(
                    value, undefined, ir.Constant(ir.VectorType(ir.IntType(32), width), list(r))
                )
                for r in (range(width), range(width, 2 * width))
            )
            value = self.b.fadd(low, high)
        if isinstance(value.type, ir.VectorType):
            value = self.b.extract_element(value, self.constant(ir.IntType(32), 0))
        return value

    def of(self, node: ast.expr) -> Value:
        raise NotImplementedError
