"""A small compiler: a restricted Python to LLVM's intermediate representation.

Generated programs are plain functions of numbers; CPython runs them as they stand, and this module turns the same text
into machine code (:mod:`gdcli.codegen.machine` optimises, keeps and loads it). Without fast flags the result has the
same bits: every operation is the IEEE 754 one, in the order written, never fused, and functions are those of the C
library that CPython's `math` calls.

**The restricted language.** A text is a list of ``def``. Its values are 64-bit floats and integers, pointers to such,
and vectors of a fixed width; a comparison is a condition and cannot be kept in a variable.

- Parameters are floats unless annotated with ``"int"``, ``"float*"``, ``"int*"`` or ``"byte*"`` (quoted, so that
  CPython does not look at it); ``-> "int"`` and ``-> None`` say what is returned, a float otherwise. A function that
  has an annotated parameter, or ``-> None``, can be called from outside; the others are helpers of the text, inlined
  where LLVM finds that good. A call may stand before the ``def``; recursion is an error. What pointers point to never
  overlaps.
- Statements: assignment (also of tuples, and ``+=``), ``if``/``elif``/``else``, ``while``, ``for i in range(...)``
  with a literal step, ``break``, ``continue``, ``return``, ``pass``, a call, a docstring.
- Expressions: numbers, names, ``inf``, ``nan``, ``+ - * /``, on integers also ``<< >> & | ^`` and ``// %`` by a
  positive literal, comparisons, ``and or not``, ``a if c else b`` (all lazy), ``p[i]`` with i not negative, calls.
- ``p[i:i + 16]`` is a vector: arithmetic is element by element, a number stands for equal elements, and a helper
  called with a vector is compiled for it. A condition on vectors goes into ``where(c, a, b)``, which computes both
  sides.
- Functions: those of `math` in `LIBM` and `INTRINSICS`, ``power`` (C's pow, as math.pow without exceptions), ``whole``
  (math.floor: never -0.0), ``float``, ``int`` (towards zero), ``abs``, ``min`` and ``max`` of two (as Python has them),
  ``bits`` (the integer with the bits of a float) and ``from_bits``, ``total`` (the sum of a vector, by halves).

A variable has the type of its first assignment. Integers wrap around at 64 bits. Where CPython raises there is no
exception: division by zero has its IEEE 754 result, and reading outside an array is the writer's fault.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from typing import Any

# Functions of the C library, by the names of `math`; power is C's pow.
LIBM: Mapping[str, int] = {
    **dict.fromkeys(
        ("exp", "log", "log2", "log10", "log1p", "expm1", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh",
         "tanh", "asinh", "acosh", "atanh"), 1),
    "atan2": 2,
    "power": 2,
}  # fmt: skip
# Operations of the processor, exact as IEEE 754 has them.
INTRINSICS: Mapping[str, int] = {"sqrt": 1, "fabs": 1, "floor": 1, "ceil": 1, "copysign": 2}
# The library's functions have names of their own in machine code: LLVM must not know them, it would replace
# pow(x, 2.0) by x*x, which is not the same to the last bit.
SYMBOL = "gdcli_"
WIDEST = 64

_SCALARS = {"float": "f", "int": "i"}
_POINTERS = ("float*", "int*", "byte*")
_COMPARE = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}
_FLOAT_OPS = {ast.Add: "fadd", ast.Sub: "fsub", ast.Mult: "fmul"}
_INT_OPS = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.LShift: "shl", ast.RShift: "ashr", ast.BitAnd: "and_",
    ast.BitOr: "or_", ast.BitXor: "xor",
}  # fmt: skip

Value = Any  # a value of llvmlite's builder: it has a type
Type = Any
Flags = Mapping[str, tuple[str, ...]]


class NotRestrictedError(Exception):
    """A text is not in the restricted language; a fault of the writer of the text, not of a user.

    ``line`` and ``column`` (from 1) say where.
    """

    def __init__(self, message: str, node: Any) -> None:
        self.line = getattr(node, "lineno", 0)
        self.column = getattr(node, "col_offset", -1) + 1
        super().__init__(f"line {self.line}, column {self.column}: {message}")


def to_llvm(text: str, flags: Flags | None = None) -> str:
    """Return a text as LLVM IR. ``flags`` has fast-math flags for the functions named (such as ``contract``).

    Raises NotRestrictedError with the place for what the language does not have.
    """
    return Module(text, flags or {}).compile()


class Module:
    """The functions of one text, each compiled once for every kind of arguments it is called with."""

    def __init__(self, text: str, flags: Flags) -> None:
        from llvmlite import ir

        self.ir = ir
        self.float, self.int, self.bool, self.void = (
            ir.DoubleType(), ir.IntType(64), ir.IntType(1), ir.VoidType(),
        )  # fmt: skip
        self.module = ir.Module("gd")
        self.flags = flags
        self.defs: dict[str, ast.FunctionDef] = {}
        self.instances: dict[tuple[str, int], Any] = {}
        self.open: list[str] = []
        for node in ast.parse(text).body:
            if not isinstance(node, ast.FunctionDef):
                raise NotRestrictedError("only functions stand at the top of a text", node)
            self.defs[node.name] = node

    def compile(self) -> str:
        """Compile every function that can be called from outside, and what they call."""
        for name, node in self.defs.items():
            if is_entry(node):
                self.instance(name, 1, node)
        return str(self.module)

    def instance(self, name: str, width: int, place: ast.AST) -> Any:
        """Return a function compiled for vectors of ``width`` (1: numbers)."""
        found = self.instances.get((name, width))
        if found is None:
            if name in self.open:
                raise NotRestrictedError(f"{name} calls itself", place)
            self.open.append(name)
            found = self.instances[name, width] = Function(self, self.defs[name], width).function
            self.open.pop()
        return found

    def type_of(self, annotation: ast.expr | None, width: int) -> Type:
        """Return the type that an annotation means."""
        if annotation is None:
            return self.shaped(self.float, width)
        word = annotation.value if isinstance(annotation, ast.Constant) else None
        if isinstance(annotation, ast.Constant) and word is None:
            return self.void
        if word in _SCALARS:
            return self.shaped(self.float if word == "float" else self.int, width)
        if word not in _POINTERS:
            raise NotRestrictedError(f"unknown type {ast.unparse(annotation)}", annotation)
        element = {"float*": self.float, "int*": self.int, "byte*": self.ir.IntType(8)}[str(word)]
        return element.as_pointer()

    def shaped(self, element: Type, width: int) -> Type:
        """Return the type of a vector of ``width`` elements, of one number for 1."""
        return element if width == 1 else self.ir.VectorType(element, width)

    def external(self, name: str, result: Type, arguments: Sequence[Type], pure: bool = True) -> Any:
        """Return a function that stands elsewhere: in the C library, or in LLVM."""
        found = self.module.globals.get(name)
        if found is None:
            found = self.ir.Function(self.module, self.ir.FunctionType(result, arguments), name)
            if pure:  # so that equal calls are made once; errno is of no interest
                found.attributes.add("readnone")
                found.attributes.add("nounwind")
        return found


def is_entry(node: ast.FunctionDef) -> bool:
    """Tell whether a function can be called from outside its text."""
    annotated = any(a.annotation is not None for a in node.args.args)
    return annotated or isinstance(node.returns, ast.Constant)


class Function:
    """One function being compiled: a method per kind of statement (``do_``) and of expression (``of_``)."""

    def __init__(self, module: Module, node: ast.FunctionDef, width: int) -> None:
        ir = module.ir
        self.m = module
        self.flags = module.flags.get(node.name, ())
        if node.args.defaults or node.args.vararg or node.args.kwarg or node.args.kwonlyargs:
            raise NotRestrictedError("parameters are plain names", node)
        names = [a.arg for a in node.args.args]
        types = [module.type_of(a.annotation, width) for a in node.args.args]
        self.result = module.type_of(node.returns, width)
        name = node.name if width == 1 else f"{node.name}_{width}"
        self.function = ir.Function(module.module, ir.FunctionType(self.result, types), name)
        self.function.attributes.add("nounwind")
        if not is_entry(node):
            self.function.linkage = "internal"
        self.b = ir.IRBuilder(self.function.append_basic_block("entry"))
        self.variables: dict[str, Value] = {}
        self.loops: list[tuple[Any, Any]] = []
        for argument, value in zip(names, self.function.args, strict=True):
            if isinstance(value.type, ir.PointerType):
                value.add_attribute("noalias")
                self.variables[argument] = value
            else:
                self.b.store(value, self.slot(argument, value.type))
        self.body(node.body)
        if not self.b.block.is_terminated:
            if self.result == module.void:
                self.b.ret_void()
            else:
                self.b.unreachable()

    # -- types ---------------------------------------------------------------------------------------------

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
        """A number as a vector of equal elements."""
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

    def slot(self, name: str, kind: Type) -> Value:
        with self.b.goto_entry_block():
            self.variables[name] = self.b.alloca(kind, name=name)
        return self.variables[name]

    # -- statements ----------------------------------------------------------------------------------------

    def body(self, statements: Sequence[ast.stmt]) -> None:
        for statement in statements:
            if self.b.block.is_terminated:
                return  # after return, break, continue
            method: Callable[[Any], None] | None = getattr(
                self, f"do_{type(statement).__name__.lower()}", None
            )
            if method is None:
                raise NotRestrictedError(
                    f"no {type(statement).__name__} in the restricted language", statement
                )
            method(statement)

    def do_assign(self, node: ast.Assign) -> None:
        if len(node.targets) != 1:
            raise NotRestrictedError("one target at a time", node)
        target = node.targets[0]
        if not isinstance(target, ast.Tuple):
            self.put(target, self.of(node.value))
            return
        if not isinstance(node.value, ast.Tuple) or len(node.value.elts) != len(target.elts):
            raise NotRestrictedError("a tuple is assigned from a tuple of the same length", node)
        for place, value in zip(target.elts, [self.of(e) for e in node.value.elts], strict=True):
            self.put(place, value)

    def do_augassign(self, node: ast.AugAssign) -> None:
        self.put(node.target, self.operated(self.of(node.target), node.op, self.of(node.value), node))

    def put(self, target: ast.expr, value: Value) -> None:
        if isinstance(target, ast.Subscript):
            self.store(target, value)
            return
        if not isinstance(target, ast.Name):
            raise NotRestrictedError("only names and p[i] can be assigned", target)
        place = self.variables.get(target.id)
        if place is None:
            if self.element(value) not in (self.m.float, self.m.int):
                raise NotRestrictedError("only numbers are kept in variables", target)
            place = self.slot(target.id, value.type)
        elif not isinstance(place, self.m.ir.AllocaInstr):
            raise NotRestrictedError("a pointer is never assigned", target)
        self.b.store(self.coerced(value, place.allocated_type, target), place)

    def do_expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Call):
            self.of(node.value)
        elif not (isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)):
            raise NotRestrictedError("this has no effect", node)

    def do_pass(self, node: ast.Pass) -> None:
        """Nothing to do."""

    def do_return(self, node: ast.Return) -> None:
        if node.value is None or self.result == self.m.void:
            if node.value is not None or self.result != self.m.void:
                raise NotRestrictedError("a function returns what its annotation says", node)
            self.b.ret_void()
        else:
            self.b.ret(self.coerced(self.of(node.value), self.result, node))

    def do_if(self, node: ast.If) -> None:
        yes, no, end = (self.function.append_basic_block(name) for name in ("then", "else", "end"))
        self.b.cbranch(self.condition(node.test), yes, no)
        for block, statements in ((yes, node.body), (no, node.orelse)):
            self.b.position_at_end(block)
            self.body(statements)
            if not self.b.block.is_terminated:
                self.b.branch(end)
        self.b.position_at_end(end)

    def do_while(self, node: ast.While) -> None:
        if node.orelse:
            raise NotRestrictedError("a loop has no else", node)
        self.loop(lambda: self.condition(node.test), node.body, lambda: None)

    def do_for(self, node: ast.For) -> None:
        call = node.iter
        ranged = isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "range"
        if not ranged or node.orelse or not isinstance(node.target, ast.Name):
            raise NotRestrictedError("a for loop is `for name in range(...)`, without else", node)
        assert isinstance(call, ast.Call)
        step = call.args[2] if len(call.args) == 3 else ast.Constant(1)
        try:
            stride = ast.literal_eval(step)
        except ValueError:
            stride = 0
        if not isinstance(stride, int) or stride == 0:
            raise NotRestrictedError("the step of a range is an integer literal, not 0", node)
        first = self.of(call.args[0]) if len(call.args) > 1 else self.constant(self.m.int, 0)
        end = self.coerced(self.of(call.args[min(1, len(call.args) - 1)]), self.m.int, node)
        with self.b.goto_entry_block():
            counter = self.b.alloca(self.m.int)
        self.b.store(self.coerced(first, self.m.int, node), counter)

        def test() -> Value:
            here = self.b.load(counter)
            return self.b.icmp_signed("<" if stride > 0 else ">", here, end)

        def advance() -> None:
            step = self.constant(self.m.int, stride)
            self.b.store(self.b.add(self.b.load(counter), step, flags=("nsw",)), counter)

        self.loop(test, node.body, advance, lambda: self.put(node.target, self.b.load(counter)))

    def loop(
        self,
        test: Callable[[], Value],
        statements: Sequence[ast.stmt],
        advance: Callable[[], None],
        enter: Callable[[], None] = lambda: None,
    ) -> None:
        head, inside, again, end = (
            self.function.append_basic_block(name) for name in ("head", "inside", "again", "end")
        )
        self.b.branch(head)
        self.b.position_at_end(head)
        self.b.cbranch(test(), inside, end)
        self.b.position_at_end(inside)
        enter()
        self.loops.append((again, end))
        self.body(statements)
        self.loops.pop()
        if not self.b.block.is_terminated:
            self.b.branch(again)
        self.b.position_at_end(again)
        advance()
        self.b.branch(head)
        self.b.position_at_end(end)

    def do_break(self, node: ast.Break) -> None:
        self.b.branch(self.loops[-1][1])

    def do_continue(self, node: ast.Continue) -> None:
        self.b.branch(self.loops[-1][0])

    # -- expressions ---------------------------------------------------------------------------------------

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

    def paired(self, left: Value, right: Value, node: ast.AST) -> tuple[Value, Value]:
        """Two values of one type: of a float and an integer both floats, of a number and a vector two vectors."""
        if self.element(left) != self.element(right):
            left, right = self.as_float(left, node), self.as_float(right, node)
        elif self.element(left) not in (self.m.float, self.m.int):
            raise NotRestrictedError("a number is needed here", node)
        width = max(self.width(left), self.width(right))
        return self.widened(left, width, node), self.widened(right, width, node)

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
        if len(node.ops) != 1 or type(node.ops[0]) not in _COMPARE:
            raise NotRestrictedError("one comparison at a time: <, <=, >, >=, ==, !=", node)
        relation = _COMPARE[type(node.ops[0])]
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

    # -- calls ---------------------------------------------------------------------------------------------

    def of_call(self, node: ast.Call) -> Value:
        if not isinstance(node.func, ast.Name) or node.keywords:
            raise NotRestrictedError("a call is name(arguments)", node)
        name = node.func.id
        if name in self.m.defs:
            return self.call_own(name, node)
        arguments = [self.of(a) for a in node.args]
        method: Callable[..., Value] | None = getattr(self, f"call_{name}", None)
        if name in LIBM or name in INTRINSICS:
            return self.call_known(name, arguments, node)
        if method is None or name in ("own", "known"):
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
        """Call for each element of vectors."""
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


def _slice_width(node: ast.Slice) -> int:
    """The width of ``i : i + 16``."""
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
