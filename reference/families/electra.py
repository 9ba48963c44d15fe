"""ELECTRA (Clark et al. 2020): BERT's layers on embeddings of a size of their own, no pooler,
and heads of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from reference.families.bert import Bert, BertConfig
from reference.families.checks import check_choice, check_integer, check_share, check_switch
from reference.families.config import ACTIVATIONS
from reference.families.family import ANSWER, TEXT, Entries, Family, Operation, dense, norm
from reference.families.tasks import (
    BASE,
    MASKED_LM,
    MULTIPLE_CHOICE,
    TASKS,
    TEXT_CLASSIFICATION,
    Task,
)


@dataclass(frozen=True, kw_only=True)
class ElectraConfig(BertConfig):
    """ELECTRA's configuration, under Transformers' names."""

    model_type: str = "electra"
    embedding_size: int = 128
    hidden_size: int = 256
    num_attention_heads: int = 4
    intermediate_size: int = 1024
    summary_use_proj: bool = True
    summary_activation: str = "gelu"  # an empty one is none
    summary_last_dropout: float = 0.1

    MODEL_TYPES: ClassVar = {"electra": {}}
    ONLY_VALUES: ClassVar = BertConfig.ONLY_VALUES | {
        # The others look at the last place or at all of them, padded ones too.
        "summary_type": ("first",),
        "summary_proj_to_labels": (False, None),
    }
    LEGACY: ClassVar = frozenset(["summary_first_dropout"])

    def __post_init__(self) -> None:
        super().__post_init__()
        check_integer("embedding_size", self.embedding_size, minimum=1)
        check_switch("summary_use_proj", self.summary_use_proj)
        check_choice("summary_activation", self.summary_activation, (*ACTIVATIONS, ""))
        check_share("summary_last_dropout", self.summary_last_dropout)

    @property
    def projects(self) -> bool:
        """Whether a projection leads from the embeddings to the layers."""
        return self.embedding_size != self.hidden_size


class Electra(Bert):
    """Narrow embeddings, widened once; the first token classified through a GELU."""

    room = "electra"
    config = ElectraConfig
    prefixes: ClassVar = {"electra": "Electra"}
    tokenizers: ClassVar = {"electra": "BertTokenizer"}
    attribute = "electra"
    tasks = tuple(TASKS.values())
    operations = (
        Bert.operations[0],
        Operation("embeddings_project", "the projection of the embeddings"),
        *(operation for operation in Bert.operations[1:] if operation.row != TEXT),
    )
    head_operations = (
        Operation("generator_predictions.dense", "the prediction head's projection", ANSWER),
        Operation("generator_predictions", "the prediction head's activation and norm", ANSWER),
        Operation("generator_lm_head", "the scores over the vocabulary", ANSWER),
        Operation("classifier.dense", "the classifier's projection of the first token", ANSWER),
        Operation("classifier.out_proj.input", "the classifier's GELU", ANSWER),
        Operation("classifier.out_proj", "the classifier's output projection", ANSWER),
        Operation(
            "sequence_summary.summary", "the summary's projection of the first token", ANSWER
        ),
        Operation("sequence_summary", "the summary's activation", ANSWER),
        Operation("classifier", "the scores over the labels", ANSWER),
    )
    tiny: ClassVar = Bert.tiny | {"embedding_size": 24}
    other_heads = (*Family.other_heads, "discriminator_predictions.")

    def encoder(self, config: ElectraConfig, pooler: bool) -> Entries:
        for key, shape in super().encoder(config, pooler=False):
            narrow = key.startswith("embeddings.")
            yield key, (*shape[:-1], config.embedding_size) if narrow else shape
        if config.projects:
            yield from dense("embeddings_project", config.embedding_size, config.hidden_size)

    def head(self, config: ElectraConfig, task: Task) -> Entries:
        hidden, embedding = config.hidden_size, config.embedding_size
        if task is MASKED_LM:
            yield from dense("generator_predictions.dense", hidden, embedding)
            yield from norm("generator_predictions.LayerNorm", embedding)
            if not config.tie_word_embeddings:
                yield "generator_lm_head.weight", (config.vocab_size, embedding)
            yield "generator_lm_head.bias", (config.vocab_size,)
        elif task is TEXT_CLASSIFICATION:
            yield from dense("classifier.dense", hidden, hidden)
            yield from dense("classifier.out_proj", hidden, config.num_labels)
        elif task is MULTIPLE_CHOICE:
            if config.summary_use_proj:
                yield from dense("sequence_summary.summary", hidden, hidden)
            yield from dense("classifier", hidden, 1)
        elif task is not BASE:
            yield from dense("classifier", hidden, config.num_labels)

    def ties(self, config: ElectraConfig) -> dict[str, str]:
        return {"generator_lm_head.weight": "electra.embeddings.word_embeddings.weight"}

    def pooled(self, task: Task) -> bool:
        return False

    def facts(self, config: ElectraConfig) -> dict[str, Any]:
        return super().facts(config) | {"embedding_size": config.embedding_size}

    def transformers_options(self, pooler: bool) -> dict[str, Any]:
        return {}


FAMILY = Electra()
