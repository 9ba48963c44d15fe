//! A tower of the character encoder.

use candle_core::Tensor;

use super::aligned::{masked, missing, shortened};
use super::steps::{CharEncoderDown, CharEncoderMerge, CharEncoderUp, norm};
use super::{CharEncoderConfig, TowerConfig};
use crate::attention::attend_to;
use crate::error::Result;
use crate::inputs::Batch;
use crate::layers::{LayerNorm, stack};
use crate::rope::exact_rope_tables;
use crate::rope_encoder::RopeEncoderLayer;
use crate::weights::Weights;

/// Shorten, attend, restore.
#[derive(Debug, Clone)]
pub struct CharEncoderTower {
    /// What it was built from.
    pub tower: TowerConfig,
    /// Attention among neighbouring characters, where there is a window.
    pub local: Option<RopeEncoderLayer>,
    /// In their order.
    pub down: Vec<CharEncoderDown>,
    /// Of the shortened text, in their order.
    pub layers: Vec<RopeEncoderLayer>,
    /// Of what the last layer gave.
    pub final_norm: LayerNorm,
    /// In their order.
    pub up: Vec<CharEncoderUp>,
    /// With what went in.
    pub merge: CharEncoderMerge,
    /// The share of attention that training drops.
    pub rate: f64,
    /// The base of RoPE's frequencies.
    pub rope_theta: f64,
}

impl CharEncoderTower {
    /// Takes the tensors of all parts.
    pub fn new(
        config: &CharEncoderConfig,
        tower: &TowerConfig,
        weights: &Weights,
    ) -> Result<Self> {
        let (at, steps) = (|name| weights.under(name), tower.n_strided_convs);
        let (near, short) = (config.local(tower), config.short(tower));
        let local = || RopeEncoderLayer::new(&near, &at("local"));
        let down = |step| {
            let inputs = if step == 0 { config.n_filters } else { tower.n_conv_filters };
            CharEncoderDown::new(config, inputs, tower, &at("down").under(step))
        };
        let layer = |weights: &Weights| RopeEncoderLayer::new(&short, weights);
        let up = |weights: &Weights| CharEncoderUp::new(config, tower, weights);
        Ok(Self {
            tower: tower.clone(),
            local: tower.window.is_some().then(local).transpose()?,
            down: (0..steps).map(down).collect::<Result<_>>()?,
            layers: stack(tower.num_layers, &at("layers"), layer)?,
            final_norm: norm(config, tower.n_conv_filters, &at("final_norm"))?.noted(),
            up: stack(steps, &at("up"), up)?,
            merge: CharEncoderMerge::new(config, tower, &at("merge"))?,
            rate: config.dropout,
            rope_theta: config.rope_theta,
        })
    }

    /// `hidden` `[batch, tokens, filters]` is what the base gave, `mask` `[batch, tokens]`; the
    /// result is `[batch, tokens, features]`.
    pub fn forward(&self, hidden: &Tensor, mask: &Tensor) -> Result<Tensor> {
        let tokens = hidden.dim(1)?;
        let hidden = match &self.local {
            Some(local) => self.attend([local], hidden, mask, self.tower.window)?,
            None => hidden.clone(),
        };
        let more = missing(tokens, self.tower.downsample_factor);
        let mut mask = mask.pad_with_zeros(1, 0, more)?;
        let mut short = hidden.pad_with_zeros(1, 0, more)?;
        let mut masks = vec![];
        for down in &self.down {
            short = down.forward(&masked(&short, &mask)?)?;
            masks.push(mask.clone());
            mask = shortened(&mask, self.tower.stride_len)?;
        }
        short = self.attend(&self.layers, &short, &mask, None)?;
        short = self.final_norm.forward(&short)?;
        for (up, mask) in self.up.iter().zip(masks.iter().rev()) {
            short = up.forward(&short, mask)?;
        }
        self.merge.forward(&hidden, &short.narrow(1, 0, tokens)?)
    }

    /// Those layers one after another, of `hidden` `[batch, tokens, features]` and `mask`
    /// `[batch, tokens]`; no pad is seen.
    fn attend<'a>(
        &self,
        layers: impl IntoIterator<Item = &'a RopeEncoderLayer>,
        hidden: &Tensor,
        mask: &Tensor,
        window: Option<usize>,
    ) -> Result<Tensor> {
        let (_, tokens, size) = hidden.dims3()?;
        let places = Tensor::arange(0, tokens as i64, hidden.device())?;
        let head_dim = size / self.tower.num_heads;
        let tables = exact_rope_tables(&places, head_dim, self.rope_theta, hidden.dtype())?;
        let attend = attend_to(&Batch::of_mask(mask), window, None, self.rate)?;
        let mut hidden = hidden.clone();
        for layer in layers {
            hidden = layer.forward(&hidden, &tables, &*attend)?;
        }
        Ok(hidden)
    }
}
