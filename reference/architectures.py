"""The tensors that each architecture is made of: key and shape, as Transformers saves them.

Written once, so that a checkpoint is checked before any port sees it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from reference.config import BertConfig
from reference.errors import ConfigError
from reference.inputs import check_name

Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Architecture:
    """One of Transformers' model classes, as far as loading its checkpoint goes."""

    name: str
    task: str  # "base", "masked-lm", "text-classification" or "token-classification"
    base_prefix: str  # "" for the base model, "bert." or "roberta." under a head

    @property
    def family(self) -> str:
        return "bert" if self.name.startswith("Bert") else "roberta"


_HEADS = {
    "Model": "base",
    "ForMaskedLM": "masked-lm",
    "ForSequenceClassification": "text-classification",
    "ForTokenClassification": "token-classification",
}
_CLASS_PREFIXES = {"bert": "Bert", "roberta": "Roberta", "xlm-roberta": "XLMRoberta"}

ARCHITECTURES = {
    f"{class_prefix}{suffix}": Architecture(
        f"{class_prefix}{suffix}",
        task,
        "" if task == "base" else ("bert." if class_prefix == "Bert" else "roberta."),
    )
    for class_prefix in _CLASS_PREFIXES.values()
    for suffix, task in _HEADS.items()
}


def architecture_for(config: BertConfig, task: str | None = None) -> Architecture:
    """The class that the configuration names, or the one of its family for `task`."""
    if task is not None:
        check_name(task, _HEADS.values(), "task")
        suffix = next(suffix for suffix, its_task in _HEADS.items() if its_task == task)
        return ARCHITECTURES[_CLASS_PREFIXES[config.model_type] + suffix]
    if not config.architectures:
        return architecture_for(config, "base")
    name = config.architectures[0]
    if name not in ARCHITECTURES:
        raise ConfigError(f"architecture {name} is not implemented; supported: {', '.join(ARCHITECTURES)}")
    if not name.startswith(_CLASS_PREFIXES[config.model_type]):
        raise ConfigError(f"architecture {name} does not belong to model_type {config.model_type!r}")
    return ARCHITECTURES[name]


def expected_shapes(config: BertConfig, architecture: Architecture, pooler: bool) -> Shapes:
    """Key -> shape of every tensor; tied ones (an MLM decoder's, by default) are not listed."""
    prefix = architecture.base_prefix
    shapes = {prefix + key: shape for key, shape in _base_shapes(config, pooler)}
    shapes.update(_head_shapes(config, architecture))
    return shapes


def tied_keys(config: BertConfig, architecture: Architecture) -> dict[str, str]:
    """Key -> key of the tensor that it shares, for keys that a checkpoint may repeat."""
    if architecture.task != "masked-lm" or not config.tie_word_embeddings:
        return {}
    head = "cls.predictions." if architecture.family == "bert" else "lm_head."
    return {
        head + "decoder.weight": architecture.base_prefix + "embeddings.word_embeddings.weight",
        head + "decoder.bias": head + "bias",
    }


def has_pooler(architecture: Architecture, keys: Iterator[str] | set[str]) -> bool:
    """Only BERT's sentence classifier needs the pooler; a base model has one where its checkpoint does."""
    if architecture.task == "base":
        return any(key.startswith("pooler.") for key in keys)
    return architecture.name == "BertForSequenceClassification"


def _dense(name: str, inputs: int, outputs: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield f"{name}.weight", (outputs, inputs)
    yield f"{name}.bias", (outputs,)


def _norm(name: str, size: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield f"{name}.weight", (size,)
    yield f"{name}.bias", (size,)


def _base_shapes(config: BertConfig, pooler: bool) -> Iterator[tuple[str, tuple[int, ...]]]:
    hidden, intermediate = config.hidden_size, config.intermediate_size
    yield "embeddings.word_embeddings.weight", (config.vocab_size, hidden)
    yield "embeddings.position_embeddings.weight", (config.max_position_embeddings, hidden)
    yield "embeddings.token_type_embeddings.weight", (config.type_vocab_size, hidden)
    yield from _norm("embeddings.LayerNorm", hidden)
    for number in range(config.num_hidden_layers):
        layer = f"encoder.layer.{number}"
        for name in ("query", "key", "value"):
            yield from _dense(f"{layer}.attention.self.{name}", hidden, hidden)
        yield from _dense(f"{layer}.attention.output.dense", hidden, hidden)
        yield from _norm(f"{layer}.attention.output.LayerNorm", hidden)
        yield from _dense(f"{layer}.intermediate.dense", hidden, intermediate)
        yield from _dense(f"{layer}.output.dense", intermediate, hidden)
        yield from _norm(f"{layer}.output.LayerNorm", hidden)
    if pooler:
        yield from _dense("pooler.dense", hidden, hidden)


def _head_shapes(config: BertConfig, architecture: Architecture) -> Iterator[tuple[str, tuple[int, ...]]]:
    hidden, bert = config.hidden_size, architecture.family == "bert"
    if architecture.task == "masked-lm":
        head = "cls.predictions" if bert else "lm_head"
        yield from _dense(f"{head}.transform.dense" if bert else f"{head}.dense", hidden, hidden)
        yield from _norm(f"{head}.transform.LayerNorm" if bert else f"{head}.layer_norm", hidden)
        yield f"{head}.bias", (config.vocab_size,)
        if not config.tie_word_embeddings:
            yield from _dense(f"{head}.decoder", hidden, config.vocab_size)
    elif architecture.task == "text-classification" and not bert:
        yield from _dense("classifier.dense", hidden, hidden)
        yield from _dense("classifier.out_proj", hidden, config.num_labels)
    elif architecture.task != "base":
        yield from _dense("classifier", hidden, config.num_labels)
