//! RoBERTa (Liu et al. 2019), XLM-RoBERTa (Conneau et al. 2020) and CamemBERT (Martin et al.
//! 2020): BERT's encoder, but that positions are counted from the padding's id on, and heads of
//! their own.

mod config;
mod heads;

use candle_core::Tensor;

pub use config::{RobertaConfig, XLMRobertaConfig};
pub use heads::{
    RobertaForMaskedLM, RobertaForSequenceClassification, RobertaForTokenClassification,
    XLMRobertaClassificationHead, XLMRobertaForMaskedLM, XLMRobertaForSequenceClassification,
    XLMRobertaForTokenClassification, XLMRobertaLMHead,
};

use crate::attention::Lengths;
use crate::bert::{BertEmbeddings, BertEncoder, BertPooler, pooler, run};
use crate::config::Limits;
use crate::error::Result;
use crate::family::{Architecture, Build, Family, FamilyConfig};
use crate::heads::{Encoder, EncoderOutput};
use crate::inputs::Batch;
use crate::masked_sequence::MaskedSequence;
use crate::weights::Weights;

/// RoBERTa and its relatives, for whoever learns at run time which family a model is of.
pub static FAMILY: Family = Family {
    model_types: &["xlm-roberta", "roberta", "camembert"],
    tokenizers: &["XLMRobertaTokenizer", "RobertaTokenizer", "CamembertTokenizer"],
    class_prefixes: &["XLMRoberta", "Roberta", "Camembert"],
    base: "roberta",
    embeds: false,
    refuses_long_texts: false,
    read: XLMRobertaConfig::from_map,
    architectures: &[
        Architecture::base::<XLMRobertaModel>(),
        Architecture::head::<XLMRobertaForMaskedLM>(),
        Architecture::head::<XLMRobertaForSequenceClassification>(),
        Architecture::head::<XLMRobertaForTokenClassification>(),
        Architecture::head::<MaskedSequence<XLMRobertaModel>>(),
    ],
};

/// BERT's embeddings, with other positions.
#[derive(Debug, Clone)]
pub struct XLMRobertaEmbeddings {
    /// The tables and the norm.
    pub tables: BertEmbeddings,
    /// The id from which positions are counted.
    pub pad_token_id: usize,
}

impl XLMRobertaEmbeddings {
    /// Takes the three tables and the norm.
    pub fn new(config: &XLMRobertaConfig, weights: &Weights) -> Result<Self> {
        let mut tables = BertEmbeddings::new(config, weights)?;
        // Every pad has the position of that number, which is trained as little as the pad.
        tables.position_embeddings.padding_idx = Some(config.pad);
        Ok(Self { tables, pad_token_id: config.pad })
    }

    /// A vector for every token: `[batch, tokens, hidden]`, or packed `[tokens, hidden]`.
    pub fn forward(&self, inputs: &Batch) -> Result<Tensor> {
        self.tables.at(inputs, &self.position_ids(&inputs.input_ids, inputs.lengths)?)
    }

    /// Real tokens are counted in each text, from the pad id on (Transformers'
    /// `create_position_ids_from_input_ids`); in the shape of `input_ids`.
    pub fn position_ids(
        &self,
        input_ids: &Tensor,
        cu_seqlens: Option<Lengths>,
    ) -> Result<Tensor> {
        position_ids(input_ids, cu_seqlens, self.pad_token_id)
    }
}

/// [`XLMRobertaEmbeddings::position_ids`], for families that count alike.
pub(crate) fn position_ids(
    input_ids: &Tensor,
    cu_seqlens: Option<Lengths>,
    pad_token_id: usize,
) -> Result<Tensor> {
    let ids: Vec<i64> = input_ids.flatten_all()?.to_vec1()?;
    let count = |ids: &[i64]| count(ids, pad_token_id as i64);
    let counted: Vec<i64> = match cu_seqlens {
        None => ids.chunks(input_ids.dims()[1]).flat_map(count).collect(),
        Some(cu_seqlens) => {
            let texts = cu_seqlens.texts();
            texts.flat_map(|(start, length)| count(&ids[start..start + length])).collect()
        }
    };
    Ok(Tensor::from_vec(counted, input_ids.shape(), input_ids.device())?)
}

/// pad + 1, pad + 2, ... for the real tokens of one text, and pad for each padding token.
fn count(ids: &[i64], pad: i64) -> Vec<i64> {
    let mut position = pad;
    let mut next = |id: &i64| {
        position += i64::from(*id != pad);
        if *id == pad { pad } else { position }
    };
    ids.iter().map(&mut next).collect()
}

/// Ids in, one vector a token out, and the pooler's vector a text where the checkpoint has a
/// pooler.
#[derive(Debug, Clone)]
pub struct XLMRobertaModel {
    /// What it was built from.
    pub config: XLMRobertaConfig,
    /// From ids to vectors.
    pub embeddings: XLMRobertaEmbeddings,
    /// The layers, which are BERT's.
    pub encoder: BertEncoder,
    /// From the first token of a text to its vector.
    pub pooler: Option<BertPooler>,
}

/// XLM-RoBERTa's under another name.
pub type RobertaModel = XLMRobertaModel;

impl XLMRobertaModel {
    /// Takes the tensors of all parts.
    pub fn new(
        config: &XLMRobertaConfig,
        add_pooling_layer: bool,
        weights: &Weights,
    ) -> Result<Self> {
        Ok(Self {
            config: config.clone(),
            embeddings: XLMRobertaEmbeddings::new(config, &weights.under("embeddings"))?,
            encoder: BertEncoder::new(config, &weights.under("encoder"))?,
            pooler: pooler(config, add_pooling_layer, weights)?,
        })
    }
}

impl Build for XLMRobertaModel {
    type Config = XLMRobertaConfig;
    const SUFFIX: &str = "Model";

    fn build(config: &XLMRobertaConfig, weights: &Weights) -> Result<Self> {
        Self::new(config, weights.has("pooler"), weights)
    }
}

impl Encoder for XLMRobertaModel {
    fn limits(&self) -> Limits {
        self.config.limits()
    }

    fn encode(&self, inputs: &Batch) -> Result<EncoderOutput> {
        let embedded = self.embeddings.forward(inputs)?;
        let rate = self.config.attention_probs_dropout_prob;
        run(embedded, &self.encoder, self.pooler.as_ref(), inputs, rate)
    }
}
