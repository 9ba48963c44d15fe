"""RoBERTa (Liu et al. 2019) and XLM-RoBERTa (Conneau et al. 2020): BERT's encoder, but that
positions are counted from the padding's id on, and heads of their own.

Class and attribute names are Transformers' own.
"""

import mlx.core as mx
from jaxtyping import Float
from mlx import nn

from reference.families.bert import BertLayerConfig
from reference.families.roberta import RobertaConfig
from reference.inputs import Inputs
from reference.mlx.attention import first_tokens, positions
from reference.mlx.bert import BertEmbeddings, BertModel, CuSeqlens, Hidden, Ids
from reference.mlx.heads import EncoderOutput, Head, TextHead, TokenHead, tie_decoder
from reference.mlx.layers import Embedding, LayerNorm, Linear, dropout, gelu


class XLMRobertaEmbeddings(BertEmbeddings):
    """BERT's embeddings, with other positions."""

    def __init__(self, config: RobertaConfig) -> None:
        super().__init__(config)
        self.pad_token_id = config.pad_token_id
        # Every pad has the position of that number, which is trained as little as the pad.
        self.position_embeddings.padding_idx = config.pad_token_id

    def position_ids(self, input_ids: Ids, cu_seqlens: CuSeqlens | None = None) -> Ids:
        """Real tokens are counted, from the pad id on (Transformers'
        create_position_ids_from_input_ids)."""
        real = (input_ids != self.pad_token_id).astype(input_ids.dtype)
        count = real.cumsum(axis=-1)
        if cu_seqlens is not None:
            # Of each token's text.
            start = mx.arange(input_ids.shape[-1]) - positions(cu_seqlens)
            count = count - mx.pad(count, (1, 0))[start]  # without the real tokens before it
        return count * real + self.pad_token_id


class XLMRobertaModel(BertModel):
    """Ids in, one vector a token out, and the pooler's vector a text where the checkpoint has a
    pooler."""

    def __init__(self, config: RobertaConfig, add_pooling_layer: bool = True) -> None:
        super().__init__(config, add_pooling_layer)
        self.embeddings = XLMRobertaEmbeddings(config)


class XLMRobertaLMHead(nn.Module):
    """RoBERTa's prediction head: BERT's idea under other names, and always with the exact
    GELU."""

    def __init__(self, config: BertLayerConfig, words: Embedding) -> None:
        super().__init__()
        self.dense = Linear(config.hidden_size, config.hidden_size)
        self.layer_norm = LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.bias = mx.zeros((config.vocab_size,))
        self.decoder = tie_decoder(config, words, bias=self)

    def __call__(self, hidden: Hidden) -> Float[mx.array, "*batch tokens vocab"]:
        return self.decoder(self.layer_norm(gelu(self.dense(hidden))))


class XLMRobertaClassificationHead(nn.Module):
    """RoBERTa's sentence classifier: dense, tanh, and a projection to the labels."""

    def __init__(self, config: BertLayerConfig) -> None:
        super().__init__()
        self.dense = Linear(config.hidden_size, config.hidden_size)
        self.out_proj = Linear(config.hidden_size, config.num_labels)
        self.rate = config.classifier_rate

    def __call__(
        self, first: Float[mx.array, "batch hidden"]
    ) -> Float[mx.array, "batch labels"]:
        activated = mx.tanh(self.dense(dropout(first, self.rate)))
        return self.out_proj(dropout(activated, self.rate))


class XLMRobertaForMaskedLM(Head):
    """Scores over the vocabulary at every position."""

    base = "roberta"

    def __init__(self, config: RobertaConfig) -> None:
        super().__init__(config, XLMRobertaModel(config, add_pooling_layer=False))
        self.lm_head = XLMRobertaLMHead(config, self.roberta.embeddings.word_embeddings)

    def score(
        self, outputs: EncoderOutput, inputs: Inputs
    ) -> Float[mx.array, "*batch tokens vocab"]:
        return self.lm_head(outputs.last_hidden_state)


class XLMRobertaForSequenceClassification(TextHead):
    """Scores over the labels for each text, from its first token; there is no pooler."""

    base = "roberta"

    def __init__(self, config: RobertaConfig) -> None:
        super().__init__(config, XLMRobertaModel(config, add_pooling_layer=False))
        self.classifier = XLMRobertaClassificationHead(config)

    def score(self, outputs: EncoderOutput, inputs: Inputs) -> Float[mx.array, "batch labels"]:
        return self.classifier(first_tokens(outputs.last_hidden_state, inputs.cu_seqlens))


class XLMRobertaForTokenClassification(TokenHead):
    """Scores over the labels for each token."""

    base = "roberta"

    def __init__(self, config: RobertaConfig) -> None:
        encoder = XLMRobertaModel(config, add_pooling_layer=False)
        super().__init__(config, encoder, config.classifier_rate)


# RoBERTa differs from XLM-RoBERTa in nothing but the names of its classes.
RobertaModel = XLMRobertaModel
RobertaForMaskedLM = XLMRobertaForMaskedLM
RobertaForSequenceClassification = XLMRobertaForSequenceClassification
RobertaForTokenClassification = XLMRobertaForTokenClassification
