"""One concept, one file, three times: the ports have the same rooms, and in them the same
classes, functions, methods, arguments and aliases."""

import ast
import importlib
import inspect
import re
from pathlib import Path

import pytest

import reference

PACKAGE = Path(reference.__file__).parent
RUST = PACKAGE.parent / "rust_ports/models/src"
# What makes a port fast or fits it to its framework is not a concept of the book's.
OF_A_FRAMEWORK = {"__init__", "port", "fused", "blas", "alike", "trace", "ranks"}
# In torch a room may be a package, of which these files are ported; the others are a model of
# Transformers' kind, whose port it is.
PACKAGES = {"masked_sequence": ("losses", "network")}
ROOMS = sorted(
    ({path.stem for path in (PACKAGE / "torch").glob("*.py")} - OF_A_FRAMEWORK) | set(PACKAGES)
)

# Transformers' own collator draws from PyTorch's generator, which the others do not have; and
# its model is told where detections are, and how many labels a step of several batches has.
TORCH_ONLY = {"collate", "counted_channels", "check_labels", "items"}
# Rust has no base classes: what Python's give to a head, a function gives there.
WITHOUT_INHERITANCE = set(
    "TextHead TokenHead ChoiceHead TiedDecoder ModernBertHead DistilBertTextHead".split()
)
# candle's tensors know no precision of their own, and a struct is complete when it is made, so
# Rust's constructors take weights.
RUST_ONLY = {"device", "weights"}
# What a Rust method takes under another name: inputs that were found sound.
SPELLINGS = {"batch": "inputs"}


def python_names(path: Path) -> dict[str, object]:
    """Public classes with their methods, functions with their arguments, aliases with what they
    stand for."""
    names: dict[str, object] = {}
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ClassDef):
            names[node.name] = {
                {"__call__": "forward"}.get(item.name, item.name): arguments(item)
                for item in node.body
                if isinstance(item, ast.FunctionDef)
            }
        elif isinstance(node, ast.FunctionDef):
            names[node.name] = arguments(node)
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Name):
            names[node.targets[0].id] = node.value.id
    return {name: found for name, found in names.items() if not name.startswith("_")}


def arguments(function: ast.FunctionDef) -> list[str]:
    return [argument.arg for argument in function.args.args if argument.arg != "self"]


def shared_names(room: str) -> dict[str, object]:
    """What PyTorch's room has and the others are to have."""
    files = [f"{room}/{name}" for name in PACKAGES.get(room, ())] or [room]
    names: dict[str, object] = {}
    for file in files:
        names |= python_names(PACKAGE / f"torch/{file}.py")
    own = {name: found for name, found in names.items() if name not in TORCH_ONLY}
    return {name: _ported(found) for name, found in own.items()}


def _ported(found: object) -> object:
    if not isinstance(found, list):
        return found
    return [argument for argument in found if argument not in TORCH_ONLY]


def rust_source(room: str) -> str:
    """A long room has a folder of further files."""
    path = RUST / f"{room}.rs"
    parts = (path, *sorted(path.with_suffix("").glob("*.rs")))
    return "\n".join(part.read_text().partition("#[cfg(test)]")[0] for part in parts)


def rust_functions(source: str, indent: str = "") -> dict[str, list[str]]:
    """Functions with their arguments; public ones, or those of a trait."""
    pattern = rf"^{indent}(?:pub )?fn (\w+)(?:<[^>]*>)?\((.*?)\)(?: ->| \{{|\n)"
    return {
        name: [
            SPELLINGS.get(argument, argument)
            for argument in re.findall(r"(\w+):", inside)
            if argument not in RUST_ONLY
        ]
        for name, inside in re.findall(pattern, source, re.MULTILINE | re.DOTALL)
    }


def rust_methods(source: str, name: str) -> dict[str, list[str]]:
    """The methods of all of a type's blocks."""
    blocks = re.findall(
        rf"^(?:impl|pub trait)[^\n]*?\b{name}\b[^\n]* \{{\n(.*?)^\}}",
        source,
        re.MULTILINE | re.DOTALL,
    )
    found = {}
    for block in blocks:
        found |= rust_functions(block, "    ")
    if "encode" in found:  # an encoder's forward, after the inputs were checked
        found.setdefault("forward", found["encode"])
    return found


@pytest.mark.parametrize("room", ROOMS)
def test_torch_and_mlx_agree(room):
    assert shared_names(room) == python_names(PACKAGE / f"mlx/{room}.py")


@pytest.mark.parametrize("room", ROOMS)
def test_rust_has_every_function(room):
    rust = rust_functions(rust_source(room))
    for name, expected in shared_names(room).items():
        if isinstance(expected, list):
            assert name in rust, f"{name} is missing in {room}.rs"
            assert rust[name] == expected, f"{name} in {room}.rs takes other arguments"


@pytest.mark.parametrize("room", ROOMS)
def test_rust_has_every_type_with_its_methods(room):
    source = rust_source(room)
    types = set(re.findall(r"^pub (?:struct|enum|trait|type) (\w+)", source, re.MULTILINE))
    names = shared_names(room)
    given = {method for base in WITHOUT_INHERITANCE for method in names.get(base, ())}
    for name, methods in names.items():
        if not isinstance(methods, dict) or name in WITHOUT_INHERITANCE:
            continue
        assert name in types, f"{name} is missing in {room}.rs"
        wanted = set(methods) - {"__init__"} - (given - {"forward"})
        assert wanted <= set(rust_methods(source, name)), name


@pytest.mark.parametrize("room", ROOMS)
def test_rust_has_every_alias(room):
    source = rust_source(room)
    for name, other in shared_names(room).items():
        if isinstance(other, str):
            assert f"pub type {name} = {other};" in source


@pytest.mark.parametrize(
    "room", sorted(path.stem for path in (PACKAGE / "candle").glob("*.py"))
)
def test_candle_hands_on_functions_under_the_same_names(room):
    """What can be used piecewise from Python: functions of arrays."""
    if room in OF_A_FRAMEWORK:
        return
    torch_room, candle_room = (
        importlib.import_module(f"reference.{port}.{room}") for port in ("torch", "candle")
    )
    for name in candle_room.__all__:
        ours, theirs = getattr(candle_room, name), getattr(torch_room, name)
        if inspect.isroutine(ours):
            assert parameters(ours) == parameters(theirs), name


@pytest.mark.parametrize("room", ["pooling", "rope", "losses", "masking"])
def test_candle_hands_on_whole_rooms_of_functions(room):
    candle_room = importlib.import_module(f"reference.candle.{room}")
    assert set(shared_names(room)) <= set(candle_room.__all__)


def parameters(function: object) -> dict[str, bool]:
    """The names of the arguments, in order, and whether each may be left out."""
    found = inspect.signature(function).parameters.values()
    return {parameter.name: parameter.default is not parameter.empty for parameter in found}


def test_no_port_imports_another_or_reads_files():
    for port in ("torch", "mlx", "candle"):
        for path in (PACKAGE / port).glob("*.py"):
            source = path.read_text()
            for other in {"torch", "mlx", "candle"} - {port}:
                assert f"reference.{other}" not in source, path
            # blas looks for torch's library on disk, and opens no file of the user's.
            if path.name != "blas.py":
                reads = r"\bopen\(|read_text|read_bytes|safetensors|tokenizers"
                assert not re.search(reads, source), path


def test_no_room_below_the_families_knows_one():
    """What a family is, is in its own files: no name of one decides anything elsewhere."""
    families = [path.stem for path in (PACKAGE / "families").glob("[!_]*.py")]
    rooms = [name for name in families if (PACKAGE / f"torch/{name}.py").exists()]
    assert len(rooms) >= 3
    for path in PACKAGE.rglob("*.py"):
        if path.stem in rooms or path.is_relative_to(PACKAGE / "parity/faults/rooms"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            decides = isinstance(node, ast.Compare | ast.Call)
            constants = [
                part.value
                for part in ast.walk(node)
                if decides and isinstance(part, ast.Constant) and isinstance(part.value, str)
            ]
            if isinstance(node, ast.Call):
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                if name not in ("startswith", "endswith", "isinstance", "fullmatch", "match"):
                    continue
            assert not set(constants) & {*rooms, "Bert", "ModernBert", "XLMRoberta"}, path


@pytest.mark.parametrize("pattern", ["reference/**/*.py", "rust_ports/**/*.rs"])
def test_listings_fit_a_page(pattern):
    """96 columns, and no file so long that nobody reads it to the end."""
    root = PACKAGE.parent
    paths = [path for path in root.glob(pattern) if "target" not in path.parts]
    assert len(paths) > 30
    for path in paths:
        lines = path.read_text(encoding="utf-8").split("\n")
        assert max(map(len, lines)) <= 96, path
        assert len(lines) <= 351, f"{path} has {len(lines)} lines"
