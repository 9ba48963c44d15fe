//! Transformer encoders on candle, from tensors to tensors.
//!
//! One concept is one module, under the name that it has in the PyTorch and MLX ports of the
//! same models: [`pooling`], [`layers`], [`rope`], [`attention`], [`convolution`], [`heads`],
//! [`masking`], [`losses`], [`training`]. A family of models is a module too, with its
//! configuration, its encoder and its heads, as [`bert`] is; [`families`] lists them. Field
//! names are the keys of Transformers' checkpoints.
//!
//! A plain form and a fast one stand side by side in [`layers`] and [`attention`], and are
//! chosen there; models know of one form only. Nothing here reads files or text: the crate
//! `encoders` does.
//!
//! Shapes are written `[batch, tokens, hidden]`; `...` is any number of leading axes.

pub mod attention;
mod axes;
pub mod bert;
pub mod char_encoder;
pub mod config;
pub mod convolution;
pub mod distilbert;
pub mod dropout;
pub mod electra;
pub mod families;
pub mod family;
pub mod heads;
pub mod inputs;
pub mod layers;
pub mod losses;
pub mod masked_sequence;
pub mod masking;
pub mod model;
pub mod modernbert;
pub mod mpnet;
pub mod network;
pub mod pooling;
pub mod roberta;
pub mod rope;
pub mod rope_encoder;
pub mod trace;
pub mod training;
pub mod weights;
mod workers;

pub use encoders_kernels::{
    Error, Lengths, Result, checkpoint_error, config_error, error, input_error, room,
};
pub use workers::among_workers;
