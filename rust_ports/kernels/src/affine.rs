//! A dense layer that can be differentiated, in one operation.

use candle_core::{CpuStorage, CustomOp3, D, Layout, Shape, Tensor};
use gemm::Parallelism;
use rayon::prelude::*;

use crate::error::Result;
use crate::loops::{self, vectorized};
use crate::memory::{Matrix, Memory, contiguous, multiply};
use crate::product::{matrix, product};
use crate::real::Real;
use crate::{TASK, by_dtype, input_error, rows_a_task};

/// x Wᵀ + b: `x` is `[..., inputs]`, `weight` `[outputs, inputs]`, `bias` `[outputs]`, the
/// result `[..., outputs]`. All of it is float32 or float64 on the CPU.
///
/// As operations of candle's, the sum with the bias alone is six passes over a gradient of the
/// result's size, and each change of shape two.
pub fn affine(x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
    let (outputs, inputs) = weight.dims2()?;
    if x.dim(D::Minus1)? != inputs || bias.dims() != [outputs] {
        return Err(input_error!(
            "x has shape {:?}, weight {:?} and bias {:?}; they must be [..., inputs], \
             [outputs, inputs] and [outputs]",
            x.dims(),
            weight.dims(),
            bias.dims()
        ));
    }
    if x.elem_count() * weight.elem_count() == 0 {
        let shape = [&x.dims()[..x.rank() - 1], &[outputs]].concat();
        return Ok(bias.broadcast_as(shape)?);
    }
    Ok(x.contiguous()?.apply_op3(weight, &bias.contiguous()?, Affine)?)
}

struct Affine;

impl CustomOp3 for Affine {
    fn name(&self) -> &'static str {
        "affine"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let (x, weight) = ((x, x_layout), (weight, weight_layout));
        let result = match x.0 {
            CpuStorage::F64(_) => forward::<f64>(x, weight, (bias, bias_layout))?,
            _ => forward::<f32>(x, weight, (bias, bias_layout))?,
        };
        let mut shape = x_layout.dims().to_vec();
        shape.pop();
        shape.push(weight_layout.dims()[0]);
        Ok((result, shape.into()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _bias: &Tensor,
        _result: &Tensor,
        gradient: &Tensor,
    ) -> candle_core::Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let [of_x, of_weight, of_bias] =
            backward(x, weight, gradient).map_err(candle_core::Error::wrap)?;
        Ok((Some(of_x), Some(of_weight), Some(of_bias)))
    }
}

fn backward(x: &Tensor, weight: &Tensor, gradient: &Tensor) -> Result<[Tensor; 3]> {
    let (outputs, inputs) = weight.dims2()?;
    let rows = gradient.reshape(((), outputs))?;
    let of_x = product(&rows, &weight.detach())?.reshape(x.shape())?;
    let of_weight = product(&rows.t()?, &x.detach().reshape(((), inputs))?)?;
    Ok([of_x, of_weight, by_dtype!(rows, sum_of_rows(&rows))?])
}

fn forward<T: Real>(
    x: (&CpuStorage, &Layout),
    (weight, layout): (&CpuStorage, &Layout),
    bias: (&CpuStorage, &Layout),
) -> candle_core::Result<CpuStorage> {
    let (outputs, inputs) = layout.shape().dims2()?;
    let (x, bias) = (contiguous::<T>(x)?, contiguous::<T>(bias)?);
    let mut result = vec![T::zero(); x.len() / inputs * outputs];
    let weight = matrix(weight.as_slice::<T>()?, layout);
    let transposed = Matrix { row: weight.column, column: weight.row, ..weight };
    let rows = Matrix { start: x.as_ptr(), row: inputs, column: 1 };
    let threads = Parallelism::Rayon(rayon::current_num_threads());
    // SAFETY: a layout describes the memory of its tensor, whatever its strides; `x` is
    // contiguous, and `result` has a row for each of its rows.
    unsafe {
        let sizes = (x.len() / inputs, outputs, inputs);
        multiply(sizes, rows, transposed, (result.as_mut_ptr(), outputs), T::one(), threads);
    }
    let task = rows_a_task(outputs) * outputs;
    result.par_chunks_mut(task).for_each(|rows| loops::add_bias(rows, bias));
    Ok(T::to_cpu_storage_owned(result))
}

/// The sum of all rows of `x` `[rows, size]`, in float64 and in parts that do not depend on how
/// many threads there are, so that it is the same every time.
fn sum_of_rows<T: Real>(x: &Tensor) -> Result<Tensor> {
    let size = x.dim(1)?;
    let x = x.contiguous()?;
    let memory = Memory::of(&x);
    let parts: Vec<Vec<f64>> = memory
        .numbers::<T>()?
        .par_chunks((TASK * 4 / size).max(1) * size)
        .map(|rows| {
            let mut sums = vec![0.0; size];
            add_rows(rows, &mut sums);
            sums
        })
        .collect();
    let mut sums = vec![0.0; size];
    for part in &parts {
        sums.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
    }
    Ok(Tensor::from_vec(sums.into_iter().map(T::from_f64).collect(), size, x.device())?)
}

vectorized! {
    /// Adds each row of `rows` to `sums`.
    add_rows = rows_added(rows: &[T], sums: &mut [f64])
}

#[inline(always)]
fn rows_added<T: Real>(rows: &[T], sums: &mut [f64]) {
    for row in rows.chunks_exact(sums.len()) {
        for (sum, x) in sums.iter_mut().zip(row) {
            *sum += x.to_f64();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device, Var};

    fn plain(x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
        Ok(x.broadcast_matmul(&weight.t()?)?.broadcast_add(bias)?)
    }

    #[test]
    fn it_is_the_product_and_the_bias_and_so_are_its_gradients() {
        let draw = |shape: &[usize]| Tensor::randn(0f64, 1f64, shape, &Device::Cpu).unwrap();
        type Form = fn(&Tensor, &Tensor, &Tensor) -> Result<Tensor>;
        for (rows, inputs, outputs) in [(1, 1, 1), (3, 5, 7), (900, 20, 75)] {
            let of = [draw(&[2, rows, inputs]), draw(&[outputs, inputs]), draw(&[outputs])];
            let slope = draw(&[2, rows, outputs]);
            let run = |dtype: DType, form: Form| {
                let given = of
                    .each_ref()
                    .map(|x| Var::from_tensor(&x.to_dtype(dtype).unwrap()).unwrap());
                let result = form(&given[0], &given[1], &given[2]).unwrap();
                let loss = (&result * slope.to_dtype(dtype).unwrap()).unwrap();
                let store = loss.sum_all().unwrap().backward().unwrap();
                let gradients = given.iter().map(|of| store.get(of).unwrap().clone());
                gradients.chain([result.clone()]).collect::<Vec<_>>()
            };
            let truth = run(DType::F64, plain);
            for (dtype, bound) in [(DType::F64, 1e-12), (DType::F32, 1e-4)] {
                for (found, truth) in run(dtype, affine).iter().zip(&truth) {
                    assert_eq!(found.dims(), truth.dims());
                    let gap = (found.to_dtype(DType::F64).unwrap() - truth).unwrap();
                    let gap = gap.abs().unwrap().max_all().unwrap().to_scalar::<f64>().unwrap();
                    assert!(gap < bound, "{gap}");
                }
            }
        }
    }

    #[test]
    fn what_is_laid_out_otherwise_is_taken_as_it_is() {
        let draw = |shape: &[usize]| Tensor::randn(0f64, 1f64, shape, &Device::Cpu).unwrap();
        let (x, weight, bias) = (draw(&[5, 2, 3]), draw(&[3, 4]), draw(&[4]));
        let (x, weight) = (x.transpose(0, 1).unwrap(), weight.t().unwrap());
        let found = affine(&x, &weight, &bias).unwrap();
        let gap = (found - plain(&x.contiguous().unwrap(), &weight, &bias).unwrap()).unwrap();
        assert!(gap.abs().unwrap().max_all().unwrap().to_scalar::<f64>().unwrap() < 1e-14);
    }

    #[test]
    fn shapes_that_do_not_fit_are_refused() {
        let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap();
        assert!(affine(&zeros(&[2, 3]), &zeros(&[4, 2]), &zeros(&[4])).is_err());
        assert!(affine(&zeros(&[2, 3]), &zeros(&[4, 3]), &zeros(&[3])).is_err());
        let none = affine(&zeros(&[0, 3]), &zeros(&[4, 3]), &zeros(&[4])).unwrap();
        assert_eq!(none.dims(), [0, 4]);
    }
}
