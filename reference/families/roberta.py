"""RoBERTa (Liu et al. 2019), XLM-RoBERTa (Conneau et al. 2020) and CamemBERT: BERT's encoder,
but that positions are counted from the padding's id on, and heads of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from reference.errors import ConfigError
from reference.families.bert import Bert, BertConfig
from reference.families.family import ANSWER, Entries, Family, Operation, dense, norm
from reference.families.tasks import MASKED_LM, TEXT_CLASSIFICATION, TOKEN_CLASSIFICATION, Task


@dataclass(frozen=True, kw_only=True)
class RobertaConfig(BertConfig):
    """RoBERTa's configuration, under Transformers' names."""

    model_type: str = "xlm-roberta"
    pad_token_id: int | None = 1
    bos_token_id: int | None = 0
    eos_token_id: int | None = 2

    MODEL_TYPES: ClassVar = {
        "xlm-roberta": {},
        "roberta": {"vocab_size": 50265},
        "camembert": {},
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.pad_token_id is None:
            raise ConfigError(
                f"{self.model_type} counts positions from pad_token_id, which is null here"
            )
        if self.max_tokens < 1:
            raise ConfigError(
                f"max_position_embeddings {self.max_position_embeddings} leaves no position "
                f"for a token: {self.model_type} starts at pad_token_id + 1 = "
                f"{self.pad_token_id + 1}"
            )

    @property
    def max_tokens(self) -> int:
        """Positions start after the pad id."""
        return self.max_position_embeddings - self.pad_token_id - 1


class Roberta(Bert):
    """The classes of all three differ in nothing but their names."""

    room = "roberta"
    config = RobertaConfig
    prefixes: ClassVar = {
        "xlm-roberta": "XLMRoberta",
        "roberta": "Roberta",
        "camembert": "Camembert",
    }
    tokenizers: ClassVar = {
        "xlm-roberta": "XLMRobertaTokenizer",
        "roberta": "RobertaTokenizer",
        "camembert": "CamembertTokenizer",
    }
    attribute = "roberta"
    pads_take_positions = False
    head_operations = (
        Operation("lm_head.dense", "the prediction head's projection", ANSWER),
        Operation("lm_head.layer_norm", "the prediction head's activation and norm", ANSWER),
        Operation("lm_head.decoder", "the scores over the vocabulary", ANSWER),
        Operation("classifier.dense", "the classifier's projection of the first token", ANSWER),
        Operation("classifier.out_proj", "the classifier's tanh and output projection", ANSWER),
        Operation("classifier", "the scores over the labels", ANSWER),
    )
    other_heads = Family.other_heads

    def head(self, config: RobertaConfig, task: Task) -> Entries:
        hidden = config.hidden_size
        if task is MASKED_LM:
            yield from dense("lm_head.dense", hidden, hidden)
            yield from norm("lm_head.layer_norm", hidden)
            yield "lm_head.bias", (config.vocab_size,)
            if not config.tie_word_embeddings:
                yield from dense("lm_head.decoder", hidden, config.vocab_size)
        elif task is TEXT_CLASSIFICATION:
            yield from dense("classifier.dense", hidden, hidden)
            yield from dense("classifier.out_proj", hidden, config.num_labels)
        elif task is TOKEN_CLASSIFICATION:
            yield from dense("classifier", hidden, config.num_labels)

    def ties(self, config: RobertaConfig) -> dict[str, str]:
        return {
            "lm_head.decoder.weight": f"{self.attribute}.embeddings.word_embeddings.weight",
            "lm_head.decoder.bias": "lm_head.bias",
        }

    def pooled(self, task: Task) -> bool:
        return False

    def zero_row(self, key: str, config: Any) -> int | None:
        """Every pad has the position of its id, which no training moves either."""
        padded = key.endswith(("word_embeddings.weight", "position_embeddings.weight"))
        return config.pad_token_id if padded else None


FAMILY = Roberta()
