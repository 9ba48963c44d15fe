"""The character encoder: characters, a shared embedder, and towers that shorten a text, attend
in what is left and restore its length.

Axes: batch, tokens, hidden, as in book/notation.md; a token is a character here. Inside of the
model each text begins at the left and has its pads behind it, whatever it came in as. Attribute
names are the keys of the checkpoint.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int, Num
from torch import Tensor, nn

from reference.families.char_encoder import PRIMES, CharEncoderConfig
from reference.families.towers import TRANSPOSED, TowerConfig
from reference.inputs import Inputs
from reference.torch.attention import attend_to
from reference.torch.convolution import (
    Convolution,
    StridedConvolution,
    TransposedConvolution,
)
from reference.torch.heads import EncoderOutput, Head, TextHead, TokenHead
from reference.torch.layers import Embedding, LayerNorm, Linear, activation, dropout
from reference.torch.losses import binary_cross_entropy
from reference.torch.pooling import max_pooling
from reference.torch.rope import exact_rope_tables
from reference.torch.rope_encoder import RopeEncoderLayer

Ids = Int[Tensor, "batch tokens"]
Mask = Int[Tensor, "batch tokens"]
Hidden = Float[Tensor, "batch tokens features"]


@dataclass
class Aligned:
    """A batch in which every text begins at the left: its ids and its mask [batch, longest]."""

    input_ids: Tensor
    attention_mask: Tensor
    packed: bool = False  # whether it was a row of texts
    real: Tensor | None = None  # where it was padded; None: nowhere

    @classmethod
    def of(cls, inputs: Inputs) -> "Aligned":
        """Strides are counted from a text's first character, so it must not matter where in a
        batch that is."""
        ids, real, packed = inputs.input_ids, None, inputs.cu_seqlens is not None
        if packed:
            lengths = inputs.cu_seqlens.diff()
        elif inputs.attention_mask is None:
            return cls(ids, torch.ones_like(ids))
        else:
            real = inputs.attention_mask.bool()
            ids, lengths = ids[real], real.sum(dim=1)
        mask = length_mask(lengths, int(lengths.max()))
        rows = torch.zeros_like(mask)
        rows[mask.bool()] = ids
        return cls(rows, mask, packed, real)

    def back(self, hidden: Hidden) -> Float[Tensor, "*as_given features"]:
        """As the batch was: each character's vector at its place, zeros at pads."""
        if not self.packed and self.real is None:
            return hidden
        row = hidden[self.attention_mask.bool()]
        if self.packed:
            return row
        found = hidden.new_zeros(*self.real.shape, hidden.shape[-1])
        found[self.real] = row
        return found


def length_mask(lengths: Int[Tensor, "batch"], width: int) -> Mask:
    """1 where a text of that length has a position."""
    places = torch.arange(width, device=lengths.device)
    return (places < lengths[:, None]).long()


def shortened(mask: Mask, stride: int) -> Int[Tensor, "batch shorter"]:
    """The mask of what is so many times shorter: a position is real that any real one went
    into. A text's length is rounded up, not down: its last characters count too."""
    lengths = (mask.sum(dim=1) + stride - 1) // stride
    return length_mask(lengths, mask.shape[1] // stride)


def missing(tokens: int, factor: int) -> int:
    """So many pads make a text's length the next multiple of the factor; what comes back is cut
    again."""
    return -tokens % factor


def masked(x: Hidden, mask: Mask) -> Hidden:
    """Zeros at the pads: what lies behind a text's end must be to a convolution as what lies
    behind the batch's."""
    return x * mask.unsqueeze(-1).to(x.dtype)


class HashEmbeddings(nn.Module):
    """A vector for every character that there is, from tables that are smaller than Unicode:
    each hashes the id to a row of its own (Clark et al. 2022, section 3.1). All tables have the
    same number of rows, so two characters that are as many ids apart, or a multiple of that,
    share them all; closer ones share none."""

    def __init__(self, config: CharEncoderConfig) -> None:
        super().__init__()
        rows, size = config.num_hash_buckets, config.char_emb_size // config.num_hashes
        self.tables = nn.ModuleList(Embedding(rows, size) for _ in range(config.num_hashes))

    def forward(self, ids: Ids) -> Hidden:
        shares = zip(self.tables, PRIMES, strict=False)
        found = [table((ids + 1) * prime % len(table.weight)) for table, prime in shares]
        return torch.cat(found, dim=-1)


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

    def forward(self, ids: Ids, mask: Mask) -> Hidden:
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

    def forward(self, hidden: Hidden) -> Float[Tensor, "batch shorter filters"]:
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

    def forward(
        self, hidden: Hidden, mask: Int[Tensor, "batch longer"]
    ) -> Float[Tensor, "batch longer features"]:
        """`mask` is that of the result."""
        if self.repeats:
            hidden = masked(hidden.repeat_interleave(self.stride, dim=1), mask)
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

    def forward(
        self,
        hidden: Float[Tensor, "batch tokens filters"],
        restored: Float[Tensor, "batch tokens features"],
    ) -> Float[Tensor, "batch tokens features"]:
        both = torch.cat([hidden, restored], dim=-1)
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
        self.down = nn.ModuleList(CharEncoderDown(config, size, tower) for size in inputs)
        layers = (RopeEncoderLayer(short) for _ in range(tower.num_layers))
        self.layers = nn.ModuleList(layers)
        self.final_norm = LayerNorm(tower.n_conv_filters, config.layer_norm_eps)
        self.up = nn.ModuleList(CharEncoderUp(config, tower) for _ in steps)
        self.merge = CharEncoderMerge(config, tower)

    def forward(
        self, hidden: Float[Tensor, "batch tokens filters"], mask: Mask
    ) -> Float[Tensor, "batch tokens features"]:
        """`hidden` is what the base gave."""
        tokens = hidden.shape[1]
        if self.local is not None:
            hidden = self.attend([self.local], hidden, mask, self.tower.window)
        more = missing(tokens, self.tower.downsample_factor)
        mask = nn.functional.pad(mask, (0, more))
        short = nn.functional.pad(hidden, (0, 0, 0, more))
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
        self, layers: nn.ModuleList | list, hidden: Hidden, mask: Mask, window: int | None
    ) -> Hidden:
        """Those layers one after another; no pad is seen."""
        places = torch.arange(mask.shape[1], device=mask.device)
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
        towers = (CharEncoderTower(config, tower) for tower in config.towers)
        self.towers = nn.ModuleList(towers)

    def forward(self, inputs: Inputs, output_hidden_states: bool = False) -> EncoderOutput:
        """The hidden states are what the base gave, and what the towers did; pooler_output has
        the largest of the latter in each text."""
        aligned = Aligned.of(inputs)
        mask = aligned.attention_mask
        hidden = self.embeddings(aligned.input_ids, mask)
        side_by_side = torch.cat([tower(hidden, mask) for tower in self.towers], dim=-1)
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
    ) -> Float[Tensor, "*batch tokens outputs"]:
        """Of some candidates, or of all output tokens."""
        hidden = outputs.last_hidden_state
        if inputs.candidates is None:
            return self.decoder(hidden)
        weight, bias = (part[inputs.candidates] for part in self.decoder.parameters())
        logits = nn.functional.linear(hidden, weight, bias)
        return logits if inputs.offsets is None else logits + inputs.offsets.to(logits.dtype)

    def loss(
        self, logits: Float[Tensor, "..."], labels: Num[Tensor, "..."]
    ) -> Float[Tensor, ""]:
        """Which answer is right, or of each candidate by itself whether it is; of the latter
        -100 are not asked."""
        if labels.is_floating_point():
            return binary_cross_entropy(logits, labels.to(logits.dtype), ignore_index=-100)
        return super().loss(logits, labels)


class CharEncoderForSequenceClassification(TextHead):
    """Scores over the labels for each text, from the largest that each feature becomes at any
    of its characters."""

    base = "model"

    def __init__(self, config: CharEncoderConfig) -> None:
        super().__init__(config, CharEncoderModel(config))
        self.classifier = Linear(config.hidden_size, config.num_labels)

    def score(self, outputs: EncoderOutput, inputs: Inputs) -> Float[Tensor, "batch labels"]:
        return self.classifier(outputs.pooler_output)


class CharEncoderForTokenClassification(TokenHead):
    """Scores over the labels for each character."""

    base = "model"

    def __init__(self, config: CharEncoderConfig) -> None:
        super().__init__(config, CharEncoderModel(config))
