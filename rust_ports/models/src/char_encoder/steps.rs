//! The steps of a tower: down to a shorter text, up again, and back to what went in.

use candle_core::{D, Tensor};

use super::aligned::masked;
use super::{CharEncoderConfig, TRANSPOSED, TowerConfig};
use crate::convolution::{Convolution, StridedConvolution, TransposedConvolution};
use crate::error::Result;
use crate::layers::{Activation, LayerNorm, Linear, activation, dropout, norm_activated};
use crate::trace::note;
use crate::weights::{Path, Weights};

/// A strided convolution, a norm, an activation.
#[derive(Debug, Clone)]
pub struct CharEncoderDown {
    /// It shortens.
    pub convolution: StridedConvolution,
    /// Of what the convolution gave.
    pub norm: LayerNorm,
    /// What follows the norm.
    pub activation: Activation,
    path: Path,
}

impl CharEncoderDown {
    /// Takes the convolution, of that many inputs, and the norm.
    pub fn new(
        config: &CharEncoderConfig,
        inputs: usize,
        tower: &TowerConfig,
        weights: &Weights,
    ) -> Result<Self> {
        let (size, stride) = (tower.n_conv_filters, tower.stride_len);
        let convolution = weights.under("convolution");
        Ok(Self {
            convolution: StridedConvolution::new(inputs, size, stride, &convolution)?,
            norm: norm(config, size, &weights.under("norm"))?,
            activation: activation(&config.hidden_act)?,
            path: weights.path(),
        })
    }

    /// `hidden` is `[batch, tokens, inputs]`, the result `[batch, shorter, filters]`.
    pub fn forward(&self, hidden: &Tensor) -> Result<Tensor> {
        let shorter = self.convolution.forward(hidden)?;
        Ok(note(&self.path, norm_activated(&self.norm, self.activation, &shorter)?))
    }
}

/// What restores a length.
#[derive(Debug, Clone)]
pub enum Lengthening {
    /// Several positions from each.
    Transposed(TransposedConvolution),
    /// Over each vector repeated so many times.
    Repeat(Convolution, usize),
}

/// The way back: a transposed convolution, or each vector repeated and then a convolution; a
/// norm, an activation.
#[derive(Debug, Clone)]
pub struct CharEncoderUp {
    /// It lengthens.
    pub convolution: Lengthening,
    /// Of what the convolution gave.
    pub norm: LayerNorm,
    /// What follows the norm.
    pub activation: Activation,
    path: Path,
}

impl CharEncoderUp {
    /// Takes the convolution and the norm.
    pub fn new(
        config: &CharEncoderConfig,
        tower: &TowerConfig,
        weights: &Weights,
    ) -> Result<Self> {
        let (size, stride) = (tower.n_conv_filters, tower.stride_len);
        let at = &weights.under("convolution");
        let convolution = match tower.upsample == TRANSPOSED {
            true => {
                Lengthening::Transposed(TransposedConvolution::new(size, size, stride, at)?)
            }
            false => Lengthening::Repeat(Convolution::new(size, size, stride, at)?, stride),
        };
        Ok(Self {
            convolution,
            norm: norm(config, size, &weights.under("norm"))?,
            activation: activation(&config.hidden_act)?,
            path: weights.path(),
        })
    }

    /// `hidden` is `[batch, shorter, features]`, the result `[batch, longer, features]`, and
    /// `mask` that of the result, `[batch, longer]`.
    pub fn forward(&self, hidden: &Tensor, mask: &Tensor) -> Result<Tensor> {
        let longer = match &self.convolution {
            Lengthening::Transposed(convolution) => convolution.forward(hidden)?,
            Lengthening::Repeat(convolution, stride) => {
                let (batch, tokens, size) = hidden.dims3()?;
                let shape = (batch, tokens, *stride, size);
                let repeated = hidden.unsqueeze(2)?.broadcast_as(shape)?.flatten(1, 2)?;
                convolution.forward(&masked(&repeated, mask)?)?
            }
        };
        Ok(note(&self.path, norm_activated(&self.norm, self.activation, &longer)?))
    }
}

/// What the base gave and what came back beside it, projected: the short text knows what is
/// said, the base which letter stood where.
#[derive(Debug, Clone)]
pub struct CharEncoderMerge {
    /// Both sizes to the tower's.
    pub projection: Linear,
    /// Of what the projection gave.
    pub norm: LayerNorm,
    /// What follows the norm.
    pub activation: Activation,
    /// The share of features that training drops.
    pub rate: f64,
    path: Path,
}

impl CharEncoderMerge {
    /// Takes the projection and the norm.
    pub fn new(
        config: &CharEncoderConfig,
        tower: &TowerConfig,
        weights: &Weights,
    ) -> Result<Self> {
        let (size, both) = (tower.n_conv_filters, config.n_filters + tower.n_conv_filters);
        Ok(Self {
            projection: Linear::new(both, size, true, &weights.under("projection"))?,
            norm: norm(config, size, &weights.under("norm"))?,
            activation: activation(&config.hidden_act)?,
            rate: config.dropout,
            path: weights.path(),
        })
    }

    /// `hidden` is `[batch, tokens, filters]`, `restored` `[batch, tokens, features]`, and so
    /// is the result.
    pub fn forward(&self, hidden: &Tensor, restored: &Tensor) -> Result<Tensor> {
        let both = Tensor::cat(&[hidden, restored], D::Minus1)?;
        let merged = self.projection.forward(&both)?;
        let merged = norm_activated(&self.norm, self.activation, &merged)?;
        Ok(note(&self.path, dropout(&merged, self.rate)?))
    }
}

/// The norm that stands at `weights`.
pub(super) fn norm(
    config: &CharEncoderConfig,
    size: usize,
    weights: &Weights,
) -> Result<LayerNorm> {
    LayerNorm::new(size, config.layer_norm_eps, true, weights)
}
