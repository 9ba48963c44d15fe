"""Find one definition in the files of the three ports, by parsing them: no framework is
imported."""

import ast
import textwrap
from dataclasses import dataclass
from pathlib import Path

from reference.display import rust
from reference.errors import InputError

PACKAGE = Path(__file__).resolve().parents[1]
# The Rust crates, in the order in which a name is looked for.
CRATES = tuple(Path("rust_ports", crate, "src") for crate in ("models", "encoders", "kernels"))
# What one language calls a thing and another cannot: MLX's modules are called, Rust has no
# constructors, and there a model is given what was found sound.
SPELLINGS = {
    "forward": ("forward", "__call__", "encode"),
    "__init__": ("__init__", "new", "build"),
}


@dataclass(frozen=True)
class Definition:
    """The source of one name in one port: where it is, of a method also in which class, and
    its text."""

    path: str
    text: str
    owner: str = ""


def find(name: str, port: str | None) -> Definition:
    """The definition of `name`, say "bert.BertLayer.forward", in a port ("torch", "mlx",
    "rust") or, for None, in the part of the package that the ports share."""
    if not isinstance(name, str):
        raise InputError(
            f"{name!r:.80} cannot be shown: a name is a string, "
            '"pooling.mean_pooling" for instance'
        )
    rust_port = port == "rust"
    base = repository() if rust_port else PACKAGE.parent
    suffix = ".rs" if rust_port else ".py"
    roots = CRATES if rust_port else (Path(PACKAGE.name, port or ""),)
    files = [found for root in roots if (found := _file_of(base / root, suffix, name))]
    for file, inside in files:
        if definition := _in_file(base, file, inside):
            return definition
    if files:
        shown = files[0][0].relative_to(base).as_posix()
        inside = ".".join(files[0][1])
        raise InputError(f"{shown} defines no {inside!r}, so {name!r} cannot be shown")
    shown = "rust_ports" if rust_port else roots[0].as_posix()
    raise InputError(
        f"{shown} has no file {name.split('.')[0]}{suffix}, so {name!r} cannot be shown"
    )


def _in_file(base: Path, file: Path, inside: list[str]) -> Definition | None:
    """A definition in a file, or the whole file. A long room in Rust hands on what the files in
    a folder of its name define, and one that is a package what its files do."""
    rust_file = file.suffix == ".rs"
    if not inside:
        text = file.read_text(encoding="utf-8")
        text = rust.without_tests(text) if rust_file else text
        return Definition(file.relative_to(base).as_posix(), text.strip("\n"))
    is_package = file.name == f"__init__{file.suffix}"
    folder = file.parent if is_package else file.with_suffix("")
    for part in (file, *sorted(folder.glob(f"*{file.suffix}"))):
        text = part.read_text(encoding="utf-8")
        for spelling in SPELLINGS.get(inside[-1], (inside[-1],)):
            path = [*inside[:-1], spelling]
            if rust_file:
                found = rust.definition(text, "::".join(path))
            else:
                found = python_definition(text, path)
            if found:
                owner = inside[-2] if len(inside) > 1 else ""
                return Definition(part.relative_to(base).as_posix(), found, owner)
    return None


def repository() -> Path:
    """The repository: the Rust library's sources are part of it, not of an installed
    package."""
    for start in (PACKAGE, Path.cwd()):
        for folder in (start, *start.parents):
            if (folder / CRATES[0]).is_dir():
                return folder
    raise InputError(
        f"no folder {CRATES[0].as_posix()} above {PACKAGE} or above the current folder: "
        "the Rust sources come with the repository, so run this inside a clone of it"
    )


def python_definition(text: str, path: list[str]) -> str | None:
    """The text of a function, class, method or module-level name, with its decorators."""
    body = ast.parse(text).body
    for name in path[:-1]:
        body = next(
            (
                node.body
                for node in body
                if isinstance(node, ast.ClassDef) and node.name == name
            ),
            [],
        )
    # As ast counts them; splitlines also cuts at U+2028, inside a string.
    lines = text.split("\n")
    found = [_lines_of(node, lines) for node in body if path[-1] in _names_of(node)]
    return "\n\n".join(found) or None


def _names_of(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _lines_of(node: ast.stmt, lines: list[str]) -> str:
    """The node's lines, from its first decorator on, with the comment lines directly above."""
    first = min(
        [node.lineno, *(decorator.lineno for decorator in getattr(node, "decorator_list", []))]
    )
    while first > 1 and lines[first - 2].lstrip().startswith("#"):
        first -= 1
    return textwrap.dedent("\n".join(lines[first - 1 : node.end_lineno]))


def _file_of(root: Path, suffix: str, name: str) -> tuple[Path, list[str]] | None:
    """Split "parity.compare.compare" into the file parity/compare.py and the path inside it,
    [compare]."""
    parts = name.split(".")
    folder = root
    for index, part in enumerate(parts):
        if (file := folder / f"{part}{suffix}").is_file():
            return file, parts[index + 1 :]
        if not (folder / part).is_dir():
            break
        folder = folder / part
    if folder != root and (file := folder / f"__init__{suffix}").is_file():
        return file, parts[len(folder.relative_to(root).parts) :]
    return None
