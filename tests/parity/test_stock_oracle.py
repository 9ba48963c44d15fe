"""An oracle need not be Transformers: a network of PyTorch's stock modules will do, if its
modules are under the paths that the family names."""

import dataclasses

import pytest
import torch
from torch import nn

from reference.families.bert import Bert
from reference.parity import compare, random_checkpoint
from reference.parity.oracle import Oracle


class Block(nn.Module):
    """A module of submodules under the names of a checkpoint."""

    def __init__(self, /, **parts: nn.Module) -> None:
        super().__init__()
        for name, part in parts.items():
            self.add_module(name, part)


class SelfAttention(Block):
    def forward(self, x, mask):
        heads = lambda part: part(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        parts = map(heads, (self.query, self.key, self.value))
        context = nn.functional.scaled_dot_product_attention(*parts, attn_mask=mask)
        return context.transpose(1, 2).flatten(2)


class Residual(Block):
    def forward(self, x, residual):
        return self.LayerNorm(self.dense(x) + residual)


class Intermediate(Block):
    def forward(self, x):
        return self.activation(self.dense(x))


class Layer(Block):
    def forward(self, x, mask):
        attention = self.attention
        attended = attention.output(attention.self(x, mask), x)
        return self.output(self.intermediate(attended), attended)


class Embeddings(Block):
    def forward(self, input_ids, token_type_ids):
        positions = self.position_embeddings(torch.arange(input_ids.shape[1]))
        words = self.word_embeddings(input_ids)
        return self.LayerNorm(words + positions + self.token_type_embeddings(token_type_ids))


class Pooler(Block):
    def forward(self, first):
        return torch.tanh(self.dense(first))


class Network(Block):
    def forward(self, input_ids, attention_mask, token_type_ids, output_hidden_states=False):
        mask = attention_mask[:, None, None].bool()
        states = [self.embeddings(input_ids, token_type_ids)]
        for layer in self.encoder.layer:
            states.append(layer(states[-1], mask))
        pooled = self.pooler(states[-1][:, 0])
        outputs = {"last_hidden_state": states[-1], "pooler_output": pooled}
        return outputs | {"hidden_states": states if output_hidden_states else None}

    @property
    def dtype(self):
        return self.pooler.dense.weight.dtype


class StockBert(Oracle):
    """BERT, assembled here and not by Transformers."""

    activation = nn.GELU

    def load(self, checkpoint, dtype):
        config = checkpoint.config
        size, wide = config.hidden_size, config.intermediate_size
        norm = lambda: nn.LayerNorm(size, config.layer_norm_eps)

        def layer():
            parts = {name: nn.Linear(size, size) for name in ("query", "key", "value")}
            attention = SelfAttention(**parts)
            attention.heads = config.num_attention_heads
            output = Residual(dense=nn.Linear(size, size), LayerNorm=norm())
            return Layer(
                attention=Block(self=attention, output=output),
                intermediate=Intermediate(
                    dense=nn.Linear(size, wide), activation=type(self).activation()
                ),
                output=Residual(dense=nn.Linear(wide, size), LayerNorm=norm()),
            )

        layers = nn.ModuleList(layer() for _ in range(config.num_hidden_layers))
        network = Network(
            embeddings=Embeddings(
                word_embeddings=nn.Embedding(config.vocab_size, size),
                position_embeddings=nn.Embedding(config.max_position_embeddings, size),
                token_type_embeddings=nn.Embedding(config.type_vocab_size, size),
                LayerNorm=norm(),
            ),
            encoder=Block(layer=layers),
            pooler=Pooler(dense=nn.Linear(size, size)),
        )
        tensors = {key: torch.from_numpy(value) for key, value in checkpoint.tensors.items()}
        network.load_state_dict(tensors)
        return network.to(dtype)


class TanhBert(StockBert):
    """The same with another activation."""

    activation = lambda: nn.GELU("tanh")


@pytest.fixture
def folder(tmp_path):
    return random_checkpoint(tmp_path, pad_token_id=None)


def test_ports_are_held_against_stock_modules(folder, monkeypatch):
    monkeypatch.setattr(Bert, "oracle", f"{__name__}:StockBert")
    report = compare(folder)
    assert report.passed, report
    assert "against PyTorch's stock modules in float64" in str(report)
    names = {row.tensor.split(".")[0] for row in report.rows}
    assert {"hidden_states", "pooler_output", "loss", "gradients", "packed"} <= names


def test_such_an_oracle_finds_the_operation_too(folder, monkeypatch):
    monkeypatch.setattr(Bert, "oracle", f"{__name__}:TanhBert")
    report = compare(folder, backends=("torch",))
    assert report.first_divergence["torch"].operation == "encoder.layer.0.intermediate"
    assert dataclasses.asdict(report.first_divergence["torch"])["layer"] == 0
