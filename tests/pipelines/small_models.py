"""Small random models with tokenizers of every kind, and how far float32 may be from the
truth."""

import json
import shutil
from pathlib import Path

import numpy as np
import torch
import transformers

import reference
from reference.parity import random_checkpoint
from reference.pipelines.results import Classification
from tests.text import small

KINDS = ("bert", "modernbert", "roberta", "sentencepiece")
MINILM = "sentence-transformers/all-MiniLM-L6-v2"
MODERNBERT = "encoders-three-ways/modernbert-docstrings"


def masked_model(kind: str, folder: Path, **settings) -> Path:
    """A masked language model with random weights."""
    return random_model(kind, folder, "ForMaskedLM", **settings)


def loader_of_masked_models(folders: dict[str, Path]):
    """Loads a kind's folder, or a model by its name, once a backend."""
    made = {}

    def loaded(kind, backend):
        folder = folders.get(kind, kind)
        if (kind, backend) not in made:
            made[kind, backend] = reference.load(folder, backend=backend, pipeline="masked-lm")
        return made[kind, backend]

    return loaded


def random_model(kind: str, folder: Path, head: str, **settings) -> Path:
    if kind in ("bert", "modernbert"):
        prefix, source = {"bert": ("Bert", MINILM), "modernbert": ("ModernBert", MODERNBERT)}[
            kind
        ]
        return random_checkpoint(folder, prefix + head, tokenizer=source, **settings)
    prefix, make = {
        "roberta": ("Roberta", small.byte_pieces),
        "sentencepiece": ("XLMRoberta", small.sentence_pieces),
    }[kind]
    tokenizer = make()
    ids = {"bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2}
    size = tokenizer.get_vocab_size()
    path = random_checkpoint(folder, prefix + head, vocab_size=size, **ids, **settings)
    tokenizer.save(str(path / "tokenizer.json"))
    names = {"cls": "<s>", "pad": "<pad>", "sep": "</s>", "unk": "<unk>", "mask": "<mask>"}
    named = {f"{what}_token": name for what, name in names.items()}
    named |= {"bos_token": "<s>", "eos_token": "</s>"}
    named["tokenizer_class"] = "PreTrainedTokenizerFast"
    (path / "tokenizer_config.json").write_text(json.dumps(named))
    return path


class Truth:
    """Transformers' model of a folder in float64, and the noise of its float32."""

    def __init__(self, folder: Path, head: str) -> None:
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        kind = getattr(transformers, head)
        self.models = {
            dtype: kind.from_pretrained(folder, dtype=dtype).eval()
            for dtype in (torch.float32, torch.float64)
        }
        self.noise = 0.0

    @torch.no_grad()
    def logits(self, **inputs) -> np.ndarray:
        """In float64. The noise grows to the largest that is seen."""
        batch = {name: torch.tensor(values) for name, values in inputs.items()}
        single, double = (m(**batch).logits.double().numpy() for m in self.models.values())
        floor = 4 * np.finfo(np.float32).eps * np.abs(double).max()
        self.noise = max(self.noise, floor, np.abs(single - double).max())
        return double

    @property
    def tolerance(self) -> float:
        """How far a probability may be off, as a share of it: a port's logits may be off by
        twice the noise, and both a logit and the sum that it is divided by count."""
        return float(np.expm1(4 * self.noise))

    def log_probabilities(self, ids: list[int], place: int) -> np.ndarray:
        row = self.logits(input_ids=[ids])[0, place]
        return row - np.logaddexp.reduce(row)

    def chain(self, ids: list[int], first: int, answer: list[int]) -> float:
        """The log-probability of an answer at the masks from `first` on, by the rule as it is
        written: from left to right."""
        total, ids = 0.0, list(ids)
        for place, token in enumerate(answer, first):
            total += self.log_probabilities(ids, place)[token]
            ids[place] = token
        return total


def labelled(folder: Path, target: Path, id2label: dict) -> Path:
    """A copy whose labels have other names."""
    shutil.copytree(folder, target)
    config = json.loads((target / "config.json").read_text())
    config |= {"id2label": id2label, "label2id": {name: n for n, name in id2label.items()}}
    (target / "config.json").write_text(json.dumps(config))
    return target


def add(path: Path, **keys) -> None:
    """Puts more keys into a JSON file."""
    values = json.loads(path.read_text()) if path.is_file() else {}
    path.write_text(json.dumps(values | keys))


def as_batch(encoded):
    return {name: [values] for name, values in encoded.items()}


def softmax(scores):
    return np.exp(scores - np.logaddexp.reduce(scores))


def as_dict(found: Classification) -> dict[str, float]:
    return dict(zip(found.labels, found.probabilities, strict=True))
