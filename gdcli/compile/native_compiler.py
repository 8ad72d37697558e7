"""A small compiler: a restricted Python to LLVM's intermediate representation.

Generated programs are plain functions of numbers; CPython runs them as they stand, and this module turns the same text
into machine code (:mod:`gdcli.compile.machine_code` optimises, keeps and loads it). Without fast flags the result has
the same bits: every operation is the IEEE 754 one, in the order written, never fused, and functions are those of the C
library that CPython's `math` calls.

**The restricted language.** A text is a list of ``def``. Its values are 64-bit floats and integers, pointers to such,
and vectors of a fixed width; a comparison is a condition and cannot be kept in a variable.

- Parameters are floats unless annotated with ``"int"``, ``"float*"``, ``"int*"`` or ``"byte*"`` (quoted, so that
  CPython does not look at it); ``-> "int"`` and ``-> None`` say what is returned, a float otherwise. A function that
  has an annotated parameter, or ``-> None``, can be called from outside; the others, and those whose names begin with
  an underscore, are helpers of the text, inlined where LLVM finds that good. A call may stand before the ``def``;
  recursion is an error. What pointers point to never overlaps.
- Statements: assignment (also of tuples, and ``+=``), ``if``/``elif``/``else``, ``while``, ``for i in range(...)``
  with a literal step, ``break``, ``continue``, ``return``, ``pass``, a call, a docstring.
- Expressions: numbers, names, ``inf``, ``nan``, ``+ - * /``, on integers also ``<< >> & | ^`` and ``// %`` by a
  positive literal, comparisons, ``and or not``, ``a if c else b`` (all lazy), ``p[i]`` with i not negative, calls.
- ``p[i:i + 16]`` is a vector: arithmetic is element by element, a number stands for equal elements, and a helper
  called with a vector is compiled for it; ``each(helper, v)`` calls it for one element after the other. A condition on
  vectors goes into ``where(c, a, b)``, which computes both sides.
- Functions: those of `math` in `LIBM` and `INTRINSICS`, ``power`` (C's pow, as math.pow without exceptions), ``whole``
  (math.floor: never -0.0), ``float``, ``int`` (towards zero), ``abs``, ``min`` and ``max`` of two (as Python has them),
  ``bits`` (the integer with the bits of a float) and ``from_bits``, ``total`` (the sum of a vector, by halves),
  ``lanes(a, 16)`` (a vector of equal elements). Of integers, ``high(a, b)`` is the upper half of the unsigned product,
  ``leading_zeros`` and ``trailing_zeros`` count bits; ``word(p, i)`` has eight bytes from p[i] on. The statement
  ``prefetch(p, i)`` only says that p[i] will be read soon.

A variable has the type of its first assignment. Integers wrap around at 64 bits. Where CPython raises there is no
exception: division by zero has its IEEE 754 result, and reading outside an array is the writer's fault.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any

from gdcli.compile.native_calls import WIDEST, Calls, Flags, NotRestrictedError, Type, Value
from gdcli.language.syntax import COMPARE

_FLOAT_OPS = {ast.Add: "fadd", ast.Sub: "fsub", ast.Mult: "fmul"}
_INT_OPS = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.LShift: "shl", ast.RShift: "ashr", ast.BitAnd: "and_",
    ast.BitOr: "or_", ast.BitXor: "xor",
}  # fmt: skip


# -- expressions -------------------------------------------------------------------------------------------------------


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


# -- texts and functions -----------------------------------------------------------------------------------------------

_SCALARS = {"float": "f", "int": "i"}
_POINTERS = ("float*", "int*", "byte*")


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
        found = self.instances.get((name, width))
        if found is None:
            if name in self.open:
                raise NotRestrictedError(f"{name} calls itself", place)
            self.open.append(name)
            found = self.instances[name, width] = NativeFunction(self, self.defs[name], width).function
            self.open.pop()
        return found

    def type_of(self, annotation: ast.expr | None, width: int) -> Type:
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
    return not node.name.startswith("_") and (annotated or isinstance(node.returns, ast.Constant))


class NativeFunction(Expressions):
    """One function being compiled: statements have methods ``do_`` and the kind of the node."""

    def __init__(self, module: Module, node: ast.FunctionDef, width: int) -> None:
        ir = module.ir
        if node.args.defaults or node.args.vararg or node.args.kwarg or node.args.kwonlyargs:
            raise NotRestrictedError("parameters are plain names", node)
        names = [a.arg for a in node.args.args]
        types = [module.type_of(a.annotation, width) for a in node.args.args]
        self.result = module.type_of(node.returns, width)
        name = node.name if width == 1 else f"{node.name}_{width}"
        function = ir.Function(module.module, ir.FunctionType(self.result, types), name)
        function.attributes.add("nounwind")
        if not is_entry(node):
            function.linkage = "internal"
        super().__init__(module, module.flags.get(node.name, ()), function)
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
