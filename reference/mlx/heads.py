"""What the heads share: how one is put on an encoder, what it returns, the tied decoder."""

from dataclasses import dataclass, replace

import mlx.core as mx
from jaxtyping import Float, Int, Num
from mlx import nn

from reference.errors import InputError
from reference.families.config import EncoderConfig
from reference.inputs import Inputs
from reference.mlx.layers import Embedding, Linear, dropout
from reference.mlx.losses import classification_loss, cross_entropy


@dataclass
class EncoderOutput:
    """What an encoder returns; hidden_states holds what the embeddings gave and then what each
    layer gave, in the shape of last_hidden_state."""

    last_hidden_state: mx.array
    pooler_output: mx.array | None = None
    hidden_states: list[mx.array] | None = None


def at_places(outputs: EncoderOutput, places: Int[mx.array, "places"] | None) -> EncoderOutput:
    """With the vectors of these tokens of a packed row only."""
    if places is None:
        return outputs
    return replace(outputs, last_hidden_state=outputs.last_hidden_state[places])


@dataclass
class HeadOutput:
    """What a head returns: raw scores, never a softmax; the loss where labels were given."""

    logits: mx.array
    loss: mx.array | None = None
    hidden_states: list[mx.array] | None = None


class Head(nn.Module):
    """An encoder with something on top. A head says under which name its encoder is, how it
    scores and how it is trained."""

    base: str  # the attribute, and so the key prefix, of the encoder
    scores_candidates = False  # whether it can score some answers in place of all

    def __init__(self, config: EncoderConfig, encoder: nn.Module) -> None:
        super().__init__()
        self.config = config
        setattr(self, self.base, encoder)

    @property
    def encoder(self) -> nn.Module:
        return getattr(self, self.base)

    def __call__(
        self,
        inputs: Inputs,
        output_hidden_states: bool = False,
        labels: Num[mx.array, "..."] | None = None,
    ) -> HeadOutput:
        if inputs.candidates is not None and not self.scores_candidates:
            raise InputError("this head scores all its answers, and takes no candidates")
        outputs = self.encoder(inputs, output_hidden_states)
        logits = self.score(at_places(outputs, inputs.places), inputs)
        loss = None if labels is None else self.loss(logits, labels)
        return HeadOutput(logits, loss, outputs.hidden_states)

    def score(self, outputs: EncoderOutput, inputs: Inputs) -> Float[mx.array, "..."]:
        raise NotImplementedError

    def loss(
        self, logits: Float[mx.array, "..."], labels: Num[mx.array, "..."]
    ) -> Float[mx.array, ""]:
        return cross_entropy(logits, labels)


class TextHead(Head):
    """A head that classifies whole texts, for which there are several losses."""

    def loss(
        self, logits: Float[mx.array, "batch labels"], labels: Num[mx.array, "..."]
    ) -> Float[mx.array, ""]:
        kind, count = self.config.problem_type, self.config.num_labels
        return classification_loss(logits, labels, kind, count)


class TokenHead(Head):
    """A head that classifies every token, by one projection of its vector, of which training
    drops the share `rate`."""

    def __init__(self, config: EncoderConfig, encoder: nn.Module, rate: float = 0.0) -> None:
        super().__init__(config, encoder)
        self.rate = rate
        self.classifier = Linear(config.hidden_size, config.num_labels)

    def score(
        self, outputs: EncoderOutput, inputs: Inputs
    ) -> Float[mx.array, "*batch tokens labels"]:
        return self.classifier(dropout(outputs.last_hidden_state, self.rate))


class ChoiceHead(Head):
    """A head that chooses among texts which answer one question: `score` gives each text one
    number, [texts, 1]."""

    def __call__(
        self,
        inputs: Inputs,
        output_hidden_states: bool = False,
        labels: Num[mx.array, "batch"] | None = None,
    ) -> HeadOutput:
        """Padded: ids and mask [batch, choices, tokens]. Packed: the texts of the row are the
        choices of one question. Logits are [batch, choices], and a label is the number of the
        right choice."""
        packed = inputs.cu_seqlens is not None
        choices = len(inputs.cu_seqlens) - 1 if packed else inputs.input_ids.shape[1]
        texts = inputs if packed else inputs.texts
        outputs = super().__call__(texts, output_hidden_states)
        logits = outputs.logits.reshape(-1, choices)
        loss = None if labels is None else self.loss(logits, labels)
        return replace(outputs, logits=logits, loss=loss)


class TiedDecoder(nn.Module):
    """Scores words with the very vectors that embed them (Press & Wolf 2017).

    It has no weight of its own but reads the embedding's where that is, so that there is one
    parameter: MLX knows a parameter by its place in the tree of modules, and one array in two
    places would be two. `bias` says whether it has one, or names the module that has it.
    """

    def __init__(self, words: Embedding, bias: bool | nn.Module = True) -> None:
        super().__init__()
        # In a tuple, which is not searched for modules.
        self.owners = (words, bias if isinstance(bias, nn.Module) else self)
        self.bias = mx.zeros((words.weight.shape[0],)) if bias is True else None

    def __call__(
        self, hidden: Float[mx.array, "*batch tokens hidden"]
    ) -> Float[mx.array, "*batch tokens vocab"]:
        words, bias = self.owners[0].weight, self.owners[1].bias
        return hidden @ words.T if bias is None else hidden @ words.T + bias


def tie_decoder(
    config: EncoderConfig, words: Embedding, bias: bool | nn.Module = True
) -> nn.Module:
    """Scores words with the very vectors that embed them, unless the config unties them: then
    weight and bias are the decoder's own. `bias` is TiedDecoder's."""
    if config.tie_word_embeddings:
        return TiedDecoder(words, bias)
    return Linear(words.weight.shape[1], config.vocab_size, bias is not False)
