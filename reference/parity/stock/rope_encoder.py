"""The RoPE encoder from PyTorch's stock modules, written apart from the ports: the files are
read once more, positions are turns of complex numbers, the mean is a product of matrices."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from reference.checkpoint import Checkpoint
from reference.parity.oracle import Oracle

DEFAULTS = {
    "vocab_size": 20_000,
    "embedding_dim": 256,
    "context_window": 16,
    "hidden_dim": 512,
    "num_layers": 6,
    "num_heads": 8,
    "activation": "gelu",
    "layer_norm_eps": 1e-5,
    "rope_theta": 10_000.0,
    "dropout": 0.1,
    "pad_token_id": 0,
    "use_temperature": True,
    "tie_word_embeddings": True,
    "problem_type": None,
    "id2label": {"0": "LABEL_0", "1": "LABEL_1"},
}


def fast_gelu(x: Tensor) -> Tensor:
    """The tanh approximation with √(2/π) cut to ten digits."""
    return 0.5 * x * (1 + torch.tanh(0.7978845608 * x * (1 + 0.044715 * x**2)))


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": functional.gelu,
    "gelu_fast": fast_gelu,
    "gelu_new": nn.GELU("tanh"),
    "gelu_python": functional.gelu,
    "gelu_python_tanh": nn.GELU("tanh"),
    "gelu_pytorch_tanh": nn.GELU("tanh"),
    "hardswish": functional.hardswish,
    "leaky_relu": functional.leaky_relu,
    "linear": lambda x: x,
    "mish": functional.mish,
    "quick_gelu": lambda x: x * torch.sigmoid(1.702 * x),
    "relu": functional.relu,
    "relu2": lambda x: functional.relu(x) ** 2,
    "relu6": functional.relu6,
    "sigmoid": torch.sigmoid,
    "silu": functional.silu,
    "swish": functional.silu,
    "tanh": torch.tanh,
}


class Block(nn.Module):
    """A module of submodules under the names of a checkpoint."""

    def __init__(self, /, **parts: nn.Module) -> None:
        super().__init__()
        for name, part in parts.items():
            self.add_module(name, part)


def turns(places: int, size: int, theta: float, dtype: torch.dtype) -> Tensor:
    """For each place and each pair of features the complex number that it is multiplied by."""
    angles = theta ** (-torch.arange(0, size, 2, dtype=dtype) / size)
    angles = torch.arange(places, dtype=dtype)[:, None] * angles
    return torch.polar(torch.ones_like(angles), angles)


class Attention(Block):
    def forward(self, x: Tensor, mask: Tensor, turn: Tensor) -> Tensor:
        def heads(part: nn.Module) -> Tensor:
            return part(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)

        def turned(part: nn.Module) -> Tensor:
            wide = heads(part).to(turn.real.dtype)
            numbers = torch.complex(*wide.chunk(2, dim=-1)) * turn
            return torch.cat([numbers.real, numbers.imag], dim=-1).to(x.dtype)

        context = functional.scaled_dot_product_attention(
            turned(self.query),
            turned(self.key),
            heads(self.value),
            attn_mask=mask,
            dropout_p=self.drop.p if self.training else 0.0,
        )
        return self.drop(self.output(context.transpose(1, 2).flatten(2)))


class FeedForward(Block):
    def forward(self, x: Tensor) -> Tensor:
        return self.drop(self.down(self.drop(self.activate(self.up(x)))))


class Layer(Block):
    def forward(self, x: Tensor, mask: Tensor, turn: Tensor) -> Tensor:
        x = x + self.attention(self.attention_norm(x), mask, turn)
        return x + self.feed_forward(self.feed_forward_norm(x))


def layer(values: Mapping[str, Any]) -> Layer:
    """One layer of the sizes that the values name."""
    size, wide = values["embedding_dim"], values["hidden_dim"]
    names = ("query", "key", "value", "output")
    drop = nn.Dropout(values["dropout"])
    attention = Attention(**{name: nn.Linear(size, size) for name in names}, drop=drop)
    attention.heads = values["num_heads"]
    feed_forward = FeedForward(up=nn.Linear(size, wide), down=nn.Linear(wide, size), drop=drop)
    feed_forward.activate = ACTIVATIONS[values["activation"]]
    return Layer(
        attention_norm=nn.LayerNorm(size, values["layer_norm_eps"]),
        attention=attention,
        feed_forward_norm=nn.LayerNorm(size, values["layer_norm_eps"]),
        feed_forward=feed_forward,
    )


class Embeddings(Block):
    def forward(self, ids: Tensor) -> Tensor:
        return self.drop(self.word_embeddings(ids))


class Encoder(nn.Module):
    def __init__(self, values: Mapping[str, Any]) -> None:
        super().__init__()
        self.values = values
        size = values["embedding_dim"]
        self.embeddings = Embeddings(
            word_embeddings=nn.Embedding(
                values["vocab_size"], size, padding_idx=values["pad_token_id"]
            ),
            drop=nn.Dropout(values["dropout"]),
        )
        self.layers = nn.ModuleList(layer(values) for _ in range(values["num_layers"]))
        self.final_norm = nn.LayerNorm(size, values["layer_norm_eps"])
        if values["use_temperature"]:
            self.log_temperature = nn.Parameter(torch.zeros(1))

    @property
    def dtype(self) -> torch.dtype:
        return self.final_norm.weight.dtype

    def states(self, input_ids: Tensor, attention_mask: Tensor) -> list[Tensor]:
        mask = attention_mask[:, None, None].bool()
        wide = torch.promote_types(self.dtype, torch.float32)
        size = self.values["embedding_dim"] // self.values["num_heads"]
        turn = turns(input_ids.shape[1], size, self.values["rope_theta"], wide)
        states = [self.embeddings(input_ids)]
        for layer in self.layers:
            states.append(layer(states[-1], mask, turn))
        return [*states[:-1], self.final_norm(states[-1])]

    def mean(self, hidden: Tensor, attention_mask: Tensor) -> Tensor:
        wide = torch.promote_types(self.dtype, torch.float32)
        weights = attention_mask.to(wide)
        weights = weights / weights.sum(dim=1, keepdim=True)
        return (weights[:, None] @ hidden.to(wide))[:, 0].to(hidden.dtype)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        token_type_ids: Tensor | None = None,
        output_hidden_states: bool = False,
    ) -> dict[str, Any]:
        states = self.states(input_ids, attention_mask)
        vectors = functional.normalize(self.mean(states[-1], attention_mask), dim=-1)
        cosines = vectors @ vectors.T
        if self.values["use_temperature"]:
            cosines = cosines * torch.exp(-self.log_temperature)
        return {
            "last_hidden_state": states[-1],
            "pooler_output": vectors,
            "similarity": cosines,
            "hidden_states": states if output_hidden_states else None,
        }


class Headed(nn.Module):
    """The encoder with a head on it."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        super().__init__()
        self.model = Encoder(values)

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
        states = self.model.states(input_ids, attention_mask)
        logits = self.score(states[-1], attention_mask)
        return {
            "logits": logits,
            "loss": None if labels is None else self.loss(logits, labels),
            "hidden_states": states if output_hidden_states else None,
        }

    def score(self, hidden: Tensor, attention_mask: Tensor) -> Tensor:
        raise NotImplementedError

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        return functional.cross_entropy(logits.flatten(0, -2), labels.flatten())


class ForMaskedLM(Headed):
    def __init__(self, values: Mapping[str, Any]) -> None:
        super().__init__(values)
        self.decoder = nn.Linear(values["embedding_dim"], values["vocab_size"])
        if values["tie_word_embeddings"]:
            self.decoder.weight = self.model.embeddings.word_embeddings.weight

    def score(self, hidden: Tensor, attention_mask: Tensor) -> Tensor:
        return self.decoder(hidden)


class ForTokenClassification(Headed):
    def __init__(self, values: Mapping[str, Any]) -> None:
        super().__init__(values)
        self.classifier = nn.Linear(values["embedding_dim"], len(values["id2label"]))

    def score(self, hidden: Tensor, attention_mask: Tensor) -> Tensor:
        return self.classifier(hidden)


class ForSequenceClassification(ForTokenClassification):
    def score(self, hidden: Tensor, attention_mask: Tensor) -> Tensor:
        return self.classifier(self.model.mean(hidden, attention_mask))

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        return text_loss(self.model.values["problem_type"], logits, labels)


def text_loss(kind: str | None, logits: Tensor, labels: Tensor) -> Tensor:
    """The loss that problem_type names, or else the labels."""
    if kind == "regression" or (kind is None and logits.shape[1] == 1):
        return functional.mse_loss(logits, labels.reshape(logits.shape))
    if kind == "multi_label_classification" or labels.is_floating_point():
        return functional.binary_cross_entropy_with_logits(logits, labels)
    return functional.cross_entropy(logits, labels)


HEADS = {
    "RopeEncoderForMaskedLM": ForMaskedLM,
    "RopeEncoderForSequenceClassification": ForSequenceClassification,
    "RopeEncoderForTokenClassification": ForTokenClassification,
}


class RopeEncoderOracle(Oracle):
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
            if "decoder.weight" in model.state_dict():
                words = tensors["model.embeddings.word_embeddings.weight"]
                tensors.setdefault("decoder.weight", words)
        model.load_state_dict(tensors)
        return model.to(dtype)
