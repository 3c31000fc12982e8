"""numba frees an array after the last line that names it, also if a pointer to it is still in use: a kernel's scratch
must be named inside the loops that use it, or after them.  Nothing at run time shows where it is not.
"""

import ast
from pathlib import Path

import pytest

import minidl.kernels

KERNELS = sorted(Path(minidl.kernels.__file__).parent.glob("*.py"))


def names(node):
    return {found.id for found in ast.walk(node) if isinstance(found, ast.Name) and isinstance(found.ctx, ast.Load)}


def freed_early(source):
    """Local arrays of the functions that a pointer is taken of, and that no line from the last loop on names."""
    found = []
    for function in [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]:
        calls = [node for node in ast.walk(function) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
        pointed = {
            call.args[0].id for call in calls if call.func.id == "pointer" and isinstance(call.args[0], ast.Name)
        }
        arguments = {argument.arg for argument in function.args.args}
        pointers = {
            target.id
            for node in ast.walk(function) if isinstance(node, ast.Assign)
            for target, value in pairs(node)
            if isinstance(value, ast.Call) and names(value.func) & {"pointer", "arguments"}
        }  # fmt: skip
        loops = [i for i, line in enumerate(function.body) if isinstance(line, ast.For | ast.While)]
        if not loops:
            continue
        named = set().union(*(names(line) for line in function.body[loops[-1] :]))
        found += [f"{function.name}: {name}" for name in sorted(pointed - arguments - pointers - named)]
    return found


def pairs(assign):
    target = assign.targets[0]
    if isinstance(target, ast.Tuple) and isinstance(assign.value, ast.Tuple):
        return [(t, v) for t, v in zip(target.elts, assign.value.elts, strict=True) if isinstance(t, ast.Name)]
    if isinstance(target, ast.Tuple):
        return [(t, assign.value) for t in target.elts if isinstance(t, ast.Name)]
    return [(target, assign.value)] if isinstance(target, ast.Name) else []


@pytest.mark.parametrize("file", KERNELS, ids=lambda file: file.stem)
def test_scratch_outlives_the_loops(file):
    assert freed_early(file.read_text()) == []


def test_the_check_finds_what_it_is_for():
    early = "def f(n):\n    a = line_up(n)\n    p = pointer(a, 0)\n    for i in range(n):\n        store(p, i)\n"
    assert freed_early(early) == ["f: a"]
    assert freed_early(early + "    keep(a)\n") == []
