//! A matrix product that can be differentiated and rounds off as little as the other kernels
//! do.

use candle_core::{CpuStorage, CustomOp2, DType, Layout, Shape, Tensor};
use gemm::Parallelism;

use crate::error::Result;
use crate::memory::{Matrix, multiply};
use crate::real::Real;

/// left right, for `[rows, inner]` and `[inner, columns]`: what `left.matmul(right)` computes,
/// from shorter sums.
///
/// candle's product is one sum over all of `inner`. The logits of a wide model are then off by
/// half as much again, and so are all its gradients; inference does not use it, and training
/// should not be the worse of the two.
pub fn product(left: &Tensor, right: &Tensor) -> Result<Tensor> {
    let here = left.device().is_cpu() && matches!(left.dtype(), DType::F32 | DType::F64);
    let fits =
        left.rank() == 2 && right.rank() == 2 && left.elem_count() * right.elem_count() > 0;
    match here && fits && left.dim(1)? == right.dim(0)? {
        true => Ok(left.apply_op2(right, Product)?),
        false => Ok(left.matmul(right)?),
    }
}

struct Product;

impl CustomOp2 for Product {
    fn name(&self) -> &'static str {
        "product"
    }

    fn cpu_fwd(
        &self,
        left: &CpuStorage,
        left_layout: &Layout,
        right: &CpuStorage,
        right_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let shape = (left_layout.dims()[0], right_layout.dims()[1]);
        let result = match left {
            CpuStorage::F64(_) => compute::<f64>(left, left_layout, right, right_layout)?,
            _ => compute::<f32>(left, left_layout, right, right_layout)?,
        };
        Ok((result, shape.into()))
    }

    fn bwd(
        &self,
        left: &Tensor,
        right: &Tensor,
        _result: &Tensor,
        gradient: &Tensor,
    ) -> candle_core::Result<(Option<Tensor>, Option<Tensor>)> {
        let of_left = gradient.apply_op2(&right.t()?, Product)?;
        let of_right = left.t()?.apply_op2(gradient, Product)?;
        Ok((Some(of_left), Some(of_right)))
    }
}

fn compute<T: Real>(
    left: &CpuStorage,
    left_layout: &Layout,
    right: &CpuStorage,
    right_layout: &Layout,
) -> candle_core::Result<CpuStorage> {
    let (rows, inner) = left_layout.shape().dims2()?;
    let (_, columns) = right_layout.shape().dims2()?;
    let mut result = vec![T::zero(); rows * columns];
    let threads = Parallelism::Rayon(rayon::current_num_threads());
    // SAFETY: a layout describes the memory of its tensor, whatever its strides; `result` is as
    // large as its shape.
    unsafe {
        multiply(
            (rows, columns, inner),
            matrix(left.as_slice::<T>()?, left_layout),
            matrix(right.as_slice::<T>()?, right_layout),
            (result.as_mut_ptr(), columns),
            T::one(),
            threads,
        )
    }
    Ok(T::to_cpu_storage_owned(result))
}

pub fn matrix<T>(numbers: &[T], layout: &Layout) -> Matrix<T> {
    Matrix {
        start: &numbers[layout.start_offset()],
        row: layout.stride()[0],
        column: layout.stride()[1],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{D, Device, Var};

    /// The root of the mean square of what `a` is off by.
    fn error(a: &Tensor, truth: &Tensor) -> f64 {
        let difference = (a.to_dtype(DType::F64).unwrap() - truth).unwrap();
        let squares = difference.sqr().unwrap().mean_all().unwrap();
        squares.to_scalar::<f64>().unwrap().sqrt()
    }

    #[test]
    fn it_is_closer_to_the_truth_than_one_long_sum_and_so_are_its_gradients() {
        let cpu = &Device::Cpu;
        let left = Tensor::randn(0f32, 1f32, (64, 768), cpu).unwrap();
        let right = Tensor::randn(0f32, 1f32, (500, 768), cpu).unwrap();
        let weight = Tensor::randn(0f64, 1f64, (64, 500), cpu).unwrap();
        type Form = fn(&Tensor, &Tensor) -> Result<Tensor>;
        let run = |dtype: DType, form: Form| {
            let left = Var::from_tensor(&left.to_dtype(dtype).unwrap()).unwrap();
            let right = Var::from_tensor(&right.to_dtype(dtype).unwrap()).unwrap();
            // A transposed view, as a dense layer has it.
            let result = form(&left, &right.t().unwrap()).unwrap();
            let loss = (&result * weight.to_dtype(dtype).unwrap()).unwrap();
            let loss = loss.sum(D::Minus1).unwrap().sum(D::Minus1).unwrap();
            let gradients = loss.backward().unwrap();
            [&left, &right]
                .map(|of| gradients.get(of).unwrap().clone())
                .into_iter()
                .chain([result])
                .collect::<Vec<_>>()
        };
        let candles: Form = |left, right| Ok(left.matmul(right)?);
        let truths = run(DType::F64, candles);
        let (ours, plain) = (run(DType::F32, product), run(DType::F32, candles));
        for ((ours, plain), truth) in ours.iter().zip(&plain).zip(&truths) {
            assert_eq!(ours.dims(), truth.dims());
            assert!(error(ours, truth) <= 1.01 * error(plain, truth));
        }
        assert!(error(&ours[2], &truths[2]) < 0.8 * error(&plain[2], &truths[2]));
        for (ours, truth) in run(DType::F64, product).iter().zip(&truths) {
            assert!(error(ours, truth) < 1e-12);
        }
    }

    #[test]
    fn shapes_that_do_not_fit_are_candles_to_refuse() {
        let matrix =
            |rows, columns| Tensor::zeros((rows, columns), DType::F32, &Device::Cpu).unwrap();
        assert!(product(&matrix(2, 3), &matrix(2, 3)).is_err());
        assert_eq!(product(&matrix(0, 3), &matrix(3, 4)).unwrap().dims(), [0, 4]);
    }
}
