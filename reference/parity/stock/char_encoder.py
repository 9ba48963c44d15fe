"""The character encoder from PyTorch's stock modules, written apart from the ports: the files
are read once more, convolutions are PyTorch's own, and a position is real where the first of
its characters is."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from reference.checkpoint import Checkpoint
from reference.families.towers import block_size
from reference.parity.batch import Batch
from reference.parity.oracle import Oracle
from reference.parity.stock import rope_encoder
from reference.parity.stock.rope_encoder import ACTIVATIONS, Block, text_loss, turns

DEFAULTS = {
    "vocab_size": 128,
    "num_hashes": 0,
    "num_hash_buckets": 16_384,
    "char_emb_size": 32,
    "n_filters": 256,
    "kernel_size": 5,
    "num_outputs": 10_000,
    "towers": [{}],
    "activation": "gelu",
    "layer_norm_eps": 1e-5,
    "rope_theta": 10_000.0,
    "dropout": 0.1,
    "pad_token_id": 0,
    "problem_type": None,
    "id2label": {"0": "LABEL_0", "1": "LABEL_1"},
}
TOWER = {
    "downsample_factor": 16,
    "n_strided_convs": 4,
    "stride_len": 2,
    "n_conv_filters": 128,
    "num_layers": 2,
    "num_heads": 4,
    "hidden_dim": 256,
    "window": None,
    "upsample": "transposed",
}
MULTIPLIERS = [31, 43, 59, 61, 73, 97, 103, 113]


class TokensFirst(nn.Conv1d):
    """PyTorch's convolution, of [batch, tokens, features]."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.mT).mT


class TokensFirstTransposed(nn.ConvTranspose1d):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.mT).mT


class Same(TokensFirst):
    """As long as what goes in; zeros stand beyond both ends."""

    def forward(self, x: Tensor) -> Tensor:
        before = (self.kernel_size[0] - 1) // 2
        behind = self.kernel_size[0] - 1 - before
        return super().forward(functional.pad(x, (0, 0, before, behind)))


class Hashes(Block):
    def forward(self, ids: Tensor) -> Tensor:
        rows = self.tables[0].num_embeddings
        shares = zip(self.tables, MULTIPLIERS, strict=False)
        return torch.cat([table(((ids + 1) * by) % rows) for table, by in shares], dim=-1)


class Step(Block):
    """A convolution, a norm, the activation."""

    def forward(self, x: Tensor) -> Tensor:
        return self.activate(self.norm(self.convolution(x)))


class Embeddings(Step):
    def forward(self, ids: Tensor, real: Tensor) -> Tensor:
        return self.drop(super().forward(self.characters(ids) * real))


class Merge(Block):
    def forward(self, x: Tensor) -> Tensor:
        return self.drop(self.activate(self.norm(self.projection(x))))


def step(values: Mapping[str, Any], convolution: nn.Module) -> Step:
    norm = nn.LayerNorm(convolution.out_channels, values["layer_norm_eps"])
    made = Step(convolution=convolution, norm=norm)
    made.activate = ACTIVATIONS[values["activation"]]
    return made


def layer(values: Mapping[str, Any], tower: Mapping[str, Any], size: int) -> nn.Module:
    """One layer of the RoPE encoder's oracle."""
    names = ("activation", "dropout", "layer_norm_eps")
    sizes = {"embedding_dim": size, "hidden_dim": tower["hidden_dim"]}
    settings = {name: values[name] for name in names} | sizes
    made = rope_encoder.layer(settings | {"num_heads": tower["num_heads"]})
    made.head_dim = size // tower["num_heads"]
    return made


class Lengths:
    """How many characters each text has."""

    def __init__(self, lengths: Tensor) -> None:
        self.lengths = lengths

    def real(self, positions: int, size: int = 1) -> Tensor:
        """Of so many positions of `size` characters each those of which the first character is
        there: [batch, positions]."""
        return torch.arange(positions) * size < self.lengths[:, None]


class Tower(nn.Module):
    def __init__(self, values: Mapping[str, Any], tower: Mapping[str, Any]) -> None:
        super().__init__()
        self.values, self.tower = values, tower
        filters, size = values["n_filters"], tower["n_conv_filters"]
        stride, steps = tower["stride_len"], tower["n_strided_convs"]
        if tower["window"] is not None:
            self.local = layer(values, tower, filters)
        inputs = [filters, *[size] * (steps - 1)]
        self.down = nn.ModuleList(
            step(values, TokensFirst(wide, size, stride, stride)) for wide in inputs
        )
        self.layers = nn.ModuleList(
            layer(values, tower, size) for _ in range(tower["num_layers"])
        )
        self.final_norm = nn.LayerNorm(size, values["layer_norm_eps"])
        self.up = nn.ModuleList(step(values, self.lengthening()) for _ in range(steps))
        self.merge = Merge(
            projection=nn.Linear(filters + size, size),
            norm=nn.LayerNorm(size, values["layer_norm_eps"]),
            drop=nn.Dropout(values["dropout"]),
        )
        self.merge.activate = ACTIVATIONS[values["activation"]]

    def lengthening(self) -> nn.Module:
        size, stride = self.tower["n_conv_filters"], self.tower["stride_len"]
        if self.tower["upsample"] == "repeat":
            return Same(size, size, stride)
        return TokensFirstTransposed(size, size, stride, stride)

    def attend(
        self, layers: Sequence[nn.Module], x: Tensor, mask: Tensor, window: int | None
    ) -> Tensor:
        mask = mask[:, None, None]
        places = torch.arange(x.shape[1])
        if window is not None:
            mask = mask & ((places[:, None] - places).abs() <= window)
        wide = torch.promote_types(x.dtype, torch.float32)
        turn = turns(x.shape[1], layers[0].head_dim, self.values["rope_theta"], wide)
        for one in layers:
            x = one(x, mask, turn)
        return x

    def forward(self, base: Tensor, lengths: Lengths) -> Tensor:
        tokens, factor = base.shape[1], self.tower["downsample_factor"]
        stride = self.tower["stride_len"]
        real = lambda x, size: lengths.real(x.shape[1], size)[..., None].to(x.dtype)
        if self.tower["window"] is not None:
            mask = lengths.real(tokens)
            base = self.attend([self.local], base, mask, self.tower["window"])
        x, size = functional.pad(base, (0, 0, 0, -tokens % factor)), 1
        for down in self.down:
            x = down(x * real(x, size))
            size *= stride
        x = self.attend(self.layers, x, lengths.real(x.shape[1], factor), None)
        x = self.final_norm(x)
        for up in self.up:
            size //= stride
            if self.tower["upsample"] == "repeat":
                x = torch.repeat_interleave(x, stride, dim=1)
                x = x * real(x, size)
            x = up(x)
        return self.merge(torch.cat([base, x[:, :tokens]], dim=-1))


class Encoder(nn.Module):
    def __init__(self, values: Mapping[str, Any]) -> None:
        super().__init__()
        self.values = values
        size, hashes = values["char_emb_size"], values["num_hashes"]
        if hashes:
            rows, share = values["num_hash_buckets"], size // hashes
            tables = nn.ModuleList(nn.Embedding(rows, share) for _ in range(hashes))
            characters: nn.Module = Hashes(tables=tables)
        else:
            characters = nn.Embedding(
                values["vocab_size"], size, padding_idx=values["pad_token_id"]
            )
        self.embeddings = Embeddings(
            characters=characters,
            convolution=Same(size, values["n_filters"], values["kernel_size"]),
            norm=nn.LayerNorm(values["n_filters"], values["layer_norm_eps"]),
            drop=nn.Dropout(values["dropout"]),
        )
        self.embeddings.activate = ACTIVATIONS[values["activation"]]
        self.towers = nn.ModuleList(Tower(values, TOWER | one) for one in values["towers"])

    @property
    def dtype(self) -> torch.dtype:
        return self.embeddings.norm.weight.dtype

    @property
    def width(self) -> int:
        return sum(tower.merge.norm.normalized_shape[0] for tower in self.towers)

    def states(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[list[Tensor], Tensor]:
        """What the base gave and what the towers did, where the characters stood, and the
        largest of the latter."""
        pairs = list(zip(input_ids, attention_mask.bool(), strict=True))
        ids = nn.utils.rnn.pad_sequence([row[real] for row, real in pairs], batch_first=True)
        lengths = Lengths(attention_mask.sum(dim=1))
        real = lengths.real(ids.shape[1])[..., None]
        base = self.embeddings(ids, real.to(self.dtype))
        last = torch.cat([tower(base, lengths) for tower in self.towers], dim=-1)
        largest = last.masked_fill(~real, float("-inf")).max(dim=1).values

        def there(hidden: Tensor) -> Tensor:
            found = hidden.new_zeros(*input_ids.shape, hidden.shape[-1])
            found[attention_mask.bool()] = hidden[real[..., 0]]
            return found

        return [there(base), there(last)], largest

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        token_type_ids: Tensor | None = None,
        output_hidden_states: bool = False,
    ) -> dict[str, Any]:
        states, largest = self.states(input_ids, attention_mask)
        return {
            "last_hidden_state": states[-1],
            "pooler_output": largest,
            "hidden_states": states if output_hidden_states else None,
        }


class Headed(nn.Module):
    """The encoder with a head on it."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        super().__init__()
        self.model = Encoder(values)
        self.make_head(values, self.model.width)

    def make_head(self, values: Mapping[str, Any], width: int) -> None:
        self.classifier = nn.Linear(width, len(values["id2label"]))

    @property
    def dtype(self) -> torch.dtype:
        return self.model.dtype

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        token_type_ids: Tensor | None = None,
        output_hidden_states: bool = False,
        labels: Tensor | None = None,
    ) -> dict[str, Any]:
        states, largest = self.model.states(input_ids, attention_mask)
        logits = self.score(states[-1], largest)
        return {
            "logits": logits,
            "loss": None if labels is None else self.loss(logits, labels),
            "hidden_states": states if output_hidden_states else None,
        }

    def score(self, last: Tensor, largest: Tensor) -> Tensor:
        return self.classifier(last)

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        return functional.cross_entropy(logits.flatten(0, -2), labels.flatten())


class ForMaskedLM(Headed):
    def make_head(self, values: Mapping[str, Any], width: int) -> None:
        self.decoder = nn.Linear(width, values["num_outputs"])

    def score(self, last: Tensor, largest: Tensor) -> Tensor:
        return self.decoder(last)


class ForSequenceClassification(Headed):
    def score(self, last: Tensor, largest: Tensor) -> Tensor:
        return self.classifier(largest)

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        return text_loss(self.model.values["problem_type"], logits, labels)


HEADS = {
    "CharEncoderForMaskedLM": ForMaskedLM,
    "CharEncoderForSequenceClassification": ForSequenceClassification,
    "CharEncoderForTokenClassification": Headed,
}


class CharEncoderOracle(Oracle):
    """What a folder holds, in one dtype; of one with a head the encoder alone, where that is
    asked for."""

    def load(self, checkpoint: Checkpoint, dtype: torch.dtype) -> nn.Module:
        path = checkpoint.folder / "config.json"
        values = DEFAULTS | json.loads(path.read_text(encoding="utf-8"))
        tensors = load_file(checkpoint.folder / "model.safetensors")
        head = HEADS.get(checkpoint.architecture.name)
        if head is None:
            inner = {key.removeprefix("model."): value for key, value in tensors.items()}
            model = Encoder(values)
            tensors = {key: inner[key] for key in model.state_dict()}
        else:
            model = head(values)
        model.load_state_dict(tensors)
        return model.to(dtype)

    def places(self, row: str, batch: Batch) -> np.ndarray | None:
        """Where a text is shortened, or laid out from its first character on, what is real
        follows from its length alone."""
        found = block_size(row)
        if found is None:
            return super().places(row, batch)
        size, multiple = found
        lengths = batch.real.sum(axis=1, keepdims=True)
        positions = -(-lengths.max() // multiple) * multiple // size
        return np.arange(positions) * size < lengths
