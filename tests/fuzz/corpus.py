"""What libFuzzer begins with: the files of the sound folders (python -m tests.fuzz.corpus
FOLDER)."""

import sys
from pathlib import Path

from tests.fuzz.cases import BASES, seed_folder

FILES = {
    "header": "model.safetensors",
    "config": "config.json",
    "tokenizer": "tokenizer.json",
}


def main(target: Path) -> None:
    for kind, name in FILES.items():
        (target / kind).mkdir(parents=True, exist_ok=True)
        for seed in BASES:
            source = seed_folder(seed) / name
            if source.is_file():
                (target / kind / seed.replace(" ", "-")).write_bytes(source.read_bytes())
    (target / "inputs").mkdir(exist_ok=True)  # drawn from nothing


if __name__ == "__main__":
    main(Path(sys.argv[1]))
