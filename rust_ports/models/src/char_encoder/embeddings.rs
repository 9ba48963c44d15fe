//! What all towers of the character encoder share.

use candle_core::{D, Tensor};

use super::CharEncoderConfig;
use super::aligned::masked;
use crate::convolution::Convolution;
use crate::error::Result;
use crate::layers::{
    Activation, Embedding, LayerNorm, activation, dropout, norm_activated, stack,
};
use crate::trace::note;
use crate::weights::{Path, Weights};

/// What CANINE multiplies ids by (Clark et al. 2022, section 3.1), one prime a table.
pub const PRIMES: [i64; 8] = [31, 43, 59, 61, 73, 97, 103, 113];

/// A vector for every character that there is, from tables that are smaller than Unicode: each
/// hashes the id to a row of its own (Clark et al. 2022, section 3.1). All tables have
/// the same number of rows, so two characters that are as many ids apart, or a multiple of
/// that, share them all; closer ones share none.
#[derive(Debug, Clone)]
pub struct HashEmbeddings {
    /// Side by side their rows are a vector.
    pub tables: Vec<Embedding>,
}

impl HashEmbeddings {
    /// Takes the tables.
    pub fn new(config: &CharEncoderConfig, weights: &Weights) -> Result<Self> {
        let (rows, count) = (config.num_hash_buckets, config.num_hashes);
        let size = config.char_emb_size / count;
        let table = |weights: &Weights| Embedding::new(rows, size, None, weights);
        Ok(Self { tables: stack(count, &weights.under("tables"), table)? })
    }

    /// `ids` is `[batch, tokens]`, the result `[batch, tokens, features]`.
    pub fn forward(&self, ids: &Tensor) -> Result<Tensor> {
        let numbers: Vec<i64> = ids.flatten_all()?.to_vec1()?; // candle has no remainder
        let found = self.tables.iter().zip(PRIMES).map(|(table, prime)| {
            let rows = table.weight.dim(0)? as i64;
            let hashed: Vec<i64> = numbers.iter().map(|id| (id + 1) * prime % rows).collect();
            table.forward(&Tensor::from_vec(hashed, ids.shape(), ids.device())?)
        });
        Ok(Tensor::cat(&found.collect::<Result<Vec<_>>>()?, D::Minus1)?)
    }
}

/// A vector for each character.
#[derive(Debug, Clone)]
pub enum Characters {
    /// A row for each id.
    Table(Embedding),
    /// Rows to which ids are hashed.
    Hashed(HashEmbeddings),
}

/// What all towers share: a vector for each character, then one of it and its neighbours.
#[derive(Debug, Clone)]
pub struct CharEncoderEmbeddings {
    /// A vector for each character.
    pub characters: Characters,
    /// Over neighbours.
    pub convolution: Convolution,
    /// Of what the convolution gave.
    pub norm: LayerNorm,
    /// What follows the norm.
    pub activation: Activation,
    /// The share of features that training drops.
    pub rate: f64,
    path: Path,
}

impl CharEncoderEmbeddings {
    /// Takes the tensors of all parts.
    pub fn new(config: &CharEncoderConfig, weights: &Weights) -> Result<Self> {
        let (size, filters) = (config.char_emb_size, config.n_filters);
        let (rows, pad) = (config.vocab_size, config.pad_token_id);
        let at = &weights.under("characters");
        let characters = match config.num_hashes {
            0 => Characters::Table(Embedding::new(rows, size, pad, at)?),
            _ => Characters::Hashed(HashEmbeddings::new(config, at)?),
        };
        let convolution = weights.under("convolution");
        let convolution = Convolution::new(size, filters, config.kernel_size, &convolution)?;
        let norm =
            LayerNorm::new(filters, config.layer_norm_eps, true, &weights.under("norm"))?;
        Ok(Self {
            characters,
            convolution,
            norm,
            activation: activation(&config.hidden_act)?,
            rate: config.dropout,
            path: weights.path(),
        })
    }

    /// `ids` and `mask` are `[batch, tokens]`, the result `[batch, tokens, filters]`.
    pub fn forward(&self, ids: &Tensor, mask: &Tensor) -> Result<Tensor> {
        let found = match &self.characters {
            Characters::Table(table) => table.forward(ids)?,
            Characters::Hashed(tables) => tables.forward(ids)?,
        };
        let found = note(&self.path.under("characters"), found);
        let hidden = self.convolution.forward(&masked(&found, mask)?)?;
        let hidden = norm_activated(&self.norm, self.activation, &hidden)?;
        let hidden = dropout(&hidden, self.rate)?;
        Ok(note(&self.path, hidden))
    }
}
