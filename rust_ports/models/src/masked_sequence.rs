//! A head at chosen positions, on the encoder of any family.
//!
//! Axes: batch, detections, hidden; of a packed row the detections stand in a row too.

mod losses;

use candle_core::{D, Device, Tensor};
use encoders_kernels::input_error;

pub use self::losses::{multiclass_loss, multilabel_loss};
use crate::config::EncoderConfig;
pub use crate::config::{Detections, SpanPooling};
use crate::error::Result;
use crate::family::{Build, FamilyConfig};
use crate::heads::{Encoder, EncoderOutput, Head};
use crate::inputs::Batch;
use crate::layers::{LayerNorm, Linear, gelu};
use crate::weights::Weights;

/// What the head's keys begin with.
pub const HEAD: &str = "detection_head";
const NORM_EPSILON: f64 = 1e-5;

/// Linear, GELU, norm, Linear.
#[derive(Debug, Clone)]
pub struct DetectionHead {
    /// hidden to hidden.
    pub dense: Linear,
    /// What follows the activation.
    pub norm: LayerNorm,
    /// hidden to the labels.
    pub classifier: Linear,
}

impl DetectionHead {
    /// Takes the tensors of all parts.
    pub fn new(hidden: usize, labels: usize, weights: &Weights) -> Result<Self> {
        Ok(Self {
            dense: Linear::new(hidden, hidden, true, &weights.under("dense"))?,
            norm: LayerNorm::new(hidden, NORM_EPSILON, true, &weights.under("norm"))?.noted(),
            classifier: Linear::new(hidden, labels, true, &weights.under("classifier"))?,
        })
    }

    /// `vectors` is `[..., detections, hidden]`, the result `[..., detections, labels]`.
    pub fn forward(&self, vectors: &Tensor) -> Result<Tensor> {
        let activated = gelu(&self.dense.forward(vectors)?)?;
        self.classifier.forward(&self.norm.forward(&activated)?)
    }
}

/// A vector for each detection, from those of some of its tokens: `hidden` is `[..., tokens,
/// hidden]`, the result `[..., detections, hidden]`.
pub fn span_vectors(hidden: &Tensor, inputs: &Batch) -> Result<Tensor> {
    let (Some(spans), Some(shares)) = (inputs.spans, inputs.shares) else {
        return Err(input_error!(
            "spans and shares are missing: at which tokens are the detections?"
        ));
    };
    let size = hidden.dim(D::Minus1)?;
    let tokens = hidden.reshape(((), size))?.index_select(&spans.flatten_all()?, 0)?;
    let tokens = tokens.reshape([spans.dims(), &[size]].concat())?;
    let shares = shares.to_dtype(hidden.dtype())?.unsqueeze(D::Minus1)?;
    Ok(tokens.broadcast_mul(&shares)?.sum(D::Minus2)?)
}

/// Scores over the labels for each detection, on the encoder of any family.
#[derive(Debug, Clone)]
pub struct MaskedSequence<M> {
    /// Whatever gives a vector for every token.
    pub encoder: M,
    /// What is on it.
    pub detection_head: DetectionHead,
    config: EncoderConfig,
    detections: Detections,
}

impl<M: Build + Encoder> Build for MaskedSequence<M> {
    type Config = M::Config;
    const SUFFIX: &str = "ForMaskedSequence";

    fn build(config: &M::Config, weights: &Weights) -> Result<Self> {
        let encoder = M::build(config, &weights.under(config.family().base))?;
        let own = config.encoder();
        let (size, labels) = (own.hidden_size, own.num_labels());
        Ok(Self {
            encoder,
            detection_head: DetectionHead::new(size, labels, &weights.under(HEAD))?,
            config: own.clone(),
            detections: own.detections.clone().unwrap_or_default(),
        })
    }
}

impl<M: Encoder> Head for MaskedSequence<M> {
    fn encoder(&self) -> &dyn Encoder {
        &self.encoder
    }

    fn score(&self, outputs: &EncoderOutput, inputs: &Batch) -> Result<Tensor> {
        self.detection_head.forward(&span_vectors(&outputs.last_hidden_state, inputs)?)
    }

    /// Where no detection counts it is zero, and no gradient comes of it.
    fn loss(&self, logits: &Tensor, labels: &Tensor) -> Result<Tensor> {
        let given = |numbers: &Option<Vec<f64>>| -> Result<Option<Tensor>> {
            let Some(numbers) = numbers else { return Ok(None) };
            Ok(Some(Tensor::new(&numbers[..], logits.device())?.to_dtype(logits.dtype())?))
        };
        let weights = given(&self.detections.class_weights)?;
        if self.config.problem_type.as_deref() == Some("single_label_classification") {
            return multiclass_loss(logits, labels, weights.as_ref());
        }
        let pos_weight = given(&self.detections.pos_weight)?;
        multilabel_loss(logits, labels, pos_weight.as_ref(), weights.as_ref())
    }
}

impl SpanPooling {
    /// For detections from one place among all tokens to another, the places that are pooled
    /// and the share of each, both `[detections, widest]`: [`Inputs`](crate::inputs::Inputs)'
    /// `spans` and `shares`. What fills a row up has no share.
    pub fn places(self, detections: &[(usize, usize)], device: &Device) -> Result<[Tensor; 2]> {
        if let Some((first, last)) = detections.iter().find(|(first, last)| last < first) {
            return Err(input_error!(
                "a detection from token {first} to {last} ends before it"
            ));
        }
        let widths = detections.iter().map(|(first, last)| last - first + 1);
        let width = match self {
            Self::First => 1,
            Self::FirstLast => 2,
            Self::Mean => widths.max().unwrap_or(1),
        };
        let (mut places, mut shares) = (Vec::new(), Vec::new());
        for &(first, last) in detections {
            for step in 0..width {
                let (place, share) = match self {
                    Self::First => (first, 1.0),
                    Self::FirstLast => (if step == 0 { first } else { last }, 0.5),
                    Self::Mean if first + step <= last => {
                        (first + step, 1.0 / (last - first + 1) as f64)
                    }
                    Self::Mean => (last, 0.0),
                };
                places.push(place as i64);
                shares.push(share);
            }
        }
        let shape = (detections.len(), width);
        Ok([Tensor::from_vec(places, shape, device)?, Tensor::from_vec(shares, shape, device)?])
    }
}
