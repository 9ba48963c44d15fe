//! ELECTRA (Clark et al. 2020): BERT's layers on embeddings of a size of their own, no pooler,
//! and heads of its own.
//!
//! Axes: batch, tokens, hidden; a packed batch has no batch axis, its texts stand in a row.
//! Field names are the keys of Transformers' checkpoints.

mod config;
mod heads;

pub use config::ElectraConfig;
pub use heads::{
    ElectraClassificationHead, ElectraForMaskedLM, ElectraForMultipleChoice,
    ElectraForSequenceClassification, ElectraForTokenClassification,
    ElectraGeneratorPredictions, ElectraSequenceSummary,
};

use crate::bert::{BertEmbeddings, BertEncoder, run};
use crate::config::Limits;
use crate::error::Result;
use crate::family::{Architecture, Build, Family, FamilyConfig};
use crate::heads::{Encoder, EncoderOutput};
use crate::inputs::Batch;
use crate::layers::Linear;
use crate::masked_sequence::MaskedSequence;
use crate::weights::Weights;

/// ELECTRA, for whoever learns at run time which family a model is of.
pub static FAMILY: Family = Family {
    model_types: &["electra"],
    tokenizers: &["BertTokenizer"],
    class_prefixes: &["Electra"],
    base: "electra",
    embeds: false,
    refuses_long_texts: false,
    read: ElectraConfig::from_map,
    architectures: &[
        Architecture::base::<ElectraModel>(),
        Architecture::head::<ElectraForMaskedLM>(),
        Architecture::head::<ElectraForSequenceClassification>(),
        Architecture::head::<ElectraForTokenClassification>(),
        Architecture::head::<ElectraForMultipleChoice>(),
        Architecture::head::<MaskedSequence<ElectraModel>>(),
    ],
};

/// Ids in, one vector a token out.
#[derive(Debug, Clone)]
pub struct ElectraModel {
    /// What it was built from.
    pub config: ElectraConfig,
    /// From ids to vectors of the embeddings' size; BERT's.
    pub embeddings: BertEmbeddings,
    /// From the embeddings' size to the layers', where the two differ.
    pub embeddings_project: Option<Linear>,
    /// The layers, which are BERT's.
    pub encoder: BertEncoder,
}

impl ElectraModel {
    /// Takes the tensors of all parts.
    pub fn new(config: &ElectraConfig, weights: &Weights) -> Result<Self> {
        let (narrow, size) = (config.embedding_size, config.hidden_size);
        let embeddings = BertEmbeddings::of_size(config, narrow, &weights.under("embeddings"))?;
        let project = weights.under("embeddings_project");
        let project = config.projects().then(|| Linear::new(narrow, size, true, &project));
        Ok(Self {
            config: config.clone(),
            embeddings,
            embeddings_project: project.transpose()?,
            encoder: BertEncoder::new(config, &weights.under("encoder"))?,
        })
    }
}

impl Build for ElectraModel {
    type Config = ElectraConfig;
    const SUFFIX: &str = "Model";

    fn build(config: &ElectraConfig, weights: &Weights) -> Result<Self> {
        Self::new(config, weights)
    }
}

impl Encoder for ElectraModel {
    fn limits(&self) -> Limits {
        self.config.limits()
    }

    fn encode(&self, inputs: &Batch) -> Result<EncoderOutput> {
        let mut hidden = self.embeddings.forward(inputs)?;
        if let Some(project) = &self.embeddings_project {
            hidden = project.forward(&hidden)?;
        }
        run(hidden, &self.encoder, None, inputs, self.config.attention_probs_dropout_prob)
    }
}
