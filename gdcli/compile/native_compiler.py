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

from gdcli.compile.native_calls import Flags, NotRestrictedError, Type, Value
from gdcli.compile.native_expressions import Expressions

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
