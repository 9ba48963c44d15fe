//! Layer norm and the exact GELU behind it in one pass, and their gradients in another.

mod loops;

use candle_core::{CpuStorage, CustomOp3, D, Layout, Shape, Tensor};
use rayon::prelude::*;

use self::loops::{Wide, norm_gelu_gradient, norm_gelu_of};
use crate::error::Result;
use crate::memory::{Memory, check_shape, contiguous, copied};
use crate::norm::Norm;
use crate::real::Real;
use crate::{by_dtype, input_error, rows_a_task};

/// gelu(norm(x)), which can be differentiated: `x` is `[..., size]`, and so is the result. All
/// of it is float32 or float64 on the CPU.
///
/// candle takes some fifty passes over memory for what is two here.
pub fn norm_gelu(norm: Norm, x: &Tensor) -> Result<Tensor> {
    let size = norm.weight.elem_count();
    if x.dim(D::Minus1)? != size {
        return Err(input_error!("x has shape {:?}; its last axis must be {size}", x.dims()));
    }
    if let Some(bias) = norm.bias {
        check_shape("bias", bias, &[size])?;
    }
    let zeros = || norm.weight.zeros_like();
    let bias = norm.bias.map_or_else(zeros, |bias| Ok(bias.clone()))?;
    Ok(x.contiguous()?.apply_op3(norm.weight, &bias, NormGelu { eps: norm.eps })?)
}

struct NormGelu {
    eps: f64,
}

impl CustomOp3 for NormGelu {
    fn name(&self) -> &'static str {
        "norm-gelu"
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
        fn forward<T: Real>(
            x: (&CpuStorage, &Layout),
            weight: (&CpuStorage, &Layout),
            bias: (&CpuStorage, &Layout),
            eps: f64,
        ) -> candle_core::Result<CpuStorage> {
            let mut rows = copied(contiguous::<T>(x)?);
            let norm = Wide { weight: contiguous(weight)?, bias: contiguous(bias)?, eps };
            let task = rows_a_task(norm.weight.len()) * norm.weight.len();
            rows.par_chunks_mut(task).for_each(|rows| norm_gelu_of(rows, &norm));
            Ok(T::to_cpu_storage_owned(rows))
        }
        let (x, shape) = ((x, x_layout), x_layout.shape().clone());
        let (weight, bias) = ((weight, weight_layout), (bias, bias_layout));
        let result = match x.0 {
            CpuStorage::F64(_) => forward::<f64>(x, weight, bias, self.eps)?,
            _ => forward::<f32>(x, weight, bias, self.eps)?,
        };
        Ok((result, shape))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        _result: &Tensor,
        gradient: &Tensor,
    ) -> candle_core::Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let gradients = by_dtype!(x, backward(x, weight, bias, gradient, self.eps));
        let [x, weight, bias] = gradients.map_err(candle_core::Error::wrap)?;
        Ok((Some(x), Some(weight), Some(bias)))
    }
}

/// The gradients of x, of the weight and of the bias. Sums over the rows are taken in parts
/// that do not depend on how many threads there are, so that they are the same every time.
fn backward<T: Real>(
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    gradient: &Tensor,
    eps: f64,
) -> Result<[Tensor; 3]> {
    let gradient = gradient.contiguous()?;
    let mut rows = copied(Memory::of(&gradient).numbers::<T>()?);
    let (memory, weight, bias) = (Memory::of(x), Memory::of(weight), Memory::of(bias));
    let norm = Wide { weight: weight.numbers()?, bias: bias.numbers()?, eps };
    let size = norm.weight.len();
    let task = rows_a_task(size) * size;
    let parts: Vec<Vec<f64>> = rows
        .par_chunks_mut(task)
        .zip(memory.numbers::<T>()?.par_chunks(task))
        .map(|(rows, x)| {
            let mut sums = vec![0.0; 2 * size];
            norm_gelu_gradient(rows, x, &norm, &mut sums);
            sums
        })
        .collect();
    let mut sums = vec![0.0; 2 * size];
    for part in &parts {
        sums.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
    }
    let sums: Vec<T> = sums.into_iter().map(T::from_f64).collect();
    let (of_weight, of_bias) = sums.split_at(size);
    Ok([
        Tensor::from_vec(rows, x.shape(), x.device())?,
        Tensor::from_slice(of_weight, size, x.device())?,
        Tensor::from_slice(of_bias, size, x.device())?,
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device, Var};

    const EPS: f64 = 1e-5;

    /// In operations of candle's.
    fn plain(x: &Tensor, weight: &Tensor, bias: &Tensor) -> candle_core::Result<Tensor> {
        let centered = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
        let variance = centered.sqr()?.mean_keepdim(D::Minus1)?;
        let normed = centered.broadcast_div(&(variance + EPS)?.sqrt()?)?;
        let y = normed.broadcast_mul(weight)?.broadcast_add(bias)?;
        let below = ((&y / std::f64::consts::SQRT_2)?.erf()? + 1.0)?;
        (y * 0.5)? * below
    }

    fn fused(x: &Tensor, weight: &Tensor, bias: &Tensor) -> candle_core::Result<Tensor> {
        let norm = Norm { weight, bias: Some(bias), eps: EPS };
        norm_gelu(norm, x).map_err(candle_core::Error::wrap)
    }

    type Form = fn(&Tensor, &Tensor, &Tensor) -> candle_core::Result<Tensor>;

    /// What it gives, and the gradients of all three.
    fn run(of: &[Tensor; 3], slope: &Tensor, dtype: DType, form: Form) -> Vec<Tensor> {
        let given =
            of.each_ref().map(|x| Var::from_tensor(&x.to_dtype(dtype).unwrap()).unwrap());
        let result = form(&given[0], &given[1], &given[2]).unwrap();
        let loss = (&result * slope.to_dtype(dtype).unwrap()).unwrap().sum_all().unwrap();
        let store = loss.backward().unwrap();
        let gradients = given.iter().map(|of| store.get(of).unwrap().clone());
        gradients.chain([result.clone()]).collect()
    }

    fn off(a: &Tensor, b: &Tensor) -> f64 {
        assert_eq!(a.dims(), b.dims());
        let b = b.to_dtype(DType::F64).unwrap();
        let gap = (a.to_dtype(DType::F64).unwrap() - &b).unwrap().abs().unwrap();
        let largest = |x: &Tensor| x.max_all().unwrap().to_scalar::<f64>().unwrap();
        largest(&gap) / largest(&b.abs().unwrap())
    }

    #[test]
    fn it_is_the_norm_and_the_gelu_and_so_are_its_gradients() {
        let draw = |shape: &[usize]| Tensor::randn(0f64, 1f64, shape, &Device::Cpu).unwrap();
        // Sizes that fill vectors and sizes that do not; more rows than one task takes.
        for (rows, size) in [(3, 1), (5, 7), (7, 16), (4, 45), (1500, 24)] {
            let of = [draw(&[2, rows, size]), draw(&[size]), draw(&[size])];
            let slope = draw(&[2, rows, size]);
            let truth = run(&of, &slope, DType::F64, plain);
            for (found, truth) in run(&of, &slope, DType::F64, fused).iter().zip(&truth) {
                assert!(size == 1 || off(found, truth) < 1e-12, "{}", off(found, truth));
            }
            let parts = run(&of, &slope, DType::F32, fused);
            for (found, truth) in parts.iter().zip(&truth) {
                assert!(size == 1 || off(found, truth) < 2e-6, "{}", off(found, truth));
            }
        }
    }

    #[test]
    fn far_out_it_is_nothing_or_all() {
        let x = Var::new(&[[-90f32, 90.0]], &Device::Cpu).unwrap();
        let weight = Tensor::new(&[200f32, 200.0], &Device::Cpu).unwrap();
        let result = norm_gelu(Norm { weight: &weight, bias: None, eps: EPS }, &x).unwrap();
        assert_eq!(result.to_vec2::<f32>().unwrap(), [[0.0, 200.0]]);
        let store = result.sum_all().unwrap().backward().unwrap();
        let gradient = store.get(&x).unwrap().to_vec2::<f32>().unwrap();
        assert!(gradient[0].iter().all(|number| number.is_finite()));
    }

    #[test]
    fn shapes_that_do_not_fit_are_refused() {
        let x = Tensor::zeros((2, 3), DType::F32, &Device::Cpu).unwrap();
        let weight = Tensor::zeros(4, DType::F32, &Device::Cpu).unwrap();
        assert!(norm_gelu(Norm { weight: &weight, bias: None, eps: EPS }, &x).is_err());
        let (wide, narrow) = (Tensor::zeros((2, 4), DType::F32, &Device::Cpu).unwrap(), x);
        let bias = narrow.flatten_all().unwrap();
        assert!(
            norm_gelu(Norm { weight: &weight, bias: Some(&bias), eps: EPS }, &wide).is_err()
        );
        let none = Tensor::zeros((0, 4), DType::F32, &Device::Cpu).unwrap();
        let found = norm_gelu(Norm { weight: &weight, bias: None, eps: EPS }, &none).unwrap();
        assert_eq!(found.dims(), [0, 4]);
    }
}
