//! Transformer encoders on candle; [`families`] lists which.
//!
//! ```no_run
//! use encoders::{SentenceEmbedder, device};
//!
//! let model = "sentence-transformers/all-MiniLM-L6-v2";
//! let embedder = SentenceEmbedder::from_pretrained(model, &device("cpu")?)?;
//! let vectors = embedder.encode(&["a first sentence", "a second one"])?; // two of 384 numbers
//! # Ok::<(), encoders::Error>(())
//! ```
//!
//! A model with a head has a pipeline, from text to what is wanted of it, as the Python package
//! has it: [`MaskedLM::fill`], [`TextClassification::classify`] and
//! [`rank`](TextClassification::rank), [`TokenClassification::tag`].
//!
//! ```no_run
//! use encoders::{MaskedLM, TextClassification, TokenClassification, device};
//!
//! let cpu = device("cpu")?;
//! let model = MaskedLM::from_pretrained("a masked language model", &cpu)?;
//! for filled in &model.fill(&["A cat [MASK] on the wall."])?[0][0] {
//!     println!("{} {:.3}: {}", filled.token, filled.probability, filled.text);
//! }
//! let model = TextClassification::from_pretrained("a cross-encoder", &cpu)?;
//! let best = &model.rank("what do cats do?", &["They sleep.", "It rains."])?[0];
//! println!("{} {:.3} {:?}", best.text, best.score, best.kind);
//!
//! let (model, text) = ("a token classifier", "Ada Lovelace lived in London.");
//! for span in &TokenClassification::from_pretrained(model, &cpu)?.tag(&[text])?[0] {
//!     println!("{} {}", span.label, &text[span.start..span.end]); // offsets are bytes
//! }
//! # Ok::<(), encoders::Error>(())
//! ```
//!
//! A network by itself is read and run by methods of [`FromPretrained`], [`Encoder`] and
//! [`Head`], which must be in scope:
//!
//! ```no_run
//! use encoders::{BertModel, Encoder, FromPretrained, Inputs, device};
//!
//! let device = device("cpu")?;
//! let model = BertModel::from_pretrained("sentence-transformers/all-MiniLM-L6-v2", &device)?;
//! let ids = candle_core::Tensor::new(&[[101i64, 7592, 102]], &device)?;
//! let mask = ids.ones_like()?;
//! let hidden = model.forward(&Inputs::padded(&ids, &mask))?.last_hidden_state; // [1, 3, 384]
//! # Ok::<(), encoders::Error>(())
//! ```
//!
//! What a model computes is in the crate `encoders-models`, all of which is handed on here: one
//! concept is one module, under the name that it has in the PyTorch and MLX ports of the same
//! models. Around it stand what a library needs to stand alone: [`checkpoint`], [`pretrained`],
//! [`text`], [`embedder`], [`modules`], [`similarity`], [`pipelines`].
//!
//! The features `cuda` and `metal` are candle's; [`device()`] then knows devices of that name.
//! The kernels of this project run on the CPU only: elsewhere the plain forms do.
//!
//! A model is a folder. With the feature `hub`, which is on by default, it may be an id of the
//! Hugging Face hub too.

pub mod checkpoint;
mod device;
pub mod embedder;
pub mod files;
#[cfg(feature = "hub")]
mod hub;
mod listing;
pub mod modules;
pub mod pipelines;
pub mod pretrained;
mod sentence;
pub mod similarity;
pub mod text;

pub use encoders_models::{
    Error, Lengths, Result, among_workers, attention, bert, char_encoder, convolution,
    distilbert, dropout, electra, error, families, family, inputs, layers, losses, masking,
    model, modernbert, mpnet, pooling, roberta, room, rope, rope_encoder, trace, training,
    weights,
};

pub use bert::{BertModel, BertModelOutput};
pub use char_encoder::CharEncoderModel;
pub use config::{
    BertConfig, CharEncoderConfig, Config, DistilBertConfig, ElectraConfig, MPNetConfig,
    ModernBertConfig, RobertaConfig, RopeEncoderConfig, XLMRobertaConfig,
};
pub use device::device;
pub use distilbert::DistilBertModel;
pub use electra::ElectraModel;
pub use embedder::SentenceEmbedder;
pub use family::Build;
pub use heads::{Encoder, Head};
pub use inputs::Inputs;
pub use model::{Model, Network, Output, Way};
pub use modernbert::{ModernBertModel, ModernBertModelOutput, RopeTables};
pub use mpnet::MPNetModel;
pub use pipelines::masked_lm::{self, MaskedLM};
pub use pipelines::masked_sequence::{self, MaskedSequence};
pub use pipelines::text_classification::{self, TextClassification};
pub use pipelines::token_classification::{self, TokenClassification};
pub use pooling::{Pooling, pool_packed};
pub use pretrained::{DEFAULT_MODEL, FromPretrained, locate};
pub use roberta::{RobertaModel, XLMRobertaModel};
pub use rope_encoder::{EmbeddingModel, RopeEncoderModel};
pub use similarity::Similarity;
pub use text::Tokenizer;

/// What all configurations share, and those of the families.
pub mod config {
    pub use encoders_models::bert::BertConfig;
    pub use encoders_models::char_encoder::{CharEncoderConfig, TowerConfig};
    pub use encoders_models::config::*;
    pub use encoders_models::distilbert::DistilBertConfig;
    pub use encoders_models::electra::ElectraConfig;
    pub use encoders_models::family::{Config, FamilyConfig};
    pub use encoders_models::modernbert::ModernBertConfig;
    pub use encoders_models::mpnet::MPNetConfig;
    pub use encoders_models::roberta::{RobertaConfig, XLMRobertaConfig};
    pub use encoders_models::rope_encoder::RopeEncoderConfig;
}

/// What the heads share, and all heads, whatever family they are of.
pub mod heads {
    pub use encoders_models::bert::{
        BertForMaskedLM, BertForSequenceClassification, BertForTokenClassification,
        BertLMPredictionHead, BertOnlyMLMHead, BertPredictionHeadTransform,
    };
    pub use encoders_models::char_encoder::{
        CharEncoderForMaskedLM, CharEncoderForSequenceClassification,
        CharEncoderForTokenClassification,
    };
    pub use encoders_models::distilbert::{
        DistilBertForMaskedLM, DistilBertForMultipleChoice,
        DistilBertForSequenceClassification, DistilBertForTokenClassification,
    };
    pub use encoders_models::electra::{
        ElectraClassificationHead, ElectraForMaskedLM, ElectraForMultipleChoice,
        ElectraForSequenceClassification, ElectraForTokenClassification,
        ElectraGeneratorPredictions, ElectraSequenceSummary,
    };
    pub use encoders_models::heads::*;
    pub use encoders_models::modernbert::{
        ModernBertForMaskedLM, ModernBertForMultipleChoice,
        ModernBertForSequenceClassification, ModernBertForTokenClassification,
        ModernBertPredictionHead,
    };
    pub use encoders_models::mpnet::{
        MPNetForMaskedLM, MPNetForMultipleChoice, MPNetForSequenceClassification,
        MPNetForTokenClassification,
    };
    pub use encoders_models::roberta::{
        XLMRobertaClassificationHead, XLMRobertaForMaskedLM,
        XLMRobertaForSequenceClassification, XLMRobertaForTokenClassification,
        XLMRobertaLMHead,
    };
    pub use encoders_models::rope_encoder::{
        RopeEncoderForMaskedLM, RopeEncoderForSequenceClassification,
        RopeEncoderForTokenClassification,
    };
}
