//! The character encoder: characters, a shared embedder, and towers that shorten a text, attend
//! in what is left and restore its length. Transformers has no such family.
//!
//! Axes: batch, tokens, hidden; a token is a character here. Inside of the model each text
//! begins at the left and has its pads behind it, whatever it came in as. Field names are the
//! keys of the checkpoint.

mod aligned;
mod config;
mod embeddings;
mod heads;
mod steps;
mod tower;
mod tower_config;

use candle_core::{D, Tensor};
use encoders_kernels::input_error;

pub use aligned::{Aligned, length_mask, masked, missing, shortened};
pub use config::CharEncoderConfig;
pub use embeddings::{CharEncoderEmbeddings, Characters, HashEmbeddings, PRIMES};
pub use heads::{
    CharEncoderForMaskedLM, CharEncoderForSequenceClassification,
    CharEncoderForTokenClassification,
};
pub use steps::{CharEncoderDown, CharEncoderMerge, CharEncoderUp, Lengthening};
pub use tower::CharEncoderTower;
pub use tower_config::{REPEAT, TRANSPOSED, TowerConfig};

use crate::config::Limits;
use crate::error::Result;
use crate::family::{Architecture, Build, Family, FamilyConfig};
use crate::heads::{Encoder, EncoderOutput};
use crate::inputs::Batch;
use crate::masked_sequence::MaskedSequence;
use crate::pooling::max_pooling;
use crate::weights::Weights;

/// The character encoder, for whoever learns at run time which family a model is of.
pub static FAMILY: Family = Family {
    model_types: &["char_encoder"],
    tokenizers: &["CharacterVocabulary"],
    class_prefixes: &["CharEncoder"],
    base: "model",
    embeds: true,
    refuses_long_texts: true,
    read: CharEncoderConfig::from_map,
    architectures: &[
        Architecture::base::<CharEncoderModel>(),
        Architecture::head::<CharEncoderForMaskedLM>(),
        Architecture::head::<CharEncoderForSequenceClassification>(),
        Architecture::head::<CharEncoderForTokenClassification>(),
        Architecture::head::<MaskedSequence<CharEncoderModel>>(),
    ],
};

/// Ids of characters in, one vector a character out: what each tower gives, side by side.
#[derive(Debug, Clone)]
pub struct CharEncoderModel {
    /// What it was built from.
    pub config: CharEncoderConfig,
    /// From ids to vectors of characters among their neighbours.
    pub embeddings: CharEncoderEmbeddings,
    /// Side by side.
    pub towers: Vec<CharEncoderTower>,
}

impl CharEncoderModel {
    /// Takes the tensors of all parts.
    pub fn new(config: &CharEncoderConfig, weights: &Weights) -> Result<Self> {
        let at = weights.under("towers");
        let towers = config.towers.iter().enumerate();
        let towers = towers
            .map(|(number, tower)| CharEncoderTower::new(config, tower, &at.under(number)));
        Ok(Self {
            config: config.clone(),
            embeddings: CharEncoderEmbeddings::new(config, &weights.under("embeddings"))?,
            towers: towers.collect::<Result<_>>()?,
        })
    }
}

impl Build for CharEncoderModel {
    type Config = CharEncoderConfig;
    const SUFFIX: &str = "Model";

    fn build(config: &CharEncoderConfig, weights: &Weights) -> Result<Self> {
        Self::new(config, weights)
    }
}

impl Encoder for CharEncoderModel {
    fn limits(&self) -> Limits {
        self.config.limits()
    }

    /// The hidden states are what the base gave, and what the towers did; the pooler's output
    /// has the largest of the latter in each text.
    fn encode(&self, inputs: &Batch) -> Result<EncoderOutput> {
        if inputs.rope_tables.is_some() {
            return Err(input_error!(
                "the character encoder makes its own RoPE tables, and takes none from elsewhere"
            ));
        }
        let aligned = Aligned::of(inputs)?;
        let mask = &aligned.attention_mask;
        let hidden = self.embeddings.forward(&aligned.input_ids, mask)?;
        let towers = self.towers.iter().map(|tower| tower.forward(&hidden, mask));
        let side_by_side = Tensor::cat(&towers.collect::<Result<Vec<_>>>()?, D::Minus1)?;
        let (pooled, last) = (max_pooling(&side_by_side, mask)?, aligned.back(&side_by_side)?);
        let hidden_states = match inputs.output_hidden_states {
            true => Some(vec![aligned.back(&hidden)?, last.clone()]),
            false => None,
        };
        Ok(EncoderOutput {
            hidden_states,
            last_hidden_state: last,
            pooler_output: Some(pooled),
        })
    }
}
