//! BERT, RoBERTa, XLM-RoBERTa and ModernBERT encoders on candle.
//!
//! ```no_run
//! use encoders::{SentenceEmbedder, device};
//!
//! let embedder = SentenceEmbedder::from_pretrained("sentence-transformers/all-MiniLM-L6-v2", &device("cpu")?)?;
//! let vectors = embedder.encode(&["a first sentence", "a second one"])?; // two vectors of 384 numbers
//! # Ok::<(), encoders::Error>(())
//! ```
//!
//! One concept is one module, under the name that it has in the PyTorch and MLX ports of the
//! same models: [`pooling`], [`layers`], [`rope`], [`attention`], [`bert`], [`modernbert`],
//! [`heads`], [`masking`], [`losses`]. Field names are the keys of Transformers' checkpoints.
//! Around them stand what a library needs to stand alone: [`config`], [`checkpoint`],
//! [`pretrained`], [`text`], [`embedder`]; and what makes it fast, in [`fused`].
//!
//! Shapes are written `[batch, tokens, hidden]`; `...` is any number of leading axes.

pub mod attention;
pub mod bert;
pub mod checkpoint;
pub mod config;
pub mod embedder;
pub mod error;
pub mod fused;
pub mod heads;
pub mod inputs;
pub mod layers;
pub mod losses;
pub mod masking;
pub mod model;
pub mod modernbert;
pub mod pooling;
pub mod pretrained;
pub mod rope;
pub mod text;
pub mod trace;
pub mod weights;

pub use bert::{BertModel, BertModelOutput};
pub use config::{BertConfig, Config, ModernBertConfig};
pub use embedder::{Pooling, SentenceEmbedder, pool_packed};
pub use error::{Error, Result};
pub use inputs::Inputs;
pub use model::{Model, Network, Output};
pub use modernbert::{ModernBertModel, ModernBertModelOutput, RopeTables};
pub use pretrained::{DEFAULT_MODEL, device, locate};
pub use text::Tokenizer;
