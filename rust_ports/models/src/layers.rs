//! The parts that every encoder is built from: linear, layer norm, embedding, gated MLP; and
//! the activations.
//!
//! The plain forms are written out in operations that candle differentiates. candle's own fused
//! layer norm and softmax have no backward pass and cut gradients silently; the fast forms
//! beside the plain ones are kernels of this project.

mod activations;
mod fused;
mod int8;

use candle_core::{D, DType, Tensor};
use encoders_kernels as kernels;

pub use activations::*;
pub(crate) use fused::joined;
pub use fused::{activated, add_norm, gated, norm_activated, sum_norm};

use crate::dropout::{keep, scale};
use crate::error::Result;
use crate::trace::{self, note};
use crate::weights::{Path, Weights};

/// x Wᵀ + b, with the weight stored `[outputs, inputs]` as in every checkpoint.
#[derive(Debug, Clone)]
pub struct Linear {
    /// `[outputs, inputs]`.
    pub weight: Tensor,
    /// `[outputs]`.
    pub bias: Option<Tensor>,
    path: Path,
    layout: kernels::Layout,
    notes_input: bool,
}

impl Linear {
    /// Takes `weight` `[outputs, inputs]` and, where there is one, `bias` `[outputs]`.
    pub fn new(inputs: usize, outputs: usize, bias: bool, weights: &Weights) -> Result<Self> {
        let bias = bias.then(|| weights.get("bias", &[outputs])).transpose()?;
        let weight = weights.get("weight", &[outputs, inputs])?;
        Ok(Self::of(weight, bias, weights.path()).laid_out(weights.layout()))
    }

    /// The layer of these tensors, which stands at `path`.
    pub fn of(weight: Tensor, bias: Option<Tensor>, path: Path) -> Self {
        Self { weight, bias, path, layout: kernels::Layout::default(), notes_input: false }
    }

    /// The same layer; of this one a trace notes what goes in, too.
    pub fn noting_input(self) -> Self {
        Self { notes_input: true, ..self }
    }

    /// The same, which multiplies in the numbers of that layout.
    pub fn laid_out(self, layout: kernels::Layout) -> Self {
        Self { layout, ..self }
    }

    /// The layout of another layer that multiplies in the same numbers.
    pub fn layout(&self) -> kernels::Layout {
        self.layout.of_another()
    }

    /// Where the layer stands in its model.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// `x` is `[..., inputs]`, the result `[..., outputs]`. A trace notes it.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        if self.notes_input && trace::on() {
            note(&self.path.under("input"), x.clone());
        }
        let tensors = || self.tensors().chain([x]);
        let result = match &self.bias {
            _ if kernels::wanted(tensors()) => kernels::linear(self.dense(), x),
            _ if matches!(self.layout, kernels::Layout::Int8(_)) => {
                self.plain(&int8::rounded(x)?, &int8::rounded(&self.weight)?)
            }
            Some(bias) if kernels::available(tensors()) => {
                kernels::affine(x, &self.weight, bias)
            }
            _ => self.plain(x, &self.weight),
        };
        Ok(note(&self.path, result?))
    }

    fn plain(&self, x: &Tensor, weight: &Tensor) -> Result<Tensor> {
        // One matrix product over all rows: candle would copy the weight for every batch
        // otherwise.
        let (outputs, inputs) = weight.dims2()?;
        let mut rows = kernels::product(&x.reshape(((), inputs))?, &weight.t()?)?;
        if let Some(bias) = &self.bias {
            rows = rows.broadcast_add(bias)?;
        }
        let mut shape = x.dims().to_vec();
        shape.pop();
        shape.push(outputs);
        Ok(rows.reshape(shape)?)
    }

    pub(crate) fn tensors(&self) -> impl Iterator<Item = &Tensor> {
        [&self.weight].into_iter().chain(&self.bias)
    }

    /// The same tensors as kernels take them.
    pub(crate) fn dense(&self) -> kernels::Dense<'_> {
        let Self { weight, bias, layout, .. } = self;
        kernels::Dense { weight, bias: bias.as_ref(), layout }
    }
}

/// Zero mean and unit variance over the features of each token (Ba et al. 2016), then scale and
/// shift.
#[derive(Debug, Clone)]
pub struct LayerNorm {
    /// `[hidden]`.
    pub weight: Tensor,
    /// `[hidden]`.
    pub bias: Option<Tensor>,
    /// What is added to the variance.
    pub eps: f64,
    path: Path,
    noted: bool,
}

impl LayerNorm {
    /// Takes `weight` and, where there is one, `bias`, both `[size]`.
    pub fn new(size: usize, eps: f64, bias: bool, weights: &Weights) -> Result<Self> {
        let bias = bias.then(|| weights.get("bias", &[size])).transpose()?;
        Ok(Self::of(weights.get("weight", &[size])?, bias, eps, weights.path()))
    }

    /// The layer of these tensors, which stands at `path`.
    pub fn of(weight: Tensor, bias: Option<Tensor>, eps: f64, path: Path) -> Self {
        Self { weight, bias, eps, path, noted: false }
    }

    /// The same layer; a trace notes what this one gives.
    pub fn noted(self) -> Self {
        Self { noted: true, ..self }
    }

    /// `x` is `[..., hidden]`, and so is the result. The variance is the biased one, of x -
    /// mean.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        if kernels::wanted(self.tensors().chain([x])) {
            return Ok(self.note(kernels::layer_norm(self.norm(), x)?));
        }
        let dtype = at_least_f32(x.dtype());
        let wide = x.to_dtype(dtype)?;
        // (1) each token's features get mean zero and variance one
        let centered = wide.broadcast_sub(&wide.mean_keepdim(D::Minus1)?)?;
        let variance = centered.sqr()?.mean_keepdim(D::Minus1)?; // [..., 1]
        let normed = centered.broadcast_div(&(variance + self.eps)?.sqrt()?)?;
        // (2) each feature is then scaled and shifted
        let mut scaled = normed.broadcast_mul(&self.weight.to_dtype(dtype)?)?;
        if let Some(bias) = &self.bias {
            scaled = scaled.broadcast_add(&bias.to_dtype(dtype)?)?;
        }
        Ok(self.note(scaled.to_dtype(x.dtype())?))
    }

    fn note(&self, normed: Tensor) -> Tensor {
        match self.noted {
            true => note(&self.path, normed),
            false => normed,
        }
    }

    fn tensors(&self) -> impl Iterator<Item = &Tensor> {
        [&self.weight].into_iter().chain(&self.bias)
    }

    /// The same tensors as kernels take them.
    fn norm(&self) -> kernels::Norm<'_> {
        kernels::Norm { weight: &self.weight, bias: self.bias.as_ref(), eps: self.eps }
    }
}

/// A table of vectors, one row an id.
#[derive(Debug, Clone)]
pub struct Embedding {
    /// `[rows, size]`.
    pub weight: Tensor,
    /// The id whose row gets no gradient from here, as `padding_idx` of PyTorch's embedding.
    pub padding_idx: Option<usize>,
}

impl Embedding {
    /// Takes `weight` `[rows, size]`.
    pub fn new(
        rows: usize,
        size: usize,
        padding_idx: Option<usize>,
        weights: &Weights,
    ) -> Result<Self> {
        Ok(Self { weight: weights.get("weight", &[rows, size])?, padding_idx })
    }

    /// `ids` is `[...]`, the result `[..., size]`.
    pub fn forward(&self, ids: &Tensor) -> Result<Tensor> {
        let mut shape = ids.dims().to_vec();
        shape.push(self.weight.dim(1)?);
        let found = self.weight.index_select(&ids.flatten_all()?, 0)?.reshape(shape)?;
        match self.padding_idx {
            Some(pad) if found.track_op() => {
                let padded =
                    ids.eq(pad as i64)?.unsqueeze(D::Minus1)?.broadcast_as(found.shape())?;
                Ok(padded.where_cond(&found.detach(), &found)?)
            }
            _ => Ok(found),
        }
    }
}

/// `x`, of which the training pass under way drops the share `rate` and scales up the rest
/// (Srivastava et al. 2014). Outside of a training pass, `x` as it is.
pub fn dropout(x: &Tensor, rate: f64) -> Result<Tensor> {
    let Some(kept) = keep(x.dims(), rate) else {
        return Ok(x.clone());
    };
    if kernels::available([x]) {
        return kernels::keep(x, kept, scale(rate));
    }
    let kept = Tensor::from_vec(kept, x.shape(), x.device())?.to_dtype(x.dtype())?;
    Ok((x * (kept * scale(rate))?)?)
}

/// A feed-forward network in which one half of the wide features, activated, scales the other
/// (Shazeer 2020).
///
/// Wi makes both halves in one product: the first goes through the activation, the second is
/// the gate.
#[derive(Debug, Clone)]
#[allow(non_snake_case)]
pub struct GatedMLP {
    /// hidden to twice the intermediate size.
    pub Wi: Linear,
    /// intermediate size to hidden.
    pub Wo: Linear,
    /// Of the first half.
    pub activation: Activation,
    /// The share of the wide features that training drops.
    pub rate: f64,
}

impl GatedMLP {
    /// Takes `Wi` `[2 intermediate, hidden]` and `Wo` `[hidden, intermediate]`.
    pub fn new(
        hidden: usize,
        intermediate: usize,
        activation_name: &str,
        bias: bool,
        rate: f64,
        weights: &Weights,
    ) -> Result<Self> {
        Ok(Self {
            rate,
            Wi: Linear::new(hidden, 2 * intermediate, bias, &weights.under("Wi"))?,
            Wo: Linear::new(intermediate, hidden, bias, &weights.under("Wo"))?.noting_input(),
            activation: activation(activation_name)?,
        })
    }

    /// `x` is `[..., hidden]`, and so is the result.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        // (1) one half, activated, scales the other
        let gated = dropout(&gated(&self.Wi, self.activation, x)?, self.rate)?;
        // (2) and back to the hidden size
        self.Wo.forward(&gated)
    }
}

/// The layers of a model, each from the tensors under its number.
pub(crate) fn stack<Layer>(
    count: usize,
    weights: &Weights,
    new: impl Fn(&Weights) -> Result<Layer>,
) -> Result<Vec<Layer>> {
    (0..count).map(|number| new(&weights.under(number))).collect()
}

/// One layer after another: `hidden`, then what each made of what was before it.
pub(crate) fn in_turn<Layer>(
    layers: &[Layer],
    hidden: Tensor,
    forward: impl Fn(&Layer, &Tensor) -> Result<Tensor>,
) -> Result<Vec<Tensor>> {
    let mut states = vec![hidden];
    for (number, layer) in layers.iter().enumerate() {
        states.push(forward(layer, &states[number])?);
    }
    Ok(states)
}

/// The dtype to compute in: half precision is for storage.
pub(crate) fn at_least_f32(dtype: DType) -> DType {
    match dtype {
        DType::F64 => DType::F64,
        _ => DType::F32,
    }
}

/// Half precision is for storage: sums and exponentials are taken in float32, as PyTorch's
/// kernels do.
pub(crate) fn in_single_precision(
    x: &Tensor,
    function: impl FnOnce(&Tensor) -> Result<Tensor>,
) -> Result<Tensor> {
    match x.dtype() {
        DType::F16 | DType::BF16 => {
            Ok(function(&x.to_dtype(DType::F32)?)?.to_dtype(x.dtype())?)
        }
        _ => function(x),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};

    #[test]
    fn layer_norm_does_not_cancel() {
        // A large mean: the mean of squares minus the squared mean would have no digit left in
        // float32.
        let x = Tensor::new(&[[4096.25f32, 4096.5, 4096.75, 4097.0]], &Device::Cpu).unwrap();
        let plain = Var::from_tensor(&x).unwrap(); // tracked, so not the kernel
        let ones = Tensor::ones(4, DType::F32, &Device::Cpu).unwrap();
        let norm = LayerNorm::of(ones, None, 1e-12, Path::default());
        for x in [&x, plain.as_tensor()] {
            let normed = norm.forward(x).unwrap().to_vec2::<f32>().unwrap();
            for (found, expected) in
                normed[0].iter().zip([-1.341_640_8, -0.447_213_6, 0.447_213_6, 1.341_640_8])
            {
                assert!((found - expected).abs() < 1e-6);
            }
        }
    }
}
