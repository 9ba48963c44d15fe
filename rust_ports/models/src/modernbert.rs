//! ModernBERT (Warner et al. 2024): rotary positions, local and global attention, pre-norm, a
//! gated network.
//!
//! Axes: batch, tokens, hidden; a packed batch has no batch axis, its texts stand in a row.
//! Field names are the keys of Transformers' checkpoints.

mod config;
mod encoder;
mod heads;

use std::collections::BTreeMap;

use candle_core::{DType, Tensor};
use encoders_kernels::input_error;

pub use crate::rope::RopeTables;
pub use config::ModernBertConfig;
pub use encoder::{ModernBertAttention, ModernBertEmbeddings, ModernBertEncoderLayer};
pub use heads::{
    ModernBertForMaskedLM, ModernBertForMultipleChoice, ModernBertForSequenceClassification,
    ModernBertForTokenClassification, ModernBertPredictionHead,
};

use crate::attention::{attend_to, positions};
use crate::config::{LayerType, Limits};
use crate::error::Result;
use crate::family::{Architecture, Build, Family, FamilyConfig};
use crate::heads::{Encoder, EncoderOutput};
use crate::inputs::Batch;
use crate::layers::LayerNorm;
use crate::masked_sequence::MaskedSequence;
use crate::rope::rope_tables;
use crate::weights::Weights;

/// ModernBERT, for whoever learns at run time which family a model is of.
pub static FAMILY: Family = Family {
    model_types: &["modernbert"],
    tokenizers: &["PreTrainedTokenizerFast"],
    class_prefixes: &["ModernBert"],
    base: "model",
    embeds: false,
    refuses_long_texts: false,
    read: ModernBertConfig::from_map,
    architectures: &[
        Architecture::base::<ModernBertModel>(),
        Architecture::head::<ModernBertForMaskedLM>(),
        Architecture::head::<ModernBertForSequenceClassification>(),
        Architecture::head::<ModernBertForTokenClassification>(),
        Architecture::head::<ModernBertForMultipleChoice>(),
        Architecture::head::<MaskedSequence<ModernBertModel>>(),
    ],
};

/// What [`ModernBertModel`] returns.
pub type ModernBertModelOutput = EncoderOutput;

/// Ids in, one vector a token out. Each layer attends to the whole text or to a window, as its
/// layer_type says.
#[derive(Debug, Clone)]
pub struct ModernBertModel {
    /// What it was built from.
    pub config: ModernBertConfig,
    /// From ids to vectors.
    pub embeddings: ModernBertEmbeddings,
    /// In their order.
    pub layers: Vec<ModernBertEncoderLayer>,
    /// Of what the last layer gave.
    pub final_norm: LayerNorm,
}

impl ModernBertModel {
    /// Takes the tensors of all parts.
    pub fn new(config: &ModernBertConfig, weights: &Weights) -> Result<Self> {
        let under = weights.under("layers");
        let layers = (0..config.num_hidden_layers)
            .map(|number| ModernBertEncoderLayer::new(config, number, &under.under(number)));
        Ok(Self {
            config: config.clone(),
            embeddings: ModernBertEmbeddings::new(config, &weights.under("embeddings"))?,
            layers: layers.collect::<Result<_>>()?,
            final_norm: norm(config, &weights.under("final_norm"))?.noted(),
        })
    }

    /// RoPE's tables for each kind of layer, `[tokens, head_dim]`.
    ///
    /// Positions begin at 0 in every text of a packed row, and at the left edge of a padded
    /// one, pads included.
    pub fn tables(&self, inputs: &Batch, dtype: DType) -> Result<RopeTables> {
        let device = inputs.input_ids.device();
        let (places, longest) = match inputs.lengths {
            None => {
                let tokens = inputs.input_ids.dims()[1];
                (Tensor::arange(0, tokens as i64, device)?, tokens)
            }
            Some(lengths) => (positions(lengths, device)?, lengths.longest()),
        };
        if let Some(given) = inputs.rope_tables {
            return self.chosen(given, &places, longest, dtype);
        }
        let size = self.config.head_dim();
        let mut tables = RopeTables::new();
        for (kind, theta) in &self.config.rope_thetas {
            tables.insert(*kind, rope_tables(&places, size, *theta, dtype)?);
        }
        Ok(tables)
    }

    /// The rows for `places` of tables from elsewhere, in the model's precision.
    fn chosen(
        &self,
        given: &RopeTables,
        places: &Tensor,
        longest: usize,
        dtype: DType,
    ) -> Result<RopeTables> {
        let size = self.config.head_dim();
        let rows = |kind: LayerType, table: &Tensor| match table.dims() {
            &[rows, width] if rows >= longest && width == size => {
                Ok(table.index_select(places, 0)?.to_dtype(dtype)?)
            }
            shape => Err(input_error!(
                "a RoPE table for {} has shape {shape:?}; it must be [at least {longest}, \
                 {size}]",
                kind.name()
            )),
        };
        let has_layers = |kind: &LayerType| self.config.layer_types.contains(kind);
        let kinds = LayerType::ALL.into_iter().filter(has_layers).map(|kind| {
            let Some((cos, sin)) = given.get(&kind) else {
                return Err(input_error!("there are no RoPE tables for {}", kind.name()));
            };
            Ok((kind, (rows(kind, cos)?, rows(kind, sin)?)))
        });
        kinds.collect()
    }
}

impl Build for ModernBertModel {
    type Config = ModernBertConfig;
    const SUFFIX: &str = "Model";

    fn build(config: &ModernBertConfig, weights: &Weights) -> Result<Self> {
        Self::new(config, weights)
    }
}

impl Encoder for ModernBertModel {
    fn limits(&self) -> Limits {
        self.config.limits()
    }

    /// The last of the hidden states is what the final norm gave.
    fn encode(&self, inputs: &Batch) -> Result<EncoderOutput> {
        let mut hidden = self.embeddings.forward(&inputs.input_ids)?;
        let tables = self.tables(inputs, hidden.dtype())?;
        let rate = self.config.attention_dropout;
        let mut attends = BTreeMap::new();
        for (kind, window) in self.config.windows() {
            attends.insert(kind, attend_to(inputs, window, None, rate)?);
        }
        let mut states = vec![];
        for (layer, kind) in self.layers.iter().zip(&self.config.layer_types) {
            let next = layer.forward(&hidden, &tables[kind], &*attends[kind])?;
            states.push(hidden);
            hidden = next;
        }
        states.push(self.final_norm.forward(&hidden)?);
        EncoderOutput::of(states, None, inputs)
    }
}

/// The norm that stands at `weights`.
fn norm(config: &ModernBertConfig, weights: &Weights) -> Result<LayerNorm> {
    LayerNorm::new(config.hidden_size, config.norm_eps, config.norm_bias, weights)
}
