"""The tensors that each architecture is made of: key and shape, as Transformers saves them.

Written once, so that a checkpoint is checked before any port sees it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from reference.checks import check_name
from reference.config import BertConfig, EncoderConfig, ModernBertConfig
from reference.errors import ConfigError

Shapes = dict[str, tuple[int, ...]]
Entries = Iterator[tuple[str, tuple[int, ...]]]


@dataclass(frozen=True)
class Architecture:
    """One of Transformers' model classes, as far as loading its checkpoint goes."""

    name: str
    task: str  # "base", "masked-lm", "text-classification", ...
    family: str  # "bert", "roberta" or "modernbert": classes of one family have the same keys

    @property
    def base_prefix(self) -> str:
        """What the encoder's keys begin with here: nothing in a base model."""
        return "" if self.task == "base" else self.prefix_under_a_head

    @property
    def prefix_under_a_head(self) -> str:
        return {"modernbert": "model"}.get(self.family, self.family) + "."


_HEADS = {
    "Model": "base",
    "ForMaskedLM": "masked-lm",
    "ForSequenceClassification": "text-classification",
    "ForTokenClassification": "token-classification",
    "ForMultipleChoice": "multiple-choice",
}
_CLASS_PREFIXES = {
    "bert": "Bert",
    "roberta": "Roberta",
    "xlm-roberta": "XLMRoberta",
    "modernbert": "ModernBert",
}
_FAMILIES = {"xlm-roberta": "roberta"}

ARCHITECTURES = {
    f"{class_prefix}{suffix}": Architecture(
        f"{class_prefix}{suffix}", task, _FAMILIES.get(model_type, model_type)
    )
    for model_type, class_prefix in _CLASS_PREFIXES.items()
    for suffix, task in _HEADS.items()
    if task != "multiple-choice" or model_type == "modernbert"
}


def architecture_for(config: EncoderConfig, task: str | None = None) -> Architecture:
    """The class that the configuration names, or the one of its family for `task`."""
    if task is not None:
        check_name(task, _HEADS.values(), "task")
        suffix = next(suffix for suffix, its_task in _HEADS.items() if its_task == task)
        name = _CLASS_PREFIXES[config.model_type] + suffix
        if name not in ARCHITECTURES:
            raise ConfigError(
                f"{name} is not implemented; supported: {', '.join(ARCHITECTURES)}"
            )
        return ARCHITECTURES[name]
    if not config.architectures:
        return architecture_for(config, "base")
    name = config.architectures[0]
    if name not in ARCHITECTURES:
        raise ConfigError(
            f"architecture {name} is not implemented; supported: {', '.join(ARCHITECTURES)}"
        )
    if not name.startswith(_CLASS_PREFIXES[config.model_type]):
        raise ConfigError(
            f"architecture {name} does not belong to model_type {config.model_type!r}"
        )
    return ARCHITECTURES[name]


def expected_shapes(config: EncoderConfig, architecture: Architecture, pooler: bool) -> Shapes:
    """Key -> shape of every tensor; tied ones (an MLM decoder's, by default) are not listed."""
    if isinstance(config, ModernBertConfig):
        base, head = (
            _modernbert_shapes(config),
            _modernbert_head_shapes(config, architecture.task),
        )
    else:
        base, head = _bert_shapes(config, pooler), _bert_head_shapes(config, architecture)
    return {architecture.base_prefix + key: shape for key, shape in base} | dict(head)


def tied_keys(config: EncoderConfig, architecture: Architecture) -> dict[str, str]:
    """Key -> key of the tensor that it shares, for keys that a checkpoint may repeat."""
    if architecture.task != "masked-lm" or not config.tie_word_embeddings:
        return {}
    if architecture.family == "modernbert":
        return {"decoder.weight": "model.embeddings.tok_embeddings.weight"}
    head = "cls.predictions." if architecture.family == "bert" else "lm_head."
    return {
        head + "decoder.weight": architecture.base_prefix + "embeddings.word_embeddings.weight",
        head + "decoder.bias": head + "bias",
    }


def has_pooler(architecture: Architecture, keys: Iterator[str] | set[str]) -> bool:
    """Only BERT's sentence classifier needs the pooler; a base model has one where its
    checkpoint does."""
    if architecture.task == "base":
        return any(key.startswith("pooler.") for key in keys)
    return architecture.name == "BertForSequenceClassification"


def _dense(name: str, inputs: int, outputs: int, bias: bool = True) -> Entries:
    yield f"{name}.weight", (outputs, inputs)
    if bias:
        yield f"{name}.bias", (outputs,)


def _norm(name: str, size: int, bias: bool = True) -> Entries:
    yield f"{name}.weight", (size,)
    if bias:
        yield f"{name}.bias", (size,)


def _bert_shapes(config: BertConfig, pooler: bool) -> Entries:
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


def _bert_head_shapes(config: BertConfig, architecture: Architecture) -> Entries:
    hidden, bert = config.hidden_size, architecture.family == "bert"
    if architecture.task == "masked-lm":
        head = "cls.predictions" if bert else "lm_head"
        yield from _dense(
            f"{head}.transform.dense" if bert else f"{head}.dense", hidden, hidden
        )
        yield from _norm(
            f"{head}.transform.LayerNorm" if bert else f"{head}.layer_norm", hidden
        )
        yield f"{head}.bias", (config.vocab_size,)
        if not config.tie_word_embeddings:
            yield from _dense(f"{head}.decoder", hidden, config.vocab_size)
    elif architecture.task == "text-classification" and not bert:
        yield from _dense("classifier.dense", hidden, hidden)
        yield from _dense("classifier.out_proj", hidden, config.num_labels)
    elif architecture.task != "base":
        yield from _dense("classifier", hidden, config.num_labels)


def _modernbert_shapes(config: ModernBertConfig) -> Entries:
    hidden, intermediate = config.hidden_size, config.intermediate_size
    yield "embeddings.tok_embeddings.weight", (config.vocab_size, hidden)
    yield from _norm("embeddings.norm", hidden, config.norm_bias)
    for number in range(config.num_hidden_layers):
        layer = f"layers.{number}"
        if number:
            yield from _norm(f"{layer}.attn_norm", hidden, config.norm_bias)
        yield from _dense(f"{layer}.attn.Wqkv", hidden, 3 * hidden, config.attention_bias)
        yield from _dense(f"{layer}.attn.Wo", hidden, hidden, config.attention_bias)
        yield from _norm(f"{layer}.mlp_norm", hidden, config.norm_bias)
        yield from _dense(f"{layer}.mlp.Wi", hidden, 2 * intermediate, config.mlp_bias)
        yield from _dense(f"{layer}.mlp.Wo", intermediate, hidden, config.mlp_bias)
    yield from _norm("final_norm", hidden, config.norm_bias)


def _modernbert_head_shapes(config: ModernBertConfig, task: str) -> Entries:
    hidden = config.hidden_size
    if task == "base":
        return
    yield from _dense("head.dense", hidden, hidden, config.classifier_bias)
    yield from _norm("head.norm", hidden, config.norm_bias)
    if task != "masked-lm":
        yield from _dense(
            "classifier", hidden, 1 if task == "multiple-choice" else config.num_labels
        )
        return
    if not config.tie_word_embeddings:
        yield "decoder.weight", (config.vocab_size, hidden)
    if config.decoder_bias:
        yield "decoder.bias", (config.vocab_size,)
