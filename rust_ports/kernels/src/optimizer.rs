//! AdamW in one pass over memory, and the length of a gradient.

use candle_core::Tensor;
use rayon::prelude::*;

use crate::error::Result;
use crate::memory::{Memory, check_shape};
use crate::real::Real;
use crate::{TASK, by_dtype};

/// What one step of AdamW does to every number of a tensor.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    /// The parameter is multiplied by it.
    pub kept: f64,
    /// By how much the moments follow the gradient and its square: 1 - beta.
    pub follow: (f64, f64),
    /// What the root of the second moment is divided by.
    pub root: f64,
    /// What is added to it then.
    pub epsilon: f64,
    /// How far the parameter goes against first / (root of second): the learning rate, and the
    /// correction of the first moment in it.
    pub stride: f64,
}

/// The parameter and both moments after a step; all are of one shape.
pub fn adamw(
    parameter: &Tensor,
    gradient: &Tensor,
    first: &Tensor,
    second: &Tensor,
    step: Step,
) -> Result<(Tensor, Tensor, Tensor)> {
    for (name, tensor) in [("gradient", gradient), ("first", first), ("second", second)] {
        check_shape(name, tensor, parameter.dims())?;
    }
    let gradient = gradient.contiguous()?;
    by_dtype!(parameter, adamw_of(parameter, &gradient, first, second, step))
}

fn adamw_of<T: Real>(
    parameter: &Tensor,
    gradient: &Tensor,
    first: &Tensor,
    second: &Tensor,
    step: Step,
) -> Result<(Tensor, Tensor, Tensor)> {
    let mut values = [parameter, first, second]
        .map(|tensor| Ok(Memory::of(tensor).numbers::<T>()?.to_vec()))
        .into_iter()
        .collect::<Result<Vec<_>>>()?;
    let gradient = Memory::of(gradient);
    let [p, m, v] = &mut values[..] else { unreachable!("there are three") };
    p.par_chunks_mut(TASK)
        .zip(m.par_chunks_mut(TASK))
        .zip(v.par_chunks_mut(TASK))
        .zip(gradient.numbers::<T>()?.par_chunks(TASK))
        .for_each(|(((p, m), v), g)| update(p, m, v, g, step));
    let mut tensors = values
        .into_iter()
        .map(|numbers| Tensor::from_vec(numbers, parameter.dims(), parameter.device()));
    let mut next = || tensors.next().expect("there are three");
    Ok((next()?, next()?, next()?))
}

fn update<T: Real>(p: &mut [T], m: &mut [T], v: &mut [T], g: &[T], step: Step) {
    let real = T::from_f64;
    let (kept, stride) = (real(step.kept), real(step.stride));
    let (follow_first, follow_second) = (real(step.follow.0), real(step.follow.1));
    let (stay, root, epsilon) =
        (real(1.0 - step.follow.1), real(step.root), real(step.epsilon));
    for (((p, m), v), &g) in p.iter_mut().zip(m).zip(v).zip(g) {
        *m += follow_first * (g - *m);
        *v = stay * *v + follow_second * g * g;
        *p = kept * *p - stride * (*m / (v.root() / root + epsilon));
    }
}

/// The sum of the squares of all numbers, added up in float64.
pub fn sum_of_squares(x: &Tensor) -> Result<f64> {
    let x = x.contiguous()?;
    by_dtype!(x, sum_of_squares_of(&x))
}

fn sum_of_squares_of<T: Real>(x: &Tensor) -> Result<f64> {
    let memory = Memory::of(x);
    let squares = |chunk: &[T]| chunk.iter().map(|x| x.to_f64().powi(2)).sum::<f64>();
    // The chunks are added in their order, so that the sum is the same every time.
    let sums: Vec<f64> = memory.numbers::<T>()?.par_chunks(TASK).map(squares).collect();
    Ok(sums.iter().sum())
}
