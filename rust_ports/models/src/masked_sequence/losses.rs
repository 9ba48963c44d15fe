//! The losses of detections. What is not counted reaches neither a loss nor a gradient.

use candle_core::{D, DType, Tensor};
use encoders_kernels::input_error;

use crate::error::Result;
use crate::heads::IGNORED;
use crate::layers::relu;
use crate::losses::{cross_entropy, log_one_plus, mean};

/// The mean binary cross entropy of every channel that counts. Where none does, it is zero.
///
/// A channel is not counted whose label is -100, nor a detection with that in its first. With a
/// weight p for what is there, it is w ((1 - y) x + (1 + (p - 1) y) log(1 + exp(-x))). `logits`
/// and `labels` are `[..., detections, labels]`, `pos_weight` and `class_weights` `[labels]`;
/// the result is a scalar.
pub fn multilabel_loss(
    logits: &Tensor,
    labels: &Tensor,
    pos_weight: Option<&Tensor>,
    class_weights: Option<&Tensor>,
) -> Result<Tensor> {
    if logits.dims() != labels.dims() {
        return Err(input_error!(
            "labels has shape {:?} but logits {:?}; they must be equal",
            labels.dims(),
            logits.dims()
        ));
    }
    let (channels, ignored) = (logits.dim(D::Minus1)?, IGNORED as f64);
    let numbers: Vec<f64> = labels.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?;
    let counts = |at: &usize| numbers[*at] != ignored && numbers[at - at % channels] != ignored;
    let kept: Vec<i64> = (0..numbers.len()).filter(counts).map(|place| place as i64).collect();
    if kept.is_empty() {
        return Ok(Tensor::zeros((), logits.dtype(), logits.device())?);
    }
    let kept = Tensor::new(kept, logits.device())?;
    let those =
        |x: &Tensor| x.broadcast_as(logits.shape())?.flatten_all()?.index_select(&kept, 0);
    let (x, y) = (those(logits)?, those(&labels.to_dtype(logits.dtype())?)?);
    let small = x.abs()?.neg()?.exp()?;
    let mut below = (relu(&x.neg()?)? + log_one_plus(&small)?)?; // log(1 + exp(-x))
    if let Some(weight) = pos_weight {
        let more = ((those(weight)? - 1.0)? * &y)?;
        below = (below * (more + 1.0)?)?;
    }
    let mut losses = (((1.0 - y)? * x)? + below)?;
    if let Some(weights) = class_weights {
        losses = (losses * those(weights)?)?;
    }
    mean(losses)
}

/// The cross entropy of every detection that counts; weighted, over what they weigh together.
/// Where none does, it is zero.
///
/// `logits` is `[..., detections, labels]`, `labels` `[..., detections]` of dtype i64, and
/// `class_weights` `[labels]`; the result is a scalar.
pub fn multiclass_loss(
    logits: &Tensor,
    labels: &Tensor,
    class_weights: Option<&Tensor>,
) -> Result<Tensor> {
    let loss = cross_entropy(logits, labels, IGNORED, class_weights)?;
    let numbers: Vec<i64> = labels.flatten_all()?.to_vec1()?;
    let shares = class_weights.map(|weights| weights.to_dtype(DType::F64)?.to_vec1::<f64>());
    let shares = shares.transpose()?;
    let weighs = |label: &i64| match &shares {
        _ if *label == IGNORED => false,
        Some(shares) => shares[*label as usize] > 0.0,
        None => true,
    };
    match numbers.iter().any(weighs) {
        true => Ok(loss),
        false => Ok(Tensor::zeros((), logits.dtype(), logits.device())?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};

    fn number(loss: &Tensor) -> f64 {
        loss.to_scalar().unwrap()
    }

    #[test]
    fn what_is_not_counted_reaches_nothing() {
        let cpu = &Device::Cpu;
        let logits =
            Var::new(&[[[1f64, f64::NAN], [0.5, -2.0], [f64::NAN, 3.0]]], cpu).unwrap();
        let labels = Tensor::new(&[[[1f64, -100.0], [0.0, 1.0], [-100.0, 1.0]]], cpu).unwrap();
        let loss = multilabel_loss(&logits, &labels, None, None).unwrap();
        let softplus = |x: f64| x.exp().ln_1p();
        let expected = (softplus(-1.0) + softplus(0.5) + softplus(2.0)) / 3.0;
        assert!((number(&loss) - expected).abs() < 1e-15);
        let gradient = loss.backward().unwrap().get(&logits).unwrap().clone();
        let gradient: Vec<f64> = gradient.flatten_all().unwrap().to_vec1().unwrap();
        assert_eq!([gradient[1], gradient[4], gradient[5]], [0.0; 3]);
        assert!(gradient.iter().all(|number| number.is_finite()));
    }

    #[test]
    fn where_nothing_counts_a_loss_is_zero() {
        let logits = Tensor::new(&[[1f64, 2.0], [f64::NAN, 0.0]], &Device::Cpu).unwrap();
        let none = (logits.zeros_like().unwrap() - 100.0).unwrap();
        assert_eq!(number(&multilabel_loss(&logits, &none, None, None).unwrap()), 0.0);
        let none = Tensor::new(&[IGNORED, IGNORED], &Device::Cpu).unwrap();
        assert_eq!(number(&multiclass_loss(&logits, &none, None).unwrap()), 0.0);
        let (first, weights) =
            (Tensor::new(&[0i64, IGNORED], &Device::Cpu).unwrap(), [0.0, 1.0]);
        let weights = Tensor::new(&weights, &Device::Cpu).unwrap();
        assert_eq!(number(&multiclass_loss(&logits, &first, Some(&weights)).unwrap()), 0.0);
        assert!(number(&multiclass_loss(&logits, &first, None).unwrap()) > 1.0);
    }

    #[test]
    fn labels_and_what_is_there_weigh_as_they_are_told_to() {
        let cpu = &Device::Cpu;
        let logits = Tensor::new(&[[0.3f64, -1.0], [2.0, 0.7]], cpu).unwrap();
        let labels = Tensor::new(&[[1f64, 0.0], [0.25, 1.0]], cpu).unwrap();
        let (there, weights) = ([3.0, 5.0], [0.5, 2.0]);
        let mut expected = 0.0;
        for (x, y, at) in [(0.3, 1.0, 0), (-1.0, 0.0, 1), (2.0, 0.25, 0), (0.7, 1.0, 1)] {
            let share: f64 = 1.0 / (1.0 + f64::exp(-x));
            let both = there[at] * y * share.ln() + (1.0 - y) * (1.0 - share).ln();
            expected -= weights[at] * both / 4.0;
        }
        let given = |numbers: [f64; 2]| Tensor::new(&numbers, cpu).unwrap();
        let (there, weights) = (given(there), given(weights));
        let found = multilabel_loss(&logits, &labels, Some(&there), Some(&weights)).unwrap();
        assert!((number(&found) - expected).abs() < 1e-14);
        assert!(multilabel_loss(&logits, &there, None, None).is_err());
    }
}
