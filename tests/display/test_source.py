"""Finding a name in the files of the ports."""

import subprocess
import sys
from pathlib import Path

import pytest

from reference.display import source
from reference.display.source import find, python_definition
from reference.errors import InputError

PYTHON = '''"""A module."""

import functools

# What it is for.
EPSILON: float = 1e-9
TABLE = {
    "a": 1,
}


# A comment that belongs to the function.
@functools.cache
def add(a, b):
    """Adds."""
    return a + b


class Layer:
    """A layer."""

    def forward(self, x):
        return x

    @property
    def size(self):
        return 1
'''


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with two small ports, apart from the real one."""
    files = {
        "reference/torch/layers.py": PYTHON,
        "reference/mlx/layers.py": PYTHON.replace("def forward", "def __call__").replace(
            "A layer.", "MLX's layer."
        ),
        "reference/parity/__init__.py": "def hidden():\n    pass\n",
        "reference/parity/compare.py": "def compare():\n    return 1\n",
        "rust_ports/models/src/layers.rs": "pub struct Layer;\n\nimpl Layer {\n"
        "    pub fn new() {}\n"
        "    pub fn forward(&self) {}\n}\n\n#[cfg(test)]\nmod tests {}\n",
        "rust_ports/models/src/layers/fused.rs": "pub fn add_norm() {}\n",
        "rust_ports/models/src/bert.rs": "impl Encoder for Bert {\n"
        "    fn encode(&self) {}\n}\n",
        "rust_ports/encoders/src/hub.rs": "fn fetch() {}\n",
        "rust_ports/kernels/src/layers.rs": "fn fast() {}\n\npub struct Layer(f32);\n",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    monkeypatch.setattr(source, "PACKAGE", tmp_path / "reference")
    return tmp_path


def test_python_definitions():
    assert python_definition(PYTHON, ["add"]).startswith(
        "# A comment that belongs to the function.\n@functools.cache"
    )
    assert python_definition(PYTHON, ["add"]).endswith("return a + b")
    assert python_definition(PYTHON, ["EPSILON"]) == "# What it is for.\nEPSILON: float = 1e-9"
    assert python_definition(PYTHON, ["TABLE"]) == 'TABLE = {\n    "a": 1,\n}'
    assert (
        python_definition(PYTHON, ["Layer", "forward"]) == "def forward(self, x):\n    return x"
    )
    assert python_definition(PYTHON, ["Layer", "size"]).startswith("@property\ndef size")
    assert python_definition(PYTHON, ["Layer", "backward"]) is None
    assert python_definition(PYTHON, ["Nothing", "forward"]) is None
    assert python_definition('A = "\u2028"\nB = 1\n', ["B"]) == "B = 1"


def test_a_name_is_found_in_each_port_under_its_own_spelling(tree: Path):
    assert find("layers.Layer.forward", "torch").text.startswith("def forward")
    assert find("layers.Layer.forward", "mlx").text.startswith("def __call__")
    assert find("layers.Layer.forward", "rust").text == "pub fn forward(&self) {}"
    assert find("layers.Layer.__init__", "rust").text == "pub fn new() {}"
    assert find("layers.Layer", "mlx").path == "reference/mlx/layers.py"
    assert find("layers.Layer", "rust").path == "rust_ports/models/src/layers.rs"


def test_a_name_is_found_in_each_crate_and_in_the_folder_of_a_room(tree: Path):
    assert find("layers.add_norm", "rust").path == "rust_ports/models/src/layers/fused.rs"
    assert find("hub.fetch", "rust").path == "rust_ports/encoders/src/hub.rs"
    assert find("layers.fast", "rust").path == "rust_ports/kernels/src/layers.rs"
    assert find("bert.Bert.forward", "rust").text == "fn encode(&self) {}"


def test_a_whole_file(tree: Path):
    assert find("layers", "torch").text == PYTHON.strip("\n")
    assert "mod tests" not in find("layers", "rust").text


def test_what_the_ports_share(tree: Path):
    assert find("parity.compare.compare", None).path == "reference/parity/compare.py"
    assert find("parity.hidden", None).path == "reference/parity/__init__.py"


@pytest.mark.parametrize(
    ("name", "port", "message"),
    [
        ("layers.subtract", "torch", "reference/torch/layers.py defines no 'subtract'"),
        (
            "layers.Layer.backward",
            "rust",
            "rust_ports/models/src/layers.rs defines no 'Layer.backward'",
        ),
        ("rope.apply_rope", "rust", "rust_ports has no file rope.rs"),
        ("rope.apply_rope", "mlx", "reference/mlx has no file rope.py"),
        (5, "torch", "5 cannot be shown: a name is a string"),
        ("", "torch", "reference/torch has no file .py"),
        ("parity.other.thing", None, "reference/parity/__init__.py defines no 'other.thing'"),
    ],
)
def test_what_is_missing_is_named(tree: Path, name: str, port: str | None, message: str):
    with pytest.raises(InputError, match="cannot be shown") as error:
        find(name, port)
    assert message in str(error.value)


def test_rust_sources_are_also_found_above_the_current_folder(
    tree: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(source, "PACKAGE", Path("/nowhere/reference"))
    monkeypatch.chdir(tree / "reference" / "torch")
    assert source.repository() == tree


def test_without_the_repository_the_error_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(source, "PACKAGE", tmp_path / "site-packages" / "reference")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="inside a clone"):
        find("layers.Layer", "rust")


def test_no_framework_is_imported():
    code = (
        "import sys; from reference.display import show; str(show('pooling.mean_pooling', "
        "ports=('torch', 'rust')));print(sorted({'torch', 'mlx', 'matplotlib', 'numpy'} & "
        "set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
