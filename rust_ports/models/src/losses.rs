//! The losses of the heads, chosen as Transformers chooses them.

use candle_core::{D, DType, Tensor};
use encoders_kernels::{config_error, input_error};

use crate::error::Result;
use crate::layers::relu;

/// The mean of -log softmax(logits)\[label\] over the labels that are not `ignore_index`; NaN
/// where none is left.
///
/// With `class_weights` `[labels]`, a label weighs in that mean as its class does. `logits` is
/// `[..., labels]`, `labels` `[...]` of dtype i64; the result is a scalar.
pub fn cross_entropy(
    logits: &Tensor,
    labels: &Tensor,
    ignore_index: i64,
    class_weights: Option<&Tensor>,
) -> Result<Tensor> {
    let classes = logits.dim(D::Minus1)?;
    if labels.dtype() != DType::I64 || labels.dims() != &logits.dims()[..logits.rank() - 1] {
        return Err(input_error!(
            "labels is {:?} of shape {:?}; for logits of shape {:?} it must be I64 of the same \
             shape without the last axis",
            labels.dtype(),
            labels.dims(),
            logits.dims()
        ));
    }
    // (1) labels that are to be ignored are left out
    let labels = labels.flatten_all()?.to_vec1::<i64>()?;
    let kept = places(&labels, |label| *label != ignore_index);
    let labels: Vec<i64> = labels.into_iter().filter(|label| *label != ignore_index).collect();
    if let Some(label) = labels.iter().find(|label| !(0..classes as i64).contains(*label)) {
        return Err(input_error!(
            "labels holds {label}; it must be {ignore_index} or lie between 0 and {}",
            classes - 1
        ));
    }
    if kept.is_empty() {
        return nothing(logits);
    }
    let kept = Tensor::new(kept, logits.device())?;
    let rows = logits.reshape(((), classes))?.index_select(&kept, 0)?;
    let labels = Tensor::new(labels, logits.device())?.unsqueeze(1)?;
    // (2) the log softmax at every right answer
    let chosen = log_softmax(&rows)?.gather(&labels, 1)?;
    // (3) the loss is their mean, in which classes may weigh
    let Some(weights) = class_weights else { return Ok(chosen.mean_all()?.neg()?) };
    if weights.dims() != [classes] {
        return Err(input_error!(
            "class_weights has shape {:?}; there are {classes} classes",
            weights.dims()
        ));
    }
    let weights = weights.to_dtype(logits.dtype())?.to_device(logits.device())?;
    let weights = weights.index_select(&labels.flatten_all()?, 0)?.unsqueeze(1)?;
    let total = (chosen * &weights)?.sum_all()?;
    Ok((total / weights.sum_all()?)?.neg()?)
}

/// The mean over independent yes-or-no questions, those with the label `ignore_index` left out,
/// in the form that no large logit overflows; NaN where none is left.
///
/// -y log σ(x) - (1 - y) log(1 - σ(x)) = max(x, 0) - x y + log(1 + exp(-|x|)).
/// `logits` and `labels` are of one shape and one floating dtype; the result is a scalar.
pub fn binary_cross_entropy(
    logits: &Tensor,
    labels: &Tensor,
    ignore_index: Option<f64>,
) -> Result<Tensor> {
    check_same_shape("logits", logits, labels)?;
    if let Some(ignored) = ignore_index {
        let flat = labels.flatten_all()?;
        let numbers = flat.to_dtype(DType::F64)?.to_vec1::<f64>()?;
        let kept = places(&numbers, |label| *label != ignored);
        if kept.is_empty() {
            return nothing(logits);
        }
        if kept.len() < numbers.len() {
            let kept = &Tensor::new(kept, logits.device())?;
            let those = |x: &Tensor| x.flatten_all()?.index_select(kept, 0);
            return binary_cross_entropy(&those(logits)?, &those(&flat)?, None);
        }
    }
    let small = logits.abs()?.neg()?.exp()?;
    let large = (relu(logits)? - (logits * labels)?)?;
    mean((large + log_one_plus(&small)?)?)
}

/// The mean of the squared differences.
///
/// `predictions` and `labels` are of one shape and one floating dtype; the result is a scalar.
pub fn mean_squared_error(predictions: &Tensor, labels: &Tensor) -> Result<Tensor> {
    check_same_shape("predictions", predictions, labels)?;
    mean((predictions - labels)?.sqr()?)
}

/// The loss that `problem_type` names; without one, the labels decide (Transformers'
/// `ForSequenceClassificationLoss`).
///
/// `logits` is `[batch, labels]`; `labels` holds i64 classes `[batch]`, or floats in the shape
/// of `logits`.
pub fn classification_loss(
    logits: &Tensor,
    labels: &Tensor,
    problem_type: Option<&str>,
    num_labels: usize,
) -> Result<Tensor> {
    let inferred = match (num_labels, labels.dtype()) {
        (1, _) => "regression",
        (_, DType::I64) => "single_label_classification",
        _ => "multi_label_classification",
    };
    let fitted = || -> Result<Tensor> {
        if labels.elem_count() != logits.elem_count() {
            check_same_shape("logits", logits, labels)?;
        }
        Ok(labels.to_dtype(logits.dtype())?.reshape(logits.shape())?)
    };
    match problem_type.unwrap_or(inferred) {
        "regression" => mean_squared_error(logits, &fitted()?),
        "single_label_classification" => {
            cross_entropy(logits, &labels.flatten_all()?, -100, None)
        }
        "multi_label_classification" => binary_cross_entropy(logits, &fitted()?, None),
        other => Err(config_error!("problem_type is {other:?}, which is not implemented")),
    }
}

/// Where the labels stand that are wanted.
fn places<T>(labels: &[T], wanted: impl Fn(&T) -> bool) -> Vec<i64> {
    let numbered = (0..).zip(labels);
    numbered.filter(|(_, label)| wanted(label)).map(|(place, _)| place).collect()
}

/// The mean over nothing, which is what Transformers gives. It is no function of the logits: no
/// gradient.
fn nothing(logits: &Tensor) -> Result<Tensor> {
    Ok((Tensor::zeros((), logits.dtype(), logits.device())? + f64::NAN)?)
}

/// x - log(sum(exp(x))) along the last axis, shifted by the largest so that nothing overflows.
fn log_softmax(logits: &Tensor) -> Result<Tensor> {
    let shifted = logits.broadcast_sub(&logits.max_keepdim(D::Minus1)?.detach())?;
    let total = shifted.exp()?.sum_keepdim(D::Minus1)?.log()?;
    Ok(shifted.broadcast_sub(&total)?)
}

/// The mean of all numbers, axis by axis: a sum in one go over all of them would round off
/// more.
pub(crate) fn mean(x: Tensor) -> Result<Tensor> {
    match x.rank() {
        0 => Ok(x),
        _ => mean(x.mean(D::Minus1)?),
    }
}

/// log(1 + x) that stays exact for a small x, whose digits the sum 1 + x rounds away.
pub(crate) fn log_one_plus(x: &Tensor) -> Result<Tensor> {
    let sum = (x + 1.0)?;
    let lost = (x - (&sum - 1.0)?)?;
    Ok((sum.log()? + (lost / sum)?)?)
}

fn check_same_shape(name: &str, values: &Tensor, labels: &Tensor) -> Result<()> {
    if values.dims() == labels.dims() {
        return Ok(());
    }
    Err(input_error!(
        "labels has shape {:?} but {name} {:?}; they must be equal",
        labels.dims(),
        values.dims()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    fn scalar(loss: Result<Tensor>) -> f64 {
        loss.unwrap().to_scalar().unwrap()
    }

    #[test]
    fn without_a_label_the_loss_is_nan_and_trains_nothing() {
        let logits = candle_core::Var::new(&[[1.0, 2.0, 3.0]], &Device::Cpu).unwrap();
        let labels = Tensor::new(&[-100i64], &Device::Cpu).unwrap();
        let loss = cross_entropy(&logits, &labels, -100, None).unwrap();
        let gradients = loss.backward().unwrap();
        assert!(loss.to_scalar::<f64>().unwrap().is_nan());
        assert!(gradients.get(&logits).is_none());
    }

    #[test]
    fn cross_entropy_leaves_ignored_labels_out() {
        let logits = Tensor::new(
            &[[1.0, 2.0, 3.0], [900.0, 0.0, -900.0], [0.0, 0.0, 0.0]],
            &Device::Cpu,
        )
        .unwrap();
        let labels = Tensor::new(&[2i64, -100, 1], &Device::Cpu).unwrap();
        let expected = ((1f64.exp() + 2f64.exp() + 3f64.exp()).ln() - 3.0 + 3f64.ln()) / 2.0;
        assert!((scalar(cross_entropy(&logits, &labels, -100, None)) - expected).abs() < 1e-15);
        let far = Tensor::new(&[-100i64, 2, -100], &Device::Cpu).unwrap();
        assert_eq!(scalar(cross_entropy(&logits, &far, -100, None)), 1800.0);
        let none = Tensor::new(&[-100i64, -100, -100], &Device::Cpu).unwrap();
        assert!(scalar(cross_entropy(&logits, &none, -100, None)).is_nan());
        for wrong in [3, -1] {
            let labels = Tensor::new(&[0i64, wrong, 1], &Device::Cpu).unwrap();
            assert!(cross_entropy(&logits, &labels, -100, None).is_err());
        }
    }

    #[test]
    fn classes_weigh_as_they_are_told_to() {
        let logits = Tensor::new(&[[1.0, 0.0], [0.0, 0.0], [5.0, 5.0]], &Device::Cpu).unwrap();
        let labels = Tensor::new(&[0i64, 1, -100], &Device::Cpu).unwrap();
        let weights = Tensor::new(&[3.0, 1.0], &Device::Cpu).unwrap();
        let expected = (3.0 * (-1f64).exp().ln_1p() + 2f64.ln()) / 4.0;
        let found = scalar(cross_entropy(&logits, &labels, -100, Some(&weights)));
        assert!((found - expected).abs() < 1e-15);
        let short = Tensor::new(&[3.0], &Device::Cpu).unwrap();
        assert!(cross_entropy(&logits, &labels, -100, Some(&short)).is_err());
    }

    #[test]
    fn binary_cross_entropy_keeps_its_digits_at_either_end() {
        let loss = |x: f32, y: f32| {
            let tensor = |number| Tensor::new(&[number], &Device::Cpu).unwrap();
            binary_cross_entropy(&tensor(x), &tensor(y), None)
                .unwrap()
                .to_scalar::<f32>()
                .unwrap()
        };
        assert_eq!(loss(1000.0, 0.0), 1000.0);
        assert_eq!(loss(-1000.0, 1.0), 1000.0);
        assert_eq!(loss(1000.0, 1.0), 0.0);
        let exact = (-20f64).exp().ln_1p() as f32;
        assert!((loss(20.0, 1.0) - exact).abs() < 1e-6 * exact);
    }

    #[test]
    fn binary_cross_entropy_leaves_ignored_labels_out() {
        let tensor = |numbers: &[f64]| Tensor::new(numbers, &Device::Cpu).unwrap();
        let logits =
            candle_core::Var::from_tensor(&tensor(&[1.0, f64::NEG_INFINITY, -2.0])).unwrap();
        let labels = tensor(&[1.0, -100.0, 0.0]);
        let loss = binary_cross_entropy(&logits, &labels, Some(-100.0)).unwrap();
        let expected = ((-1f64).exp().ln_1p() + (-2f64).exp().ln_1p()) / 2.0;
        assert!((loss.to_scalar::<f64>().unwrap() - expected).abs() < 1e-15);
        let store = loss.backward().unwrap();
        let gradient = store.get(&logits).unwrap().to_vec1::<f64>().unwrap();
        assert_eq!(gradient[1], 0.0, "of {gradient:?}");
        let none = tensor(&[-100.0; 3]);
        assert!(scalar(binary_cross_entropy(&logits, &none, Some(-100.0))).is_nan());
        let all = tensor(&[1.0, 0.0, 1.0]);
        let finite = tensor(&[1.0, 3.0, -2.0]);
        assert_eq!(
            scalar(binary_cross_entropy(&finite, &all, Some(-100.0))),
            scalar(binary_cross_entropy(&finite, &all, None))
        );
    }

    #[test]
    fn the_labels_choose_the_loss() {
        let logits = Tensor::new(&[[0.3, -0.2], [1.0, 2.0]], &Device::Cpu).unwrap();
        let classes = Tensor::new(&[0i64, 1], &Device::Cpu).unwrap();
        let targets = Tensor::new(&[[1.0, 0.0], [0.0, 1.0]], &Device::Cpu).unwrap();
        let chosen = |labels, problem| scalar(classification_loss(&logits, labels, problem, 2));
        assert_eq!(
            chosen(&classes, None),
            scalar(cross_entropy(&logits, &classes, -100, None))
        );
        assert_eq!(
            chosen(&targets, None),
            scalar(binary_cross_entropy(&logits, &targets, None))
        );
        assert_eq!(
            chosen(&targets, Some("regression")),
            scalar(mean_squared_error(&logits, &targets))
        );
        let one = logits.narrow(1, 0, 1).unwrap();
        let labels = Tensor::new(&[2i64, 3], &Device::Cpu).unwrap();
        assert!(
            (scalar(classification_loss(&one, &labels, None, 1))
                - (1.7f64.powi(2) + 4.0) / 2.0)
                .abs()
                < 1e-15
        );
        assert!(classification_loss(&logits, &targets, Some("ranking"), 2).is_err());
        assert!(classification_loss(&logits, &classes, Some("regression"), 2).is_err());
    }
}
