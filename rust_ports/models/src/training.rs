//! Training on candle: gradients that are added up, clipped, and one step of AdamW.

use std::collections::BTreeSet;

use candle_core::Tensor;
use encoders_kernels::{self as kernels, input_error};

use crate::dropout::{Dropout, training_pass};
use crate::error::Result;
use crate::inputs::Inputs;
use crate::model::{Model, Way};
use crate::weights::Tensors;

/// The settings of AdamW (Loshchilov and Hutter 2019); [`adamw`] says what they do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamW {
    /// Of matrices; norms and biases do not decay.
    pub weight_decay: f64,
    /// How much of the moments stays from step to step.
    pub betas: (f64, f64),
    /// What keeps the step finite where the second moment is zero.
    pub epsilon: f64,
}

impl Default for AdamW {
    fn default() -> Self {
        Self { weight_decay: 0.01, betas: (0.9, 0.999), epsilon: 1e-8 }
    }
}

impl AdamW {
    /// Norms and biases are few and have to be where they are; only matrices are pulled towards
    /// zero.
    pub fn decay(&self, shape: &[usize]) -> f64 {
        if shape.len() > 1 { self.weight_decay } else { 0.0 }
    }

    /// What the moments are divided by at step 1, 2, ..., for they began at zero: the first
    /// moment, and the root of the second.
    pub fn corrections(&self, step: usize) -> (f64, f64) {
        let power = |beta: f64| 1.0 - beta.powf(step as f64);
        (power(self.betas.0), power(self.betas.1).sqrt())
    }
}

/// What gradients of that norm, all taken together, are multiplied by.
pub fn clipping(norm: f64, max_norm: Option<f64>) -> f64 {
    max_norm.map_or(1.0, |most| (most / (norm + 1e-6)).min(1.0))
}

/// The parameter and both moments after one step.
///
/// For a gradient g, and moments m and v that begin at zero:
///
/// ```text
/// p = p (1 - learning_rate decay)
/// m = beta1 m + (1 - beta1) g
/// v = beta2 v + (1 - beta2) g^2
/// p = p - learning_rate m / (1 - beta1^step) / (sqrt(v / (1 - beta2^step)) + epsilon)
/// ```
pub fn adamw(
    parameter: &Tensor,
    gradient: &Tensor,
    first: &Tensor,
    second: &Tensor,
    learning_rate: f64,
    step: usize,
    settings: &AdamW,
) -> Result<(Tensor, Tensor, Tensor)> {
    let (beta1, beta2) = settings.betas;
    let (first_correction, root) = settings.corrections(step);
    // (1) decay shrinks the parameter, whatever its gradient is
    let kept = 1.0 - learning_rate * settings.decay(parameter.dims());
    let (epsilon, stride) = (settings.epsilon, learning_rate / first_correction);
    if kernels::wanted([parameter, gradient, first, second]) {
        let follow = (1.0 - beta1, 1.0 - beta2);
        let step = kernels::Step { kept, follow, root, epsilon, stride };
        return kernels::adamw(parameter, gradient, first, second, step);
    }
    // (2) running means of the gradient and of its square
    let first = (first + ((gradient - first)? * (1.0 - beta1))?)?;
    let second = ((second * beta2)? + (gradient.sqr()? * (1.0 - beta2))?)?;
    // (3) one over the root of the other, corrected for their start
    let size = ((second.sqrt()? / root)? + epsilon)?;
    let parameter = ((parameter * kept)? - ((&first / size)? * stride)?)?;
    Ok((parameter, first, second))
}

/// The length of all gradients taken together.
pub fn gradient_norm<'a>(gradients: impl IntoIterator<Item = &'a Tensor>) -> Result<f64> {
    let mut squares = 0.0;
    for gradient in gradients {
        squares += match kernels::wanted([gradient]) {
            true => kernels::sum_of_squares(gradient)?,
            false => {
                gradient.sqr()?.sum_all()?.to_dtype(candle_core::DType::F64)?.to_scalar()?
            }
        };
    }
    Ok(squares.sqrt())
}

/// A model that learns. Gradients are added up until a step is taken along their sum.
#[derive(Debug, Clone)]
pub struct Learner {
    model: Model,
    settings: AdamW,
    frozen: BTreeSet<String>,
    steps: usize,
    gradients: Tensors,
    // Of the parameters that a gradient has reached.
    first: Tensors,
    second: Tensors,
}

impl Learner {
    /// It changes the parameters of the model, which shares them with its clones.
    pub fn new(model: Model, settings: AdamW) -> Self {
        let [gradients, first, second] = std::array::from_fn(|_| Tensors::new());
        let frozen = BTreeSet::new();
        Self { model, settings, frozen, steps: 0, gradients, first, second }
    }

    /// The parameters with these keys stay as they are from now on.
    pub fn freeze(&mut self, keys: impl IntoIterator<Item = String>) {
        self.frozen.extend(keys);
        self.gradients.retain(|key, _| !self.frozen.contains(key));
    }

    /// The model as it is now.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// So many steps were taken.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// The loss on the labels; its gradient, `weight` times, is added to what there is. With
    /// `class_weights` `[labels]`, classes weigh so much in a cross entropy. `dropout` says by
    /// which draws the model drops what its configuration has it drop; None: nothing.
    pub fn learn(
        &mut self,
        inputs: &Inputs,
        labels: &Tensor,
        weight: f64,
        dropout: Option<Dropout>,
        class_weights: Option<&Tensor>,
    ) -> Result<f64> {
        let reached = || self.model.reached_gradients(inputs, labels, class_weights);
        let (loss, gradients) = training_pass(dropout, inputs.cu_seqlens, reached)?;
        for (key, gradient) in gradients {
            self.collect(key, if weight == 1.0 { gradient } else { (gradient * weight)? })?;
        }
        Ok(loss)
    }

    /// One vector a packed text, as `way` says: `[texts, size]`; nothing is kept for a
    /// gradient.
    pub fn vectors(
        &self,
        inputs: &Inputs,
        way: &Way,
        dropout: Option<Dropout>,
    ) -> Result<Tensor> {
        training_pass(dropout, inputs.cu_seqlens, || self.model.vectors(inputs, way))
    }

    /// The gradient of sum(vectors * gradient) is added to what there is: whatever loss has
    /// this `gradient` in the vectors of these texts, its gradient in the parameters is that of
    /// the sum. `dropout` is that of the vectors.
    pub fn follow(
        &mut self,
        inputs: &Inputs,
        way: &Way,
        gradient: &Tensor,
        dropout: Option<Dropout>,
    ) -> Result<()> {
        let followed = || self.model.follow(inputs, way, gradient);
        let gradients = training_pass(dropout, inputs.cu_seqlens, followed)?;
        gradients.into_iter().try_for_each(|(key, gradient)| self.collect(key, gradient))
    }

    /// What is the gradient in one parameter is added to what there is: of a loss that is made
    /// outside of the model and uses that parameter.
    pub fn add(&mut self, key: &str, gradient: &Tensor) -> Result<()> {
        let known = self.model.state().find(|(known, _)| *known == key);
        let Some((_, parameter)) = known.filter(|(_, known)| known.dims() == gradient.dims())
        else {
            return Err(input_error!(
                "the model has no parameter {key} of shape {:?}",
                gradient.dims()
            ));
        };
        let gradient = gradient.to_dtype(parameter.dtype())?.to_device(parameter.device())?;
        self.collect(key.to_string(), gradient)
    }

    fn collect(&mut self, key: String, gradient: Tensor) -> Result<()> {
        if self.frozen.contains(&key) {
            return Ok(());
        }
        let sum = match self.gradients.get(&key) {
            Some(before) => (before + gradient)?,
            None => gradient,
        };
        self.gradients.insert(key, sum);
        Ok(())
    }

    /// One step of AdamW along the gradients, which are shortened to `max_norm` if all of them
    /// together are longer, and then forgotten. How long they were comes back.
    pub fn step(&mut self, learning_rate: f64, max_norm: Option<f64>) -> Result<f64> {
        let norm = gradient_norm(self.gradients.values())?;
        let scale = clipping(norm, max_norm);
        self.steps += 1;
        let mut changed = Tensors::new();
        for (key, parameter) in self.model.state() {
            let Some(gradient) = self.gradients.get(key) else { continue };
            let moments = (self.first.get(key), self.second.get(key));
            let (first, second) = match moments {
                (Some(first), Some(second)) => (first.clone(), second.clone()),
                // A gradient that is zero throughout has not reached the parameter.
                _ if gradient_norm([gradient])? == 0.0 => continue,
                _ => (parameter.zeros_like()?, parameter.zeros_like()?),
            };
            let gradient = if scale == 1.0 { gradient.clone() } else { (gradient * scale)? };
            let (parameter, first, second) = adamw(
                &parameter,
                &gradient,
                &first,
                &second,
                learning_rate,
                self.steps,
                &self.settings,
            )?;
            changed.insert(key.clone(), parameter);
            self.first.insert(key.clone(), first);
            self.second.insert(key.clone(), second);
        }
        self.forget();
        self.model.update(changed)?;
        Ok(norm)
    }

    /// Forgets the gradients; no step is taken.
    pub fn forget(&mut self) {
        self.gradients.clear();
    }

    /// AdamW's two moments of each parameter that a gradient has reached: `first.KEY` and
    /// `second.KEY`.
    pub fn moments(&self) -> Tensors {
        let named = |kind: &'static str, moments: &Tensors| {
            let named =
                |(key, tensor): (&String, &Tensor)| (format!("{kind}.{key}"), tensor.clone());
            moments.iter().map(named).collect::<Vec<_>>()
        };
        named("first", &self.first).into_iter().chain(named("second", &self.second)).collect()
    }

    /// Goes on as the learner did that took so many steps and had these moments.
    pub fn resume(&mut self, steps: usize, moments: Tensors) -> Result<()> {
        self.steps = steps;
        for (name, tensor) in moments {
            let (kind, key) = name.split_once('.').unwrap_or_default();
            let known = self.model.state().find(|(known, _)| *known == key);
            let Some((_, parameter)) = known.filter(|_| matches!(kind, "first" | "second"))
            else {
                return Err(input_error!("{name:?} is no moment of a parameter of this model"));
            };
            if tensor.dims() != parameter.dims() {
                return Err(input_error!(
                    "{name} has shape {:?}; the parameter has {:?}",
                    tensor.dims(),
                    parameter.dims()
                ));
            }
            let tensor = tensor.to_dtype(parameter.dtype())?.to_device(parameter.device())?;
            let moments = if kind == "first" { &mut self.first } else { &mut self.second };
            moments.insert(key.to_string(), tensor);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device, Tensor, Var};

    use super::{AdamW, adamw, gradient_norm};

    /// A variable is tracked, so that the plain form runs.
    fn tracked(x: &Tensor) -> Tensor {
        Var::from_tensor(x).unwrap().as_tensor().clone()
    }

    #[test]
    fn the_kernel_is_the_plain_form() {
        let draw = |shift: f64| {
            let x = Tensor::arange(0f64, 40_000., &Device::Cpu).unwrap();
            ((x * 0.7).unwrap() + shift).unwrap().sin().unwrap().reshape((200, 200)).unwrap()
        };
        let (parameter, gradient) = (draw(0.), draw(1.));
        let (first, second) = (draw(2.), draw(3.).sqr().unwrap());
        let settings = AdamW { weight_decay: 0.1, ..AdamW::default() };
        let step = |parameter: &Tensor| {
            adamw(parameter, &gradient, &first, &second, 0.01, 3, &settings).unwrap()
        };
        let (fast, plain) = (step(&parameter), step(&tracked(&parameter)));
        for (fast, plain) in [(fast.0, plain.0), (fast.1, plain.1), (fast.2, plain.2)] {
            let off = (fast - plain).unwrap().abs().unwrap().max_all().unwrap();
            assert!(off.to_scalar::<f64>().unwrap() < 1e-15);
        }
    }

    #[test]
    fn a_length_is_that_of_all_gradients() {
        let ones = Tensor::ones((3, 3), DType::F32, &Device::Cpu).unwrap();
        let fours = Tensor::full(4f32, 1, &Device::Cpu).unwrap();
        assert_eq!(gradient_norm([&ones, &fours]).unwrap(), 5.0);
        assert_eq!(gradient_norm([&tracked(&ones), &tracked(&fours)]).unwrap(), 5.0);
    }
}
