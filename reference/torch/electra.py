"""ELECTRA (Clark et al. 2020): BERT's layers on embeddings of a size of their own, no pooler,
and heads of its own.

Class and attribute names are Transformers' own.
"""

from jaxtyping import Float
from torch import Tensor, nn

from reference.families.electra import ElectraConfig
from reference.inputs import Inputs
from reference.torch.attention import attend_to, first_tokens
from reference.torch.bert import BertEmbeddings, BertEncoder, Hidden
from reference.torch.heads import (
    ChoiceHead,
    EncoderOutput,
    Head,
    TextHead,
    TokenHead,
    tie_decoder,
)
from reference.torch.layers import LayerNorm, Linear, activation, dropout, gelu
from reference.torch.roberta import XLMRobertaClassificationHead


class ElectraModel(nn.Module):
    """Ids in, one vector a token out."""

    def __init__(self, config: ElectraConfig) -> None:
        super().__init__()
        self.embeddings = BertEmbeddings(config, config.embedding_size)
        self.embeddings_project = None
        if config.projects:
            self.embeddings_project = Linear(config.embedding_size, config.hidden_size)
        self.encoder = BertEncoder(config)
        self.rate = config.attention_probs_dropout_prob

    def forward(self, inputs: Inputs, output_hidden_states: bool = False) -> EncoderOutput:
        hidden = self.embeddings(inputs)
        if self.embeddings_project is not None:
            hidden = self.embeddings_project(hidden)
        states = self.encoder(hidden, attend_to(inputs, rate=self.rate))
        return EncoderOutput(states[-1], None, states if output_hidden_states else None)


class ElectraGeneratorPredictions(nn.Module):
    """From the layers' size back to the embeddings', always with the exact GELU, and a norm."""

    def __init__(self, config: ElectraConfig) -> None:
        super().__init__()
        self.dense = Linear(config.hidden_size, config.embedding_size)
        self.LayerNorm = LayerNorm(config.embedding_size, config.layer_norm_eps)

    def forward(self, hidden: Hidden) -> Float[Tensor, "*batch tokens embedding"]:
        return self.LayerNorm(gelu(self.dense(hidden)))


class ElectraForMaskedLM(Head):
    """The generator: scores over the vocabulary at every position."""

    base = "electra"

    def __init__(self, config: ElectraConfig) -> None:
        super().__init__(config, ElectraModel(config))
        self.generator_predictions = ElectraGeneratorPredictions(config)
        self.generator_lm_head = tie_decoder(config, self.electra.embeddings.word_embeddings)

    def score(
        self, outputs: EncoderOutput, inputs: Inputs
    ) -> Float[Tensor, "*batch tokens vocab"]:
        return self.generator_lm_head(self.generator_predictions(outputs.last_hidden_state))


class ElectraClassificationHead(XLMRobertaClassificationHead):
    """RoBERTa's sentence classifier, but with a GELU where BERT and RoBERTa have tanh."""

    def forward(self, first: Float[Tensor, "batch hidden"]) -> Float[Tensor, "batch labels"]:
        activated = gelu(self.dense(dropout(first, self.rate)))
        return self.out_proj(dropout(activated, self.rate))


class ElectraForSequenceClassification(TextHead):
    """Scores over the labels for each text, from its first token."""

    base = "electra"

    def __init__(self, config: ElectraConfig) -> None:
        super().__init__(config, ElectraModel(config))
        self.classifier = ElectraClassificationHead(config)

    def score(self, outputs: EncoderOutput, inputs: Inputs) -> Float[Tensor, "batch labels"]:
        return self.classifier(first_tokens(outputs.last_hidden_state, inputs.cu_seqlens))


class ElectraForTokenClassification(TokenHead):
    """Scores over the labels for each token."""

    base = "electra"

    def __init__(self, config: ElectraConfig) -> None:
        super().__init__(config, ElectraModel(config), config.classifier_rate)


class ElectraSequenceSummary(nn.Module):
    """The vector of a text, from its first token: projected and activated, as far as the
    configuration asks for it."""

    def __init__(self, config: ElectraConfig) -> None:
        super().__init__()
        size = config.hidden_size
        self.summary = Linear(size, size) if config.summary_use_proj else None
        self.activation = activation(config.summary_activation or "linear")
        self.rate = config.summary_last_dropout

    def forward(self, first: Float[Tensor, "texts hidden"]) -> Float[Tensor, "texts hidden"]:
        projected = first if self.summary is None else self.summary(first)
        return dropout(self.activation(projected), self.rate)


class ElectraForMultipleChoice(ChoiceHead):
    """One score for each of several texts that answer one question."""

    base = "electra"

    def __init__(self, config: ElectraConfig) -> None:
        super().__init__(config, ElectraModel(config))
        self.sequence_summary = ElectraSequenceSummary(config)
        self.classifier = Linear(config.hidden_size, 1)

    def score(self, outputs: EncoderOutput, inputs: Inputs) -> Float[Tensor, "texts 1"]:
        first = first_tokens(outputs.last_hidden_state, inputs.cu_seqlens)
        return self.classifier(self.sequence_summary(first))
