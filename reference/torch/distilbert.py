"""DistilBERT (Sanh et al. 2019): BERT's layers under names of its own, without token types and
pooler.

Class and attribute names are Transformers' own.
"""

from jaxtyping import Float
from torch import Tensor, nn

from reference.families.config import TransformerConfig
from reference.families.distilbert import DistilBertConfig
from reference.inputs import Inputs
from reference.torch.attention import (
    Attend,
    attend_to,
    first_tokens,
    merge_heads,
    split_heads,
)
from reference.torch.bert import BertEmbeddings, BertEncoder, Hidden
from reference.torch.heads import (
    ChoiceHead,
    EncoderOutput,
    Head,
    TextHead,
    TokenHead,
    tie_decoder,
)
from reference.torch.layers import Embedding, LayerNorm, Linear, activation, dropout


class Embeddings(nn.Module):
    """The sum of two looked-up vectors - the word's and its position's - and a layer norm."""

    def __init__(self, config: TransformerConfig, rate: float) -> None:
        super().__init__()
        size = config.hidden_size
        self.word_embeddings = Embedding(config.vocab_size, size, config.pad_token_id)
        self.position_embeddings = Embedding(config.max_position_embeddings, size)
        self.LayerNorm = LayerNorm(size, config.layer_norm_eps)
        self.rate = rate

    position_ids = BertEmbeddings.position_ids  # 0, 1, 2, ... in each text

    def forward(self, inputs: Inputs) -> Hidden:
        places = self.position_ids(inputs.input_ids, inputs.cu_seqlens)
        words = self.word_embeddings(inputs.input_ids)
        normed = self.LayerNorm(words + self.position_embeddings(places))
        return dropout(normed, self.rate)


class DistilBertSelfAttention(nn.Module):
    """Three projections, attention in every head, and the projection that mixes the heads."""

    def __init__(self, config: DistilBertConfig) -> None:
        super().__init__()
        self.q_lin = Linear(config.hidden_size, config.hidden_size)
        self.k_lin = Linear(config.hidden_size, config.hidden_size)
        self.v_lin = Linear(config.hidden_size, config.hidden_size)
        self.out_lin = Linear(config.hidden_size, config.hidden_size)
        self.heads = config.num_attention_heads

    def forward(self, hidden: Hidden, attend: Attend) -> Hidden:
        projections = (self.q_lin, self.k_lin, self.v_lin)
        heads = (split_heads(project(hidden), self.heads) for project in projections)
        return self.out_lin(merge_heads(attend(*heads)))


class FFN(nn.Module):
    """The feed-forward network: widen, activate, narrow."""

    def __init__(self, config: DistilBertConfig) -> None:
        super().__init__()
        self.lin1 = Linear(config.hidden_size, config.intermediate_size)
        self.lin2 = Linear(config.intermediate_size, config.hidden_size)
        self.activation = activation(config.hidden_act)
        self.rate = config.dropout

    def forward(self, hidden: Hidden) -> Hidden:
        return dropout(self.lin2(self.activation(self.lin1(hidden))), self.rate)


class TransformerBlock(nn.Module):
    """One block: attention, then the feed-forward network; a residual and a norm after each."""

    def __init__(self, config: DistilBertConfig) -> None:
        super().__init__()
        self.attention = DistilBertSelfAttention(config)
        self.sa_layer_norm = LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.ffn = FFN(config)
        self.output_layer_norm = LayerNorm(config.hidden_size, config.layer_norm_eps)

    def forward(self, hidden: Hidden, attend: Attend) -> Hidden:
        attended = self.sa_layer_norm(self.attention(hidden, attend) + hidden)
        return self.output_layer_norm(self.ffn(attended) + attended)


class Transformer(BertEncoder):
    """The layers, one after another."""

    block = TransformerBlock


class DistilBertModel(nn.Module):
    """Ids in, one vector a token out."""

    def __init__(self, config: DistilBertConfig) -> None:
        super().__init__()
        self.embeddings = Embeddings(config, config.dropout)
        self.transformer = Transformer(config)
        self.rate = config.attention_dropout

    def forward(self, inputs: Inputs, output_hidden_states: bool = False) -> EncoderOutput:
        attend = attend_to(inputs, rate=self.rate)
        states = self.transformer(self.embeddings(inputs), attend)
        return EncoderOutput(states[-1], None, states if output_hidden_states else None)


class DistilBertForMaskedLM(Head):
    """Scores over the vocabulary at every position."""

    base = "distilbert"

    def __init__(self, config: DistilBertConfig) -> None:
        super().__init__(config, DistilBertModel(config))
        self.vocab_transform = Linear(config.hidden_size, config.hidden_size)
        self.activation = activation(config.hidden_act)
        self.vocab_layer_norm = LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.vocab_projector = tie_decoder(config, self.distilbert.embeddings.word_embeddings)

    def score(
        self, outputs: EncoderOutput, inputs: Inputs
    ) -> Float[Tensor, "*batch tokens vocab"]:
        hidden = self.activation(self.vocab_transform(outputs.last_hidden_state))
        return self.vocab_projector(self.vocab_layer_norm(hidden))


class DistilBertTextHead(Head):
    """Scores for each text from its first token, which is projected as in a pooler but with a
    ReLU."""

    base = "distilbert"

    def __init__(self, config: DistilBertConfig, labels: int) -> None:
        super().__init__(config, DistilBertModel(config))
        self.pre_classifier = Linear(config.hidden_size, config.hidden_size)
        self.activation = activation("relu")
        self.classifier = Linear(config.hidden_size, labels)
        self.rate = config.seq_classif_dropout

    def score(self, outputs: EncoderOutput, inputs: Inputs) -> Float[Tensor, "texts labels"]:
        first = first_tokens(outputs.last_hidden_state, inputs.cu_seqlens)
        activated = self.activation(self.pre_classifier(first))
        return self.classifier(dropout(activated, self.rate))


class DistilBertForSequenceClassification(DistilBertTextHead, TextHead):
    """Scores over the labels for each text."""

    def __init__(self, config: DistilBertConfig) -> None:
        super().__init__(config, config.num_labels)


class DistilBertForMultipleChoice(DistilBertTextHead, ChoiceHead):
    """One score for each of several texts that answer one question."""

    def __init__(self, config: DistilBertConfig) -> None:
        super().__init__(config, 1)


class DistilBertForTokenClassification(TokenHead):
    """Scores over the labels for each token."""

    base = "distilbert"

    def __init__(self, config: DistilBertConfig) -> None:
        super().__init__(config, DistilBertModel(config), config.dropout)
