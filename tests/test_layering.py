"""Who may import whom (design, section 3): the imports of every file, read from its source, against one table.

Also the house's other rules that a source shows: no star imports, no prints in a library, docstrings on operations.
"""

import ast
import importlib
import inspect
import sys
from pathlib import Path

import pytest

from minidl import ops

ROOT = Path(__file__).parents[1]
FILES = sorted(path for package in ("minidl", "algorithms", "visual") for path in (ROOT / package).rglob("*.py"))
STANDARD = sys.stdlib_module_names

FREE = {"types", "rng"}  # everybody may import these two
MAY_IMPORT = {
    "types": set(), "rng": set(), "kernels": set(),
    "engine": set(),  # tensor.py and autograd: one room
    "ops": {"engine", "kernels"}, "nn": {"engine", "ops"},
    "optim": {"engine", "nn", "kernels"}, "data": {"kernels"}, "checkpoint": {"engine", "nn"},
    "graph": {"engine", "ops", "nn", "kernels"}, "runtime": {"engine", "graph", "kernels"},
    "export": {"graph", "runtime", "checkpoint"},
    "training": {"engine", "ops", "nn", "optim", "data", "kernels", "checkpoint"},
}  # fmt: skip
ROOF = {"__init__", "cli", "commands", "__main__"}  # may import everything
MAY_USE = {  # beside the standard library
    "kernels": {"numpy", "numba", "llvmlite"}, "training": {"numpy", "tqdm"}, "data": {"numpy", "tqdm"},
    "export": {"numpy", "onnx"},
    "visual": {"numpy", "matplotlib"}, "algorithms": {"numpy", "scipy", "tqdm"},
}  # fmt: skip
# Files that are offered whole, all names without an underscore: checkpoints, and the kernels that a chapter builds on.
OFFERED = {
    "minidl.checkpoint", "minidl.kernels.backend", "minidl.kernels.jit", "minidl.kernels.random",
    "minidl.kernels.rounding",
}  # fmt: skip
# Tensor's operators are operations, and the derivative of gradcheck is one: the two places where the circle closes.
CLOSES_THE_CIRCLE = {("minidl/tensor.py", "minidl.ops"), ("minidl/autograd/check.py", "minidl.ops")}


def tree_of(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def imports_of(path):
    """Every (module, name or None) that a file imports, also inside functions, relative ones made absolute.

    What stands under `if TYPE_CHECKING` is for annotations and never imported.
    """
    package = path.relative_to(ROOT).parent.parts
    tree = tree_of(path)
    blocks = (node for node in ast.walk(tree) if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    unread = {id(inner) for block in blocks for statement in block.body for inner in ast.walk(statement)}
    for node in ast.walk(tree):
        if id(node) in unread:
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            yield from ((".".join((*above, *filter(None, [node.module]))), alias.name) for alias in node.names)


def imported_modules(path):
    """The dotted names of what is imported; `from minidl import ops` is minidl.ops."""
    for module, name in imports_of(path):
        whole = module if name is None else f"{module}.{name}"
        yield whole if name and is_ours(whole) else module


def is_ours(dotted):
    place = ROOT.joinpath(*dotted.split("."))
    return place.is_dir() or place.with_suffix(".py").exists()


def room_of(dotted):
    """The room of a dotted name inside minidl."""
    part = [*dotted.split("."), "__init__"][1]
    return "engine" if part in ("tensor", "autograd") else part


def relative(path):
    return path.relative_to(ROOT).as_posix()


def dotted(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


every_file = pytest.mark.parametrize("path", FILES, ids=relative)
minidl_files = pytest.mark.parametrize("path", [p for p in FILES if relative(p).startswith("minidl/")], ids=relative)
algorithm_files = pytest.mark.parametrize(
    "path", [p for p in FILES if relative(p).startswith("algorithms/")], ids=relative
)
visual_files = pytest.mark.parametrize("path", [p for p in FILES if relative(p).startswith("visual/")], ids=relative)


def test_the_reader_of_imports_sees_all_forms(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    folder = tmp_path / "minidl" / "nn" / "models"
    folder.mkdir(parents=True)
    (tmp_path / "minidl" / "ops").mkdir()
    source = "import numpy as np\nfrom minidl import ops\nfrom ..module import M\n"
    source += "def f():\n    from . import vgg\n    import minidl.data.idx\n"
    (folder / "vgg.py").write_text(source)
    found = set(imported_modules(folder / "vgg.py"))
    assert found == {"numpy", "minidl.ops", "minidl.nn.module", "minidl.nn.models.vgg", "minidl.data.idx"}


@minidl_files
def test_rooms_of_minidl(path):
    room = room_of(dotted(path))
    if room in ROOF:
        return
    assert room in MAY_IMPORT, f"{relative(path)} is in a room the table does not know"
    allowed = MAY_IMPORT[room] | FREE | {room}
    for module in imported_modules(path):
        top = module.split(".")[0]
        if top == "minidl":
            fine = room_of(module) in allowed or (relative(path), module) in CLOSES_THE_CIRCLE
            assert fine, f"{relative(path)} imports {module}, allowed are {sorted(allowed)}"
        else:
            assert top in STANDARD or top in MAY_USE.get(room, {"numpy"}), f"{relative(path)} imports {module}"


@algorithm_files
def test_chapters_use_public_names_of_minidl_and_never_one_another(path):
    chapter = path.relative_to(ROOT).parts[1]
    for module, name in imports_of(path):
        top, *rest = module.split(".")
        if top == "minidl":
            assert is_public(module, name), f"{relative(path)} imports {module}.{name or ''}: not a public name"
        elif top == "algorithms":
            own = chapter in ("experiments", "__init__.py") or (rest or [name])[0] == chapter
            assert own, f"{relative(path)} imports {module}: one chapter never imports another"
        else:
            allowed = MAY_USE["algorithms"] | ({"visual", "matplotlib"} if chapter == "experiments" else set())
            assert top in STANDARD or top in allowed, f"{relative(path)} imports {module}"


def is_public(module, name):
    """Whether a package of minidl lists the name in its `__all__`; `types` and `rng` are free for all."""
    if module.split(".")[0] != "minidl" or module.removeprefix("minidl.") in FREE:
        return True
    if module in OFFERED:
        return name is not None and not name.startswith("_")
    parts = module.split(".")
    steps = list(zip(parts[1:], [".".join(parts[:i]) for i in range(1, len(parts))], strict=True))
    chain = [*steps, (name, module)] if name else steps
    return all(step in exported(owner) for step, owner in chain)


def exported(module):
    """The names that a package offers: its `__all__`, and its sub-packages that it opens on demand."""
    return set(getattr(importlib.import_module(module), "__all__", ())) | (
        {"autograd"} if module == "minidl" else set()
    )


@visual_files
def test_visual_draws_from_plain_records(path):
    for module in imported_modules(path):
        top = module.split(".")[0]
        assert top in STANDARD or top in MAY_USE["visual"] | {"visual"}, f"{relative(path)} imports {module}"


@every_file
def test_no_star_imports_and_no_prints_in_libraries(path):
    tree = tree_of(path)
    stars = [n.lineno for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and any(a.name == "*" for a in n.names)]
    assert stars == []
    if relative(path).startswith(("minidl/cli", "minidl/commands/", "minidl/__main__", "visual/report")):
        return
    calls = [
        n for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id == "print"
    ]
    assert [n.lineno for n in calls] == [], f"{relative(path)} prints"


@every_file
def test_every_file_says_what_it_is(path):
    assert ast.get_docstring(tree_of(path)), f"{relative(path)} has no docstring"


@pytest.mark.parametrize("name", ops.__all__)
def test_every_operation_has_a_docstring_and_types(name):
    function = getattr(ops, name)
    assert inspect.getdoc(function)
    assert "return" in function.__annotations__
    assert set(inspect.signature(function).parameters) <= set(function.__annotations__)
