"""MPNet (Song et al. 2020): RoBERTa's positions and heads, no token types, and a bias on each
score of attention that depends on how far apart two tokens stand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from reference.errors import ConfigError
from reference.families.bert import AFTER_ATTENTION, BertLayerConfig
from reference.families.family import TINY, Entries, Operation, dense, norm
from reference.families.roberta import Roberta
from reference.families.tasks import BASE, MULTIPLE_CHOICE, OF_TRANSFORMERS, Task

PAD = 1  # in Transformers' code, whatever the configuration says
BUCKETS = 32  # likewise; half of them for keys before the query, half for those behind it
# Where each bucket of a direction begins, after the first one: up to 8 every distance has its
# own, then each begins √2 times as far out as the one before. The next would begin at 128.
BUCKET_STARTS = (1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 23, 32, 46, 64, 91)


@dataclass(frozen=True, kw_only=True)
class MPNetConfig(BertLayerConfig):
    """MPNet's configuration, under Transformers' names."""

    model_type: str = "mpnet"
    vocab_size: int = 30527
    pad_token_id: int | None = PAD
    bos_token_id: int | None = 0
    eos_token_id: int | None = 2

    has_token_types: ClassVar = False
    MODEL_TYPES: ClassVar = {"mpnet": {}}
    ONLY_VALUES: ClassVar = BertLayerConfig.ONLY_VALUES | {
        "relative_attention_num_buckets": (BUCKETS,)
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.pad_token_id != PAD:
            raise ConfigError(
                f"pad_token_id is {self.pad_token_id!r:.80}; mpnet pads with {PAD} and counts "
                "positions from there"
            )
        if self.max_tokens < 1:
            raise ConfigError(
                f"max_position_embeddings {self.max_position_embeddings} leaves no position "
                f"for a token: mpnet starts at {PAD + 1}"
            )

    @property
    def max_tokens(self) -> int:
        """Positions start after the pad id."""
        return self.max_position_embeddings - PAD - 1


class MPNet(Roberta):
    """RoBERTa's heads on an encoder with relative positions besides the absolute ones."""

    room = "mpnet"
    config = MPNetConfig
    prefixes: ClassVar = {"mpnet": "MPNet"}
    tokenizers: ClassVar = {"mpnet": "MPNetTokenizer"}
    attribute = "mpnet"
    tasks = OF_TRANSFORMERS
    operations = (
        Operation("embeddings", "the sum of the embeddings and its norm"),
        Operation("encoder.layer.{}.attention.attn.q", "the query projection"),
        Operation("encoder.layer.{}.attention.attn.k", "the key projection"),
        Operation("encoder.layer.{}.attention.attn.v", "the value projection"),
        Operation(
            "encoder.layer.{}.attention.attn.o.input",
            "attention itself: scale, bias, mask, softmax, weighted sum",
        ),
        Operation("encoder.layer.{}.attention.attn.o", "the projection that mixes the heads"),
        Operation("encoder.layer.{}.attention", "residual and norm after attention"),
        *AFTER_ATTENTION,
    )
    tiny: ClassVar = TINY

    def encoder(self, config: MPNetConfig, pooler: bool) -> Entries:
        hidden, intermediate = config.hidden_size, config.intermediate_size
        yield "embeddings.word_embeddings.weight", (config.vocab_size, hidden)
        yield "embeddings.position_embeddings.weight", (config.max_position_embeddings, hidden)
        yield from norm("embeddings.LayerNorm", hidden)
        for number in range(config.num_hidden_layers):
            layer = f"encoder.layer.{number}"
            for name in ("q", "k", "v", "o"):
                yield from dense(f"{layer}.attention.attn.{name}", hidden, hidden)
            yield from norm(f"{layer}.attention.LayerNorm", hidden)
            yield from dense(f"{layer}.intermediate.dense", hidden, intermediate)
            yield from dense(f"{layer}.output.dense", intermediate, hidden)
            yield from norm(f"{layer}.output.LayerNorm", hidden)
        yield "encoder.relative_attention_bias.weight", (BUCKETS, config.num_attention_heads)
        if pooler:
            yield from dense("pooler.dense", hidden, hidden)

    def head(self, config: MPNetConfig, task: Task) -> Entries:
        if task is MULTIPLE_CHOICE:
            yield from dense("classifier", config.hidden_size, 1)
        elif task is not BASE:
            yield from super().head(config, task)

    def pooled(self, task: Task) -> bool:
        return task is MULTIPLE_CHOICE


FAMILY = MPNet()
