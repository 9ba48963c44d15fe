"""One concept, one file, three times: the ports have the same rooms, and in them the same names
and arguments."""

import ast
import importlib
import inspect
import re
from collections.abc import Callable
from pathlib import Path

import pytest

import reference

PACKAGE = Path(reference.__file__).parent
RUST = PACKAGE.parent / "rust_ports/models/src"
ROOMS = (
    "pooling",
    "layers",
    "rope",
    "attention",
    "bert",
    "modernbert",
    "heads",
    "masking",
    "losses",
)

# Rust's own: where a tensor is to live; and a struct is complete when it is made, so a tie is
# made with it.
RUST_ONLY = {"device"}
MADE_OTHERWISE = {"tie_decoder", "tie_modernbert_decoder", "attend_to"}

# Transformers' own collator draws from PyTorch's generator, which the other frameworks do not
# have.
TORCH_ONLY = {"collate"}

# The inner parts of a model hold tensors of candle's own, which never leave the port: Python
# sees the models whole.
NOT_IN_CANDLE = set(
    "BertEmbeddings BertSelfAttention BertSelfOutput BertAttention BertIntermediate BertOutput "
    "BertLayer BertEncoder "
    "BertPooler first_tokens BertPredictionHeadTransform BertLMPredictionHead BertOnlyMLMHead "
    "XLMRobertaLMHead "
    "XLMRobertaClassificationHead tie_decoder ModernBertEmbeddings ModernBertAttention "
    "ModernBertEncoderLayer "
    "attend_to ModernBertPredictionHead tie_modernbert_decoder".split()
)
# Nothing can be loaded into them later, so what they hold is given when they are made.
MADE_OF_ARRAYS_IN_CANDLE = set(
    "Linear LayerNorm Embedding GatedMLP BertModel Head BertForMaskedLM "
    "BertForSequenceClassification "
    "BertForTokenClassification XLMRobertaForMaskedLM XLMRobertaForSequenceClassification "
    "XLMRobertaForTokenClassification ModernBertModel ModernBertHead ModernBertForMaskedLM "
    "ModernBertForSequenceClassification ModernBertForTokenClassification "
    "ModernBertForMultipleChoice".split()
)


def python_names(path: Path) -> dict[str, list[str]]:
    """Public classes with the arguments of __init__, and public functions with theirs."""
    names = {}
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ClassDef):
            init = next(
                (item for item in node.body if getattr(item, "name", "") == "__init__"), None
            )
            names[node.name] = arguments(init) if init else []
        elif isinstance(node, ast.FunctionDef):
            names[node.name] = arguments(node)
    return {name: found for name, found in names.items() if not name.startswith("_")}


def shared_names(room: str) -> dict[str, list[str]]:
    """What PyTorch's room has and the others are to have."""
    names = python_names(PACKAGE / f"torch/{room}.py")
    return {name: found for name, found in names.items() if name not in TORCH_ONLY}


def arguments(function: ast.FunctionDef) -> list[str]:
    return [argument.arg for argument in function.args.args if argument.arg != "self"]


def rust_names(path: Path) -> dict[str, list[str] | None]:
    """Public types, and public functions with their arguments; a long room has a folder of
    further files."""
    source = "\n".join(part.read_text() for part in (path, *path.with_suffix("").glob("*.rs")))
    names: dict[str, list[str] | None] = dict.fromkeys(
        re.findall(r"^pub (?:struct|enum|trait|type|const) (\w+)", source, re.M)
    )
    for name, inside in re.findall(r"^pub fn (\w+)(?:<[^>]*>)?\(([^)]*)\)", source, re.M):
        names[name] = [
            argument
            for argument in re.findall(r"(\w+)\s*:", inside)
            if argument not in RUST_ONLY
        ]
    return names


@pytest.mark.parametrize("room", ROOMS)
def test_torch_and_mlx_agree_on_names_and_arguments(room):
    assert shared_names(room) == python_names(PACKAGE / f"mlx/{room}.py")


@pytest.mark.parametrize("room", ROOMS)
def test_rust_has_every_name(room):
    # A family's heads stand in its own room there.
    rooms = {*ROOMS, "roberta"} if room in {"bert", "modernbert", "heads"} else {room}
    rust = {}
    for place in rooms:
        rust |= rust_names(RUST / f"{place}.rs")
    for name, expected in shared_names(room).items():
        if name in {
            "Head",
            "ModernBertHead",
        }:  # shared base classes in Python, of which Rust has none
            continue
        if name in MADE_OTHERWISE:
            continue
        assert name in rust, f"{name} is missing in {room}.rs"
        if rust[name] is not None:
            assert rust[name] == expected, f"{name} in {room}.rs takes other arguments"


@pytest.mark.parametrize("room", ROOMS)
def test_candle_hands_on_the_same_functions(room):
    """Every function that can be used piecewise from Python, under its name and with its
    arguments."""
    torch_room, candle_room = (
        importlib.import_module(f"reference.{port}.{room}") for port in ("torch", "candle")
    )
    for name in shared_names(room):
        assert hasattr(candle_room, name) == (name not in NOT_IN_CANDLE), name
        if name not in NOT_IN_CANDLE | MADE_OF_ARRAYS_IN_CANDLE:
            assert parameters(getattr(candle_room, name)) == parameters(
                getattr(torch_room, name)
            ), name


def parameters(function: Callable[..., object]) -> dict[str, bool]:
    """The names of the arguments, in order, and whether each may be left out."""
    found = inspect.signature(function).parameters.values()
    return {parameter.name: parameter.default is not parameter.empty for parameter in found}


def test_no_port_imports_another_or_reads_files():
    for port in ("torch", "mlx", "candle"):
        for path in (PACKAGE / port).glob("*.py"):
            source = path.read_text()
            others = {"torch", "mlx", "candle"} - {port}
            for other in others:
                assert f"reference.{other}" not in source, path
            if (
                path.name != "blas.py"
            ):  # looks for torch's library on disk, and opens no file of the user's
                assert not re.search(
                    r"\bopen\(|read_text|read_bytes|safetensors|tokenizers", source
                ), path
