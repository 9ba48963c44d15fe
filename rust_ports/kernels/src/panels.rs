//! Dense layers whose weight is laid out once as a matrix product reads it.
//!
//! A product sums up a tile of the result at a time, as many sums as the processor's registers
//! hold, and reads what it multiplies in the order in which it lies: of the weight, panels of
//! WIDE outputs, and of the input, tiles of TALL rows. A general product lays both out anew
//! each time. For the few rows of a short text that takes as long as the sums.

mod sums;

use std::mem::MaybeUninit;
use std::ops::Range;
use std::slice;
use std::sync::{Arc, OnceLock};

use candle_core::{Tensor, TensorId};
use rayon::prelude::*;

use crate::error::Result;
use crate::loops::Real;
use crate::memory::{CHUNK, Memory};
use crate::rows_a_task;
use sums::{TALL, WIDE, plain_sums, usable};

/// With fewer rows nothing is gained.
const LEAST_ROWS: usize = 4;
/// So many rows are multiplied and finished at once where there are enough for every thread:
/// their numbers stay in the cache.
const ROWS_AT_ONCE: usize = 4 * TALL;
/// How many panels a thread takes at once where there are few rows.
const PANELS_AT_ONCE: usize = 4;
/// A weight with more numbers, as of a large vocabulary, is not kept twice.
const MOST_NUMBERS: usize = 1 << 24;

/// What becomes of rows of the product, of which the first has this number.
pub(crate) type Finish<'a, T> = &'a (dyn Fn(usize, &mut [T]) + Sync);

/// Room for the panels of a dense layer's weight, which are made when they are first wanted.
/// The weight must not change afterwards.
#[derive(Debug, Clone, Default)]
pub struct Panels(Arc<OnceLock<Packed>>);

impl Panels {
    /// x Wᵀ, finished, for contiguous `x` `[rows, inputs]` and `weight` `[outputs, inputs]`;
    /// None where nothing would be gained, and on processors for which nothing is written here.
    pub(crate) fn product(
        &self,
        weight: &Tensor,
        x: &[f32],
        finish: Finish<f32>,
    ) -> Result<Option<Vec<f32>>> {
        let (outputs, inputs) = weight.dims2()?;
        let fits = outputs >= WIDE && (1..=MOST_NUMBERS).contains(&(outputs * inputs));
        if !fits || x.len() < LEAST_ROWS * inputs || !usable() {
            return Ok(None);
        }
        let numbers = Memory::of(weight);
        let numbers = numbers.numbers()?;
        let packed = self.0.get().unwrap_or_else(|| {
            // Not within the lock: while it waits for its tasks, a worker may come here again.
            let packed = Packed::of(weight.id(), numbers, inputs, outputs);
            self.0.get_or_init(|| packed)
        });
        Ok((packed.weight == weight.id()).then(|| packed.product(x, finish)))
    }
}

/// Numbers of which there may be panels.
pub(crate) trait Panelled: Real {
    /// [`Panels::product`] of the numbers that it is for, None of others.
    fn by_panels(
        _panels: &Panels,
        _weight: &Tensor,
        _x: &[Self],
        _finish: Finish<Self>,
    ) -> Result<Option<Vec<Self>>> {
        Ok(None)
    }
}

impl Panelled for f64 {}

impl Panelled for f32 {
    fn by_panels(
        panels: &Panels,
        weight: &Tensor,
        x: &[f32],
        finish: Finish<f32>,
    ) -> Result<Option<Vec<f32>>> {
        panels.product(weight, x, finish)
    }
}

#[derive(Debug)]
struct Packed {
    weight: TensorId,
    inputs: usize,
    outputs: usize,
    /// `[panels, inputs, WIDE]`, zeros where the last panel has no outputs.
    numbers: Vec<f32>,
}

/// A number that is yet to be written.
type Room = MaybeUninit<f32>;

/// Where a product is written to: `[rows, outputs]`.
#[derive(Clone, Copy)]
struct Place {
    start: *mut f32,
    rows: usize,
}
// SAFETY: `Packed::by_panels` lets each task write its own outputs.
unsafe impl Send for Place {}
unsafe impl Sync for Place {}

impl Packed {
    fn of(weight: TensorId, rows: &[f32], inputs: usize, outputs: usize) -> Self {
        let mut numbers = vec![0.0; outputs.div_ceil(WIDE) * inputs * WIDE];
        let panels = numbers.par_chunks_mut(inputs * WIDE);
        panels.zip(rows.par_chunks(inputs * WIDE)).for_each(|(panel, rows)| {
            for (output, row) in rows.chunks_exact(inputs).enumerate() {
                let column = panel[output..].iter_mut().step_by(WIDE);
                column.zip(row).for_each(|(place, number)| *place = *number);
            }
        });
        Self { weight, inputs, outputs, numbers }
    }

    fn panels(&self) -> usize {
        self.outputs.div_ceil(WIDE)
    }

    fn product(&self, x: &[f32], finish: Finish<f32>) -> Vec<f32> {
        let rows = x.len() / self.inputs;
        let size = rows * self.outputs;
        let mut result = Vec::with_capacity(size);
        let room = &mut result.spare_capacity_mut()[..size];
        let few = rows < 2 * ROWS_AT_ONCE * rayon::current_num_threads();
        if few {
            self.by_panels(x, room);
        } else {
            self.by_rows(x, room, finish);
        }
        // SAFETY: both ways write every number.
        unsafe { result.set_len(size) };
        if few {
            let at_once = rows_a_task(self.outputs);
            let parts = result.par_chunks_mut(at_once * self.outputs).enumerate();
            parts.for_each(|(number, rows)| finish(number * at_once, rows));
        }
        result
    }

    /// Each task takes some of the rows.
    fn by_rows(&self, x: &[f32], result: &mut [Room], finish: Finish<f32>) {
        let parts = result
            .par_chunks_mut(ROWS_AT_ONCE * self.outputs)
            .zip(x.par_chunks(ROWS_AT_ONCE * self.inputs))
            .enumerate();
        parts.for_each_init(Vec::new, |tiles, (number, (result, x))| {
            lay_out(x, self.inputs, tiles);
            let start = result.as_mut_ptr().cast();
            // SAFETY: `result` has that many rows, is this task's alone, and is written first.
            let rows = unsafe {
                self.add(tiles, 0..self.panels(), Place { start, rows: x.len() / self.inputs });
                slice::from_raw_parts_mut(start, result.len())
            };
            finish(number * ROWS_AT_ONCE, rows);
        });
    }

    /// Each task takes some of the outputs.
    fn by_panels(&self, x: &[f32], result: &mut [Room]) {
        let mut tiles = Vec::new();
        lay_out(x, self.inputs, &mut tiles);
        let start = result.as_mut_ptr().cast();
        let place = Place { start, rows: x.len() / self.inputs };
        let tasks = (0..self.panels().div_ceil(PANELS_AT_ONCE)).into_par_iter();
        tasks.for_each(|number| {
            let first = number * PANELS_AT_ONCE;
            let panels = first..self.panels().min(first + PANELS_AT_ONCE);
            // SAFETY: `result` has that many rows, and no other task these panels.
            unsafe { self.add(&tiles, panels, place) }
        });
    }

    /// Writes the products of all tiles with these panels, of chunks of the inputs one after
    /// the other.
    ///
    /// # Safety
    ///
    /// `place` must be valid for its rows, and nothing else may use these outputs of it.
    unsafe fn add(&self, tiles: &[f32], panels: Range<usize>, place: Place) {
        #[cfg(target_arch = "x86_64")]
        {
            #[target_feature(enable = "avx2,fma")]
            unsafe fn fast(own: &Packed, tiles: &[f32], panels: Range<usize>, place: Place) {
                // SAFETY: passed on from the caller.
                unsafe {
                    own.add_with(tiles, panels, place, |tile, panel| {
                        sums::fast_sums(tile, panel)
                    })
                }
            }
            if usable() {
                // SAFETY: the processor has what it was compiled for; the rest as above.
                return unsafe { fast(self, tiles, panels, place) };
            }
        }
        // SAFETY: passed on from the caller.
        unsafe { self.add_with(tiles, panels, place, plain_sums) }
    }

    /// [`Packed::add`], as safe, by one of the two ways of `sums`.
    #[inline(always)]
    unsafe fn add_with(
        &self,
        tiles: &[f32],
        panels: Range<usize>,
        place: Place,
        sums: impl Fn(&[f32], &[f32]) -> [[f32; WIDE]; TALL],
    ) {
        for first in (0..self.inputs).step_by(CHUNK) {
            let inner = CHUNK.min(self.inputs - first);
            for number in panels.clone() {
                let panel =
                    &self.numbers[(number * self.inputs + first) * WIDE..][..inner * WIDE];
                let here = WIDE.min(self.outputs - number * WIDE);
                for (tile, row) in
                    tiles.chunks_exact(self.inputs * TALL).zip((0..place.rows).step_by(TALL))
                {
                    let sums = sums(&tile[first * TALL..][..inner * TALL], panel);
                    for (sums, row) in sums.iter().zip(row..place.rows) {
                        let start = row * self.outputs + number * WIDE;
                        // SAFETY: passed on from the caller; what is added to was written.
                        unsafe {
                            let place = place.start.add(start);
                            if first == 0 {
                                place.copy_from_nonoverlapping(sums.as_ptr(), here);
                            } else {
                                let place = slice::from_raw_parts_mut(place, here);
                                place
                                    .iter_mut()
                                    .zip(sums)
                                    .for_each(|(place, sum)| *place += sum);
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The rows `[rows, inputs]` as `tiles` `[.., inputs, TALL]`. What the last one has no rows for
/// is the last row again.
fn lay_out(rows: &[f32], inputs: usize, tiles: &mut Vec<f32>) {
    tiles.resize((rows.len() / inputs).div_ceil(TALL) * TALL * inputs, 0.0);
    for (tile, rows) in tiles.chunks_exact_mut(TALL * inputs).zip(rows.chunks(TALL * inputs)) {
        let last = rows.len() / inputs - 1;
        let rows: [&[f32]; TALL] =
            std::array::from_fn(|row| &rows[row.min(last) * inputs..][..inputs]);
        for (number, column) in tile.as_chunks_mut::<TALL>().0.iter_mut().enumerate() {
            *column = rows.map(|row| row[number]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};

    fn random(rows: usize, columns: usize) -> Tensor {
        Tensor::randn(0f32, 1f32, (rows, columns), &Device::Cpu).unwrap()
    }

    fn numbers(x: &Tensor) -> Vec<f32> {
        x.flatten_all().unwrap().to_vec1().unwrap()
    }

    /// The root of the mean square of what `found` is off by.
    fn error(found: &[f32], truth: &[f64]) -> f64 {
        let squares = found.iter().zip(truth).map(|(x, y)| (f64::from(*x) - y).powi(2));
        (squares.sum::<f64>() / truth.len() as f64).sqrt()
    }

    #[test]
    fn it_is_the_product_and_as_exact_as_the_other() {
        let many = 2 * ROWS_AT_ONCE * rayon::current_num_threads();
        for (rows, inputs, outputs) in [
            (4, 50, 500),
            (7, 384, 40),
            (28, 193, 100),
            (64, 768, 33),
            (many, 384, 64),
            (many + 5, 200, 47),
        ] {
            let (x, weight) = (random(rows, inputs), random(outputs, inputs));
            let panels = Panels::default();
            let negated = |_: usize, part: &mut [f32]| part.iter_mut().for_each(|x| *x *= -1.0);
            let product = || panels.product(&weight, &numbers(&x), &negated).unwrap();
            let Some(found) = product() else {
                assert!(!usable());
                return;
            };
            assert_eq!(product().unwrap(), found);
            let found: Vec<f32> = found.iter().map(|number| -number).collect();
            let other = numbers(&crate::product(&x, &weight.t().unwrap()).unwrap());
            let double = |tensor: &Tensor| tensor.to_dtype(DType::F64).unwrap();
            let truth = double(&x).matmul(&double(&weight).t().unwrap()).unwrap();
            let truth = truth.flatten_all().unwrap().to_vec1::<f64>().unwrap();
            let (own, other) = (error(&found, &truth), error(&other, &truth));
            assert!(own <= 1.1 * other, "{rows} {inputs} {outputs}: {own:e}, not {other:e}");
        }
    }

    #[test]
    fn rows_are_finished_once_and_by_their_number() {
        let outputs = 32;
        for rows in [5, 2 * ROWS_AT_ONCE * rayon::current_num_threads() + 7] {
            let number = |first: usize, part: &mut [f32]| {
                for (row, numbers) in part.chunks_exact_mut(outputs).enumerate() {
                    numbers.iter_mut().for_each(|number| *number += (first + row) as f32);
                }
            };
            let (x, weight) = (vec![0.0; rows * 8], random(outputs, 8));
            if let Some(found) = Panels::default().product(&weight, &x, &number).unwrap() {
                let expected = (0..rows).flat_map(|row| [row as f32; 32]);
                assert!(found.into_iter().eq(expected));
            }
        }
    }

    #[test]
    fn panels_are_of_one_weight() {
        let weight = || random(32, 8);
        let panels = Panels::default();
        let product = |weight: &Tensor, rows: usize| {
            panels.product(weight, &vec![1.0; rows * 8], &|_, _| ()).unwrap()
        };
        let own = weight();
        assert!(product(&own, LEAST_ROWS - 1).is_none());
        assert_eq!(product(&own, LEAST_ROWS).is_some(), usable());
        assert!(product(&weight(), LEAST_ROWS).is_none());
        let (panels, own) = (Panels::default(), random(4096, 256)); // many at once, at first
        let product = |_| panels.product(&own, &[1.0; 8 * 256], &|_, _| ()).unwrap();
        assert!((0..64).into_par_iter().all(|task| product(task).is_some() == usable()));
    }
}
