//! Convolutions over the positions of a text: a linear layer over each position and its
//! neighbours.
//!
//! Axes: batch, tokens, features, as everywhere. Weights are stored as PyTorch's own modules
//! have them. Where they are constants, the matrix that a convolution is gets laid out once;
//! where they are trained, at each use, so that gradients reach them as they are stored.

use candle_core::{D, Tensor};
use encoders_kernels::{self as kernels, input_error};

use crate::error::Result;
use crate::layers::Linear;
use crate::trace::note;
use crate::weights::{Path, Weights};

/// Each position's own features and its neighbours', side by side, those of an earlier position
/// first; beyond either end are zeros. Of an even number of positions the one more is behind.
///
/// `x` is `[batch, tokens, features]`, the result `[batch, tokens, width * features]`.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use encoders_models::convolution::windows;
///
/// let x = Tensor::new(&[[[1f32], [2.0], [3.0]]], &Device::Cpu)?; // three positions
/// let found = windows(&x, 3)?.to_vec3::<f32>()?;
/// assert_eq!(found, [[[0.0, 1.0, 2.0], [1.0, 2.0, 3.0], [2.0, 3.0, 0.0]]]);
/// # Ok::<(), encoders_models::Error>(())
/// ```
pub fn windows(x: &Tensor, width: usize) -> Result<Tensor> {
    let [_, tokens, _] = axes("x", x)?;
    if width == 0 || width > 1 << 20 {
        return Err(input_error!(
            "width is {width}; a window holds at least one position and no more than 2^20"
        ));
    }
    let before = (width - 1) / 2;
    let padded = x.pad_with_zeros(1, before, width - 1 - before)?;
    let shifted = (0..width).map(|start| Ok(padded.narrow(1, start, tokens)?));
    Ok(Tensor::cat(&shifted.collect::<Result<Vec<_>>>()?, D::Minus1)?)
}

/// Every position from itself and its neighbours, `width` positions in all; the length stays.
#[derive(Debug, Clone)]
pub struct Convolution {
    /// `[outputs, inputs, width]`.
    pub weight: Tensor,
    /// `[outputs]`.
    pub bias: Tensor,
    dense: Option<Linear>,
    path: Path,
}

impl Convolution {
    /// Takes `weight` `[outputs, inputs, width]` and `bias` `[outputs]`.
    pub fn new(inputs: usize, outputs: usize, width: usize, weights: &Weights) -> Result<Self> {
        let weight = weights.get("weight", &[outputs, inputs, width])?;
        Self::of(weight, weights.get("bias", &[outputs])?, weights.path())
    }

    /// The layer of these tensors, which stands at `path`.
    pub fn of(weight: Tensor, bias: Tensor, path: Path) -> Result<Self> {
        let dense = laid_out_once(&weight, &bias, 0, || one_from_many(&weight, &bias, &path))?;
        Ok(Self { weight, bias, dense, path })
    }

    /// `x` is `[batch, tokens, inputs]`, the result `[batch, tokens, outputs]`. A trace notes
    /// it.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.dense()?.forward(&windows(x, self.weight.dim(2)?)?)
    }

    fn dense(&self) -> Result<Linear> {
        match &self.dense {
            Some(dense) => Ok(dense.clone()),
            None => one_from_many(&self.weight, &self.bias, &self.path),
        }
    }
}

/// One position from `stride` neighbours, and none of them twice: the text is so many times
/// shorter. Its length is a multiple of the stride.
#[derive(Debug, Clone)]
pub struct StridedConvolution {
    /// `[outputs, inputs, stride]`.
    pub weight: Tensor,
    /// `[outputs]`.
    pub bias: Tensor,
    dense: Option<Linear>,
    path: Path,
}

impl StridedConvolution {
    /// Takes `weight` `[outputs, inputs, stride]` and `bias` `[outputs]`.
    pub fn new(
        inputs: usize,
        outputs: usize,
        stride: usize,
        weights: &Weights,
    ) -> Result<Self> {
        let weight = weights.get("weight", &[outputs, inputs, stride])?;
        Self::of(weight, weights.get("bias", &[outputs])?, weights.path())
    }

    /// The layer of these tensors, which stands at `path`.
    pub fn of(weight: Tensor, bias: Tensor, path: Path) -> Result<Self> {
        let dense = laid_out_once(&weight, &bias, 0, || one_from_many(&weight, &bias, &path))?;
        Ok(Self { weight, bias, dense, path })
    }

    /// `x` is `[batch, tokens, inputs]`, the result `[batch, tokens / stride, outputs]`. A
    /// trace notes it.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.dense()?.forward(&self.together(x)?)
    }

    /// `[batch, shorter, stride * inputs]`.
    fn together(&self, x: &Tensor) -> Result<Tensor> {
        let [batch, tokens, inputs] = axes("x", x)?;
        let stride = self.weight.dim(2)?;
        if !tokens.is_multiple_of(stride) {
            return Err(input_error!(
                "x of shape {:?} has {tokens} positions, which is no multiple of the stride \
                 {stride}",
                x.dims()
            ));
        }
        Ok(x.reshape((batch, tokens / stride, stride * inputs))?)
    }

    fn dense(&self) -> Result<Linear> {
        match &self.dense {
            Some(dense) => Ok(dense.clone()),
            None => one_from_many(&self.weight, &self.bias, &self.path),
        }
    }
}

/// `stride` positions from each: the text is so many times longer.
#[derive(Debug, Clone)]
pub struct TransposedConvolution {
    /// `[inputs, outputs, stride]`.
    pub weight: Tensor,
    /// `[outputs]`.
    pub bias: Tensor,
    dense: Option<Linear>,
    path: Path,
}

impl TransposedConvolution {
    /// Takes `weight` `[inputs, outputs, stride]` and `bias` `[outputs]`.
    pub fn new(
        inputs: usize,
        outputs: usize,
        stride: usize,
        weights: &Weights,
    ) -> Result<Self> {
        let weight = weights.get("weight", &[inputs, outputs, stride])?;
        Self::of(weight, weights.get("bias", &[outputs])?, weights.path())
    }

    /// The layer of these tensors, which stands at `path`.
    pub fn of(weight: Tensor, bias: Tensor, path: Path) -> Result<Self> {
        let dense = laid_out_once(&weight, &bias, 1, || many_from_one(&weight, &bias))?;
        Ok(Self { weight, bias, dense, path })
    }

    /// `x` is `[batch, tokens, inputs]`, the result `[batch, stride * tokens, outputs]`. A
    /// trace notes it.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        axes("x", x)?;
        let longer = self.apart(&self.dense()?.forward(x)?)?;
        Ok(note(&self.path, longer))
    }

    /// `[batch, tokens, stride * outputs]` to `[batch, stride * tokens, outputs]`.
    fn apart(&self, x: &Tensor) -> Result<Tensor> {
        let (batch, tokens, _) = x.dims3()?;
        let (_, outputs, stride) = self.weight.dims3()?;
        Ok(x.reshape((batch, tokens * stride, outputs))?)
    }

    fn dense(&self) -> Result<Linear> {
        match &self.dense {
            Some(dense) => Ok(dense.clone()),
            None => many_from_one(&self.weight, &self.bias),
        }
    }
}

/// The sizes of all three.
fn axes(name: &str, x: &Tensor) -> Result<[usize; 3]> {
    match *x.dims() {
        [first, second, third] => Ok([first, second, third]),
        ref shape => Err(input_error!("{name} has shape {shape:?}; it must have three axes")),
    }
}

/// The matrix of constants; None where they are trained, and so may change. The outputs are on
/// that axis of the weight.
fn laid_out_once(
    weight: &Tensor,
    bias: &Tensor,
    axis: usize,
    dense: impl FnOnce() -> Result<Linear>,
) -> Result<Option<Linear>> {
    let [_, _, width] = axes("weight", weight)?;
    if width == 0 || bias.dims() != [weight.dim(axis)?] {
        return Err(input_error!(
            "weight has shape {:?} and bias {:?}; they must have three axes, the last at least \
             1, and the size of axis {axis}",
            weight.dims(),
            bias.dims()
        ));
    }
    kernels::wanted([weight, bias]).then(dense).transpose()
}

/// `weight` `[outputs, inputs, width]` as a layer from `width * inputs` to the outputs.
fn one_from_many(weight: &Tensor, bias: &Tensor, path: &Path) -> Result<Linear> {
    let matrix = weight.transpose(1, 2)?.flatten_from(1)?;
    Ok(Linear::of(matrix, Some(bias.clone()), path.clone()))
}

/// `weight` `[inputs, outputs, stride]` as a layer from the inputs to `stride * outputs`; the
/// path is that of no module, for what it gives has yet to be taken apart.
fn many_from_one(weight: &Tensor, bias: &Tensor) -> Result<Linear> {
    let stride = weight.dim(2)?;
    let matrix = weight.permute((2, 1, 0))?.flatten_to(1)?;
    Ok(Linear::of(matrix, Some(bias.repeat(stride)?), Path::default()))
}
