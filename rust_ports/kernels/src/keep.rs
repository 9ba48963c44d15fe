//! Some numbers kept and multiplied, the others dropped.

use candle_core::{CpuStorage, CustomOp1, Layout, Shape, Tensor, WithDType};
use rayon::prelude::*;

use crate::error::Result;
use crate::memory::contiguous;
use crate::real::Real;
use crate::{TASK, input_error};

/// `x` times the factor where `kept` is 1, and times 0 where it is 0, which can be
/// differentiated. Each number of `kept` is that of as many neighbours in `x` `[...]` as there
/// are to it. `x` is float32 or float64 on the CPU.
pub fn keep(x: &Tensor, kept: Vec<u8>, factor: f64) -> Result<Tensor> {
    let (count, all) = (kept.len(), x.elem_count());
    if all == 0 {
        return Ok(x.clone());
    }
    if count == 0 || !all.is_multiple_of(count) {
        return Err(input_error!("kept has {count} numbers, which do not share {all} evenly"));
    }
    Ok(x.contiguous()?.apply_op1(Keep { kept, factor })?)
}

struct Keep {
    kept: Vec<u8>,
    factor: f64,
}

impl Keep {
    fn of<T: Real>(&self, x: &[T]) -> Vec<T> {
        let size = x.len() / self.kept.len();
        let factors = [T::zero(), T::from_f64(self.factor)];
        let factor = |kept: u8| factors[usize::from(kept != 0)];
        let mut result = vec![T::zero(); x.len()];
        let rows = (TASK / size).max(1);
        let tasks = result.par_chunks_mut(rows * size).zip(x.par_chunks(rows * size));
        tasks.zip(self.kept.par_chunks(rows)).for_each(|((result, x), kept)| {
            if size == 1 {
                for ((result, x), kept) in result.iter_mut().zip(x).zip(kept) {
                    *result = *x * factor(*kept);
                }
                return;
            }
            let rows = result.chunks_exact_mut(size).zip(x.chunks_exact(size)).zip(kept);
            for ((result, x), kept) in rows {
                let factor = factor(*kept);
                result.iter_mut().zip(x).for_each(|(result, x)| *result = *x * factor);
            }
        });
        result
    }
}

impl CustomOp1 for Keep {
    fn name(&self) -> &'static str {
        "keep"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let result = match x {
            CpuStorage::F64(_) => f64::to_cpu_storage_owned(self.of(contiguous((x, layout))?)),
            _ => f32::to_cpu_storage_owned(self.of(contiguous::<f32>((x, layout))?)),
        };
        Ok((result, layout.shape().clone()))
    }

    fn bwd(
        &self,
        _x: &Tensor,
        _result: &Tensor,
        gradient: &Tensor,
    ) -> candle_core::Result<Option<Tensor>> {
        let again = Keep { kept: self.kept.clone(), factor: self.factor };
        Ok(Some(gradient.contiguous()?.apply_op1(again)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device, Var};

    #[test]
    fn numbers_and_rows_are_kept_or_dropped_and_so_are_their_gradients() {
        let x = Var::new(&[[1f64, 2.0], [3.0, 4.0]], &Device::Cpu).unwrap();
        for (kept, expected) in [
            (vec![1, 0, 0, 1], [[3.0, 0.0], [0.0, 12.0]]),
            (vec![0, 1], [[0.0, 0.0], [9.0, 12.0]]),
        ] {
            let found = keep(&x, kept.clone(), 3.0).unwrap();
            assert_eq!(found.to_vec2::<f64>().unwrap(), expected);
            let slope = Tensor::new(&[[1f64, 1.0], [2.0, 2.0]], &Device::Cpu).unwrap();
            let loss = found * slope;
            let store = loss.unwrap().sum_all().unwrap().backward().unwrap();
            let gradient = store.get(&x).unwrap().to_vec2::<f64>().unwrap();
            for (row, numbers) in gradient.iter().enumerate() {
                for (column, number) in numbers.iter().enumerate() {
                    let is_kept = expected[row][column] > 0.0;
                    assert_eq!(*number, if is_kept { 3.0 * (row + 1) as f64 } else { 0.0 });
                }
            }
            let single = keep(&x.to_dtype(DType::F32).unwrap(), kept, 3.0).unwrap();
            let single = single.to_dtype(DType::F64).unwrap();
            assert_eq!(single.to_vec2::<f64>().unwrap(), expected);
        }
    }

    #[test]
    fn what_cannot_be_shared_evenly_is_refused() {
        let x = Tensor::zeros((2, 3), DType::F32, &Device::Cpu).unwrap();
        assert!(keep(&x, vec![1; 4], 1.0).is_err() && keep(&x, vec![], 1.0).is_err());
        let none = Tensor::zeros((0, 3), DType::F32, &Device::Cpu).unwrap();
        assert_eq!(keep(&none, vec![], 1.0).unwrap().dims(), [0, 3]);
    }
}
