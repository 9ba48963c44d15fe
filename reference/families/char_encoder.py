"""The character encoder: what reads characters, on one shared base and in towers of its own,
which Transformers does not have.

A text has four or five times as many characters as words, and attention costs the square of
that. So each tower shortens what the base gives by strided convolutions, attends among the few
positions that are left, and goes back to one vector a character (Clark et al. 2022 do so with
one convolution). Towers stand side by side: what they give is laid one beside the other, so
that what was learned in one can be used with what was learned in another.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from reference.errors import ConfigError, shown
from reference.families import towers
from reference.families.checks import (
    check_choice,
    check_integer,
    check_number,
    check_share,
)
from reference.families.config import ACTIVATIONS, EncoderConfig
from reference.families.family import ANSWER, Entries, Family, Operation, Place, dense
from reference.families.rope_encoder import RopeEncoderConfig
from reference.families.tasks import (
    BASE,
    MASKED_LM,
    TEXT_CLASSIFICATION,
    TOKEN_CLASSIFICATION,
    Task,
)
from reference.families.towers import REPEAT, TowerConfig, blocks, check_heads

# What CANINE multiplies ids by (Clark et al. 2022, section 3.1), one prime a table.
PRIMES = (31, 43, 59, 61, 73, 97, 103, 113)
CODE_POINTS = 0x110000 + 3  # of Unicode, behind the three ids that are no character


@dataclass(frozen=True, kw_only=True)
class CharEncoderConfig(EncoderConfig):
    """The configuration of the character encoder. vocab_size is how many ids of characters
    there are, num_outputs how many output tokens its masked language model chooses among.

    num_hashes: 0 is a table with a vector for each id. With 8 there is none: a character's
    vector is put together from eight tables of num_hash_buckets rows each, at places to which
    its id is hashed, and so none is unknown.
    """

    model_type: str = "char_encoder"
    vocab_size: int = 128
    hidden_size: int | None = None
    num_hashes: int = 0
    num_hash_buckets: int = 16_384
    char_emb_size: int = 32
    n_filters: int = 256
    kernel_size: int = 5
    max_example_len: int = 128
    num_outputs: int = 10_000
    towers: tuple[TowerConfig, ...] = (TowerConfig(),)
    hidden_act: str = "gelu"
    dropout: float = 0.1
    layer_norm_eps: float = 1e-5
    rope_theta: float = 10_000.0
    tie_word_embeddings: bool = False
    pad_token_id: int | None = 0
    bos_token_id: int | None = None
    eos_token_id: int | None = None

    has_token_types: ClassVar = False
    MODEL_TYPES: ClassVar = {"char_encoder": {}}
    # Characters go in and output tokens come out: there is nothing to share.
    ONLY_VALUES: ClassVar = EncoderConfig.ONLY_VALUES | {"tie_word_embeddings": (False,)}
    SPELLINGS: ClassVar = {"hidden_act": "activation"}

    def __post_init__(self) -> None:
        self._read_towers()
        super().__post_init__()
        for name in (
            "num_hash_buckets",
            "char_emb_size",
            "n_filters",
            "kernel_size",
            "max_example_len",
            "num_outputs",
        ):
            check_integer(name, getattr(self, name), minimum=1)
        check_integer("num_hashes", self.num_hashes, minimum=0)
        check_choice("activation", self.hidden_act, ACTIVATIONS)
        check_share("dropout", self.dropout)
        check_number("layer_norm_eps", self.layer_norm_eps, above=0.0)
        check_number("rope_theta", self.rope_theta, above=0.0)
        if self.tie_word_embeddings is not False:
            raise ConfigError(
                "tie_word_embeddings is not false; characters go in and output tokens come "
                "out, and no table serves both"
            )
        self._check_hashes()
        for place, tower in enumerate(self.towers):
            if tower.window is not None:
                check_heads("n_filters", self.n_filters, tower.num_heads, f"towers[{place}]: ")

    def _read_towers(self) -> None:
        if isinstance(self.towers, (str, Mapping)) or not isinstance(self.towers, Iterable):
            raise ConfigError(f"towers is {shown(self.towers)}; it must be a list of towers")
        made = tuple(TowerConfig.of(one, place) for place, one in enumerate(self.towers))
        if not made:
            raise ConfigError("towers is empty; a character encoder has at least one")
        object.__setattr__(self, "towers", made)
        width = sum(tower.n_conv_filters for tower in made)
        if self.hidden_size not in (None, width):
            raise ConfigError(
                f"hidden_size is {shown(self.hidden_size)}; the towers' n_conv_filters sum to "
                f"{width}, and that is what their outputs side by side have"
            )
        object.__setattr__(self, "hidden_size", width)

    def _check_hashes(self) -> None:
        if self.num_hashes > len(PRIMES):
            raise ConfigError(
                f"num_hashes is {self.num_hashes}; there are {len(PRIMES)} hashes, or 0 for a "
                "table with a vector for each character"
            )
        if self.num_hashes and self.char_emb_size % self.num_hashes:
            raise ConfigError(
                f"char_emb_size {self.char_emb_size} is not a multiple of num_hashes "
                f"{self.num_hashes}; each table gives its share of a vector"
            )

    @property
    def max_tokens(self) -> int:
        return self.max_example_len

    @property
    def outputs(self) -> int:
        return self.num_outputs

    @property
    def num_hidden_layers(self) -> int:
        """Towers stand side by side: together they are what a layer is elsewhere."""
        return 1

    @property
    def widest(self) -> int:
        return max(self.n_filters, self.hidden_size, self.kernel_size * self.char_emb_size)

    @cached_property
    def _shared(self) -> dict[str, Any]:
        names = ("hidden_act", "dropout", "layer_norm_eps", "rope_theta")
        return {name: getattr(self, name) for name in names} | {"vocab_size": 1}

    def local(self, tower: TowerConfig) -> RopeEncoderConfig:
        """What the layer is built from that attends among neighbouring characters."""
        return self._layer(tower, self.n_filters, 1)

    def short(self, tower: TowerConfig) -> RopeEncoderConfig:
        """What the layers are built from that attend in the shortened text."""
        return self._layer(tower, tower.n_conv_filters, tower.num_layers)

    def _layer(self, tower: TowerConfig, size: int, layers: int) -> RopeEncoderConfig:
        return RopeEncoderConfig(
            hidden_size=size,
            num_hidden_layers=layers,
            num_attention_heads=tower.num_heads,
            intermediate_size=tower.hidden_dim,
            **self._shared,
        )

    def to_dict(self) -> dict[str, Any]:
        values = super().to_dict()
        return values | {"towers": [dataclasses.asdict(tower) for tower in self.towers]}


class CharEncoder(Family):
    """Characters in, a shared embedder, towers that shorten and restore the text."""

    room = "char_encoder"
    config = CharEncoderConfig
    prefixes: ClassVar = {"char_encoder": "CharEncoder"}
    tokenizers: ClassVar = {"char_encoder": "CharacterVocabulary"}
    attribute = "model"
    tasks = (BASE, MASKED_LM, TEXT_CLASSIFICATION, TOKEN_CLASSIFICATION)
    pads_take_positions = False
    in_transformers = False
    embeds = True
    oracle = "reference.parity.stock.char_encoder:CharEncoderOracle"
    operations = (
        Operation("embeddings.characters", "the characters' vectors", blocks(1)),
        Operation("embeddings.convolution", "the convolution over neighbours", blocks(1)),
        Operation("embeddings", "the norm and the activation", blocks(1)),
    )
    head_operations = (
        Operation("decoder", "the scores over the output tokens", ANSWER),
        Operation("classifier", "the scores over the labels", ANSWER),
    )
    tiny: ClassVar = {
        "vocab_size": 61,
        "char_emb_size": 8,
        "n_filters": 32,
        "max_example_len": 96,
        "num_outputs": 37,
        "towers": [
            {
                "downsample_factor": 4,
                "n_strided_convs": 2,
                "n_conv_filters": 16,
                "num_heads": 2,
                "hidden_dim": 24,
            },
            {
                "downsample_factor": 3,
                "n_strided_convs": 1,
                "stride_len": 3,
                "n_conv_filters": 24,
                "num_layers": 1,
                "num_heads": 2,
                "hidden_dim": 32,
                "window": 4,
                "upsample": REPEAT,
            },
        ],
    }

    def encoder(self, config: CharEncoderConfig, pooler: bool) -> Entries:
        size, filters = config.char_emb_size, config.n_filters
        if config.num_hashes:
            shape = (config.num_hash_buckets, size // config.num_hashes)
            for table in range(config.num_hashes):
                yield f"embeddings.characters.tables.{table}.weight", shape
        else:
            yield "embeddings.characters.weight", (config.vocab_size, size)
        yield from towers.convolution("embeddings", size, filters, config.kernel_size)
        for number, tower in enumerate(config.towers):
            layers = config.local(tower), config.short(tower)
            yield from towers.tensors(f"towers.{number}", filters, tower, *layers)

    def head(self, config: CharEncoderConfig, task: Task) -> Entries:
        if task is MASKED_LM:
            yield from dense("decoder", config.hidden_size, config.num_outputs)
        elif task is not BASE:
            yield from dense("classifier", config.hidden_size, config.num_labels)

    def places(self, config: CharEncoderConfig) -> dict[str, Place]:
        found = super().places(config)
        for number, tower in enumerate(config.towers):
            for operation in towers.operations(tower):
                path = f"towers.{number}.{operation.path}"
                found[path] = Place(0, operation.meaning, operation.row)
        return found

    def first_weight(self, key: str, config: CharEncoderConfig) -> tuple[float, float]:
        """Narrower where a layer writes to the residual stream, as in the RoPE encoder. What a
        convolution gives begins as large as what goes in (He et al. 2015): with one small
        standard deviation for all, norms would divide by next to nothing."""
        if key.endswith(("attention.output.weight", "feed_forward.down.weight")):
            number = int(key.partition("towers.")[2].partition(".")[0])
            layers = config.towers[number].num_layers
            return config.initializer_range / math.sqrt(2 * layers), math.inf
        if key.endswith("convolution.weight"):
            shapes = dict(self.encoder(config, pooler=False))
            inputs, width = shapes[key.removeprefix(f"{self.attribute}.")][1:]
            return math.sqrt(2 / (inputs * width)), math.inf
        if "embeddings.characters" in key:
            return 1.0, math.inf
        return super().first_weight(key, config)

    def zero_row(self, key: str, config: CharEncoderConfig) -> int | None:
        """No training moves the vector of a pad."""
        return config.pad_token_id if key.endswith("characters.weight") else None

    def facts(self, config: CharEncoderConfig) -> dict[str, Any]:
        names = ("num_hashes", "char_emb_size", "n_filters", "max_example_len", "num_outputs")
        facts = super().facts(config) | {name: getattr(config, name) for name in names}
        return facts | {"towers": [dataclasses.asdict(tower) for tower in config.towers]}


FAMILY = CharEncoder()
