"""The character encoder: characters, a shared embedder, and towers that shorten a text, attend
in what is left and restore its length.

Axes: batch, tokens, hidden, as in book/notation.md; a token is a character here. Inside of the
model each text begins at the left and has its pads behind it, whatever it came in as. Attribute
names are the keys of the checkpoint.
"""

from dataclasses import dataclass

import mlx.core as mx
import numpy as np
from jaxtyping import Float, Int, Num
from mlx import nn

from reference.families.char_encoder import PRIMES, CharEncoderConfig
from reference.families.towers import TRANSPOSED, TowerConfig
from reference.inputs import Inputs
from reference.mlx.attention import attend_to
from reference.mlx.convolution import (
    Convolution,
    StridedConvolution,
    TransposedConvolution,
)
from reference.mlx.heads import EncoderOutput, Head, TextHead, TokenHead
from reference.mlx.layers import Embedding, LayerNorm, Linear, activation, dropout
from reference.mlx.losses import binary_cross_entropy
from reference.mlx.pooling import max_pooling
from reference.mlx.rope import exact_rope_tables
from reference.mlx.rope_encoder import RopeEncoderLayer

Ids = Int[mx.array, "batch tokens"]
Mask = Int[mx.array, "batch tokens"]
Hidden = Float[mx.array, "batch tokens features"]


@dataclass
class Aligned:
    """A batch in which every text begins at the left: its ids and its mask [batch, longest].

    MLX does not index by a mask. `places` says where in a row of all its characters each one of
    the batch as it was stands in this one; of a padded batch -1 at pads.
    """

    input_ids: mx.array
    attention_mask: mx.array
    places: mx.array

    @classmethod
    def of(cls, inputs: Inputs) -> "Aligned":
        """Strides are counted from a text's first character, so it must not matter where in a
        batch that is."""
        ids = inputs.input_ids
        if inputs.cu_seqlens is not None:
            lengths = np.diff(np.array(inputs.cu_seqlens))
            real = np.ones(ids.shape, bool)
        else:
            mask = inputs.attention_mask
            real = np.ones(ids.shape, bool) if mask is None else np.array(mask) != 0
            lengths = real.sum(axis=1)
        mask = np.arange(lengths.max()) < lengths[:, None]
        source = np.zeros(mask.shape, np.int64)
        source[mask] = np.flatnonzero(real)
        places = np.full(real.shape, -1)
        places[real] = np.flatnonzero(mask)
        rows = mx.where(mx.array(mask), ids.flatten()[mx.array(source)], 0)
        return cls(rows, mx.array(mask.astype(np.int64)), mx.array(places))

    def back(self, hidden: Hidden) -> Float[mx.array, "*as_given features"]:
        """As the batch was: each character's vector at its place, zeros at pads."""
        found = hidden.flatten(0, 1)[mx.maximum(self.places, 0)]
        return mx.where((self.places >= 0)[..., None], found, 0)


def length_mask(lengths: Int[mx.array, "batch"], width: int) -> Mask:
    """1 where a text of that length has a position."""
    return (mx.arange(width) < lengths[:, None]).astype(mx.int64)


def shortened(mask: Mask, stride: int) -> Int[mx.array, "batch shorter"]:
    """The mask of what is so many times shorter: a position is real that any real one went
    into. A text's length is rounded up, not down: its last characters count too."""
    lengths = (mask.sum(axis=1) + stride - 1) // stride
    return length_mask(lengths, mask.shape[1] // stride)


def missing(tokens: int, factor: int) -> int:
    """So many pads make a text's length the next multiple of the factor; what comes back is cut
    again."""
    return -tokens % factor


def masked(x: Hidden, mask: Mask) -> Hidden:
    """Zeros at the pads: what lies behind a text's end must be to a convolution as what lies
    behind the batch's."""
    return x * mask[..., None].astype(x.dtype)


class HashEmbeddings(nn.Module):
    """A vector for every character that there is, from tables that are smaller than Unicode:
    each hashes the id to a row of its own (Clark et al. 2022, section 3.1). All tables have the
    same number of rows, so two characters that are as many ids apart, or a multiple of that,
    share them all; closer ones share none."""

    def __init__(self, config: CharEncoderConfig) -> None:
        super().__init__()
        rows, size = config.num_hash_buckets, config.char_emb_size // config.num_hashes
        self.tables = [Embedding(rows, size) for _ in range(config.num_hashes)]

    def __call__(self, ids: Ids) -> Hidden:
        shares = zip(self.tables, PRIMES, strict=False)
        found = [table((ids + 1) * prime % table.weight.shape[0]) for table, prime in shares]
        return mx.concatenate(found, axis=-1)


class CharEncoderEmbeddings(nn.Module):
    """What all towers share: a vector for each character, then one of it and its
    neighbours."""

    def __init__(self, config: CharEncoderConfig) -> None:
        super().__init__()
        size, filters = config.char_emb_size, config.n_filters
        self.characters: nn.Module = (
            HashEmbeddings(config)
            if config.num_hashes
            else Embedding(config.vocab_size, size, config.pad_token_id)
        )
        self.convolution = Convolution(size, filters, config.kernel_size)
        self.norm = LayerNorm(filters, config.layer_norm_eps)
        self.activation = activation(config.hidden_act)
        self.rate = config.dropout

    def __call__(self, ids: Ids, mask: Mask) -> Hidden:
        hidden = self.convolution(masked(self.characters(ids), mask))
        return dropout(self.activation(self.norm(hidden)), self.rate)


class CharEncoderDown(nn.Module):
    """A strided convolution, a norm, an activation."""

    def __init__(self, config: CharEncoderConfig, inputs: int, tower: TowerConfig) -> None:
        super().__init__()
        size = tower.n_conv_filters
        self.convolution = StridedConvolution(inputs, size, tower.stride_len)
        self.norm = LayerNorm(size, config.layer_norm_eps)
        self.activation = activation(config.hidden_act)

    def __call__(self, hidden: Hidden) -> Float[mx.array, "batch shorter filters"]:
        return self.activation(self.norm(self.convolution(hidden)))


class CharEncoderUp(nn.Module):
    """The way back: a transposed convolution, or each vector repeated and then a convolution;
    a norm, an activation."""

    def __init__(self, config: CharEncoderConfig, tower: TowerConfig) -> None:
        super().__init__()
        size, self.stride = tower.n_conv_filters, tower.stride_len
        self.repeats = tower.upsample != TRANSPOSED
        kind = Convolution if self.repeats else TransposedConvolution
        self.convolution = kind(size, size, self.stride)
        self.norm = LayerNorm(size, config.layer_norm_eps)
        self.activation = activation(config.hidden_act)

    def __call__(
        self, hidden: Hidden, mask: Int[mx.array, "batch longer"]
    ) -> Float[mx.array, "batch longer features"]:
        """`mask` is that of the result."""
        if self.repeats:
            hidden = masked(mx.repeat(hidden, self.stride, axis=1), mask)
        return self.activation(self.norm(self.convolution(hidden)))


class CharEncoderMerge(nn.Module):
    """What the base gave and what came back beside it, projected: the short text knows what is
    said, the base which letter stood where."""

    def __init__(self, config: CharEncoderConfig, tower: TowerConfig) -> None:
        super().__init__()
        size = tower.n_conv_filters
        self.projection = Linear(config.n_filters + size, size)
        self.norm = LayerNorm(size, config.layer_norm_eps)
        self.activation = activation(config.hidden_act)
        self.rate = config.dropout

    def __call__(
        self,
        hidden: Float[mx.array, "batch tokens filters"],
        restored: Float[mx.array, "batch tokens features"],
    ) -> Float[mx.array, "batch tokens features"]:
        both = mx.concatenate([hidden, restored], axis=-1)
        return dropout(self.activation(self.norm(self.projection(both))), self.rate)


class CharEncoderTower(nn.Module):
    """Shorten, attend, restore."""

    def __init__(self, config: CharEncoderConfig, tower: TowerConfig) -> None:
        super().__init__()
        self.config, self.tower = config, tower
        short, steps = config.short(tower), range(tower.n_strided_convs)
        windowed = tower.window is not None
        self.local = RopeEncoderLayer(config.local(tower)) if windowed else None
        inputs = [config.n_filters, *[tower.n_conv_filters] * (len(steps) - 1)]
        self.down = [CharEncoderDown(config, size, tower) for size in inputs]
        self.layers = [RopeEncoderLayer(short) for _ in range(tower.num_layers)]
        self.final_norm = LayerNorm(tower.n_conv_filters, config.layer_norm_eps)
        self.up = [CharEncoderUp(config, tower) for _ in steps]
        self.merge = CharEncoderMerge(config, tower)

    def __call__(
        self, hidden: Float[mx.array, "batch tokens filters"], mask: Mask
    ) -> Float[mx.array, "batch tokens features"]:
        """`hidden` is what the base gave."""
        tokens = hidden.shape[1]
        if self.local is not None:
            hidden = self.attend([self.local], hidden, mask, self.tower.window)
        more = missing(tokens, self.tower.downsample_factor)
        mask = mx.pad(mask, ((0, 0), (0, more)))
        short = mx.pad(hidden, ((0, 0), (0, more), (0, 0)))
        masks = []
        for down in self.down:
            short = down(masked(short, mask))
            masks.append(mask)
            mask = shortened(mask, self.tower.stride_len)
        short = self.final_norm(self.attend(self.layers, short, mask, None))
        for up in self.up:
            short = up(short, masks.pop())
        return self.merge(hidden, short[:, :tokens])

    def attend(
        self, layers: list[RopeEncoderLayer], hidden: Hidden, mask: Mask, window: int | None
    ) -> Hidden:
        """Those layers one after another; no pad is seen."""
        places = mx.arange(mask.shape[1])
        size, theta = hidden.shape[-1] // self.tower.num_heads, self.config.rope_theta
        tables = exact_rope_tables(places, size, theta, hidden.dtype)
        attend = attend_to(Inputs(mask, mask), window, rate=self.config.dropout)
        for layer in layers:
            hidden = layer(hidden, tables, attend)
        return hidden


class CharEncoderModel(nn.Module):
    """Ids of characters in, one vector a character out: what each tower gives, side by
    side."""

    def __init__(self, config: CharEncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.embeddings = CharEncoderEmbeddings(config)
        self.towers = [CharEncoderTower(config, tower) for tower in config.towers]

    def __call__(self, inputs: Inputs, output_hidden_states: bool = False) -> EncoderOutput:
        """The hidden states are what the base gave, and what the towers did; pooler_output has
        the largest of the latter in each text."""
        aligned = Aligned.of(inputs)
        mask = aligned.attention_mask
        hidden = self.embeddings(aligned.input_ids, mask)
        side_by_side = mx.concatenate([tower(hidden, mask) for tower in self.towers], axis=-1)
        pooled, last = max_pooling(side_by_side, mask), aligned.back(side_by_side)
        states = [aligned.back(hidden), last] if output_hidden_states else None
        return EncoderOutput(last, pooled, states)


class CharEncoderForMaskedLM(Head):
    """Scores over the output tokens at every character: which of them was hidden that began
    there."""

    base = "model"
    scores_candidates = True

    def __init__(self, config: CharEncoderConfig) -> None:
        super().__init__(config, CharEncoderModel(config))
        self.decoder = Linear(config.hidden_size, config.num_outputs)

    def score(
        self, outputs: EncoderOutput, inputs: Inputs
    ) -> Float[mx.array, "*batch tokens outputs"]:
        """Of some candidates, or of all output tokens."""
        hidden = outputs.last_hidden_state
        if inputs.candidates is None:
            return self.decoder(hidden)
        decoder, candidates = self.decoder, inputs.candidates
        logits = hidden @ decoder.weight[candidates].T + decoder.bias[candidates]
        return (
            logits if inputs.offsets is None else logits + inputs.offsets.astype(logits.dtype)
        )

    def loss(
        self, logits: Float[mx.array, "..."], labels: Num[mx.array, "..."]
    ) -> Float[mx.array, ""]:
        """Which answer is right, or of each candidate by itself whether it is; of the latter
        -100 are not asked."""
        if mx.issubdtype(labels.dtype, mx.floating):
            return binary_cross_entropy(logits, labels.astype(logits.dtype), ignore_index=-100)
        return super().loss(logits, labels)


class CharEncoderForSequenceClassification(TextHead):
    """Scores over the labels for each text, from the largest that each feature becomes at any
    of its characters."""

    base = "model"

    def __init__(self, config: CharEncoderConfig) -> None:
        super().__init__(config, CharEncoderModel(config))
        self.classifier = Linear(config.hidden_size, config.num_labels)

    def score(self, outputs: EncoderOutput, inputs: Inputs) -> Float[mx.array, "batch labels"]:
        return self.classifier(outputs.pooler_output)


class CharEncoderForTokenClassification(TokenHead):
    """Scores over the labels for each character."""

    base = "model"

    def __init__(self, config: CharEncoderConfig) -> None:
        super().__init__(config, CharEncoderModel(config))
