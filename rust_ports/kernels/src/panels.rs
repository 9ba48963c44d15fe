//! Dense layers in float32 whose weight is laid out as a matrix product reads it.

mod sums;

use std::ops::Range;
use std::slice;

use candle_core::Tensor;
use rayon::prelude::*;

use crate::error::Result;
use crate::memory::{CHUNK, room};
use crate::tiles::{Finish, LaidOut, Place, TALL, Tiled};
use sums::{HALF, Line, Sums, WIDE, plain_sums, usable};

/// With fewer rows nothing is gained.
const LEAST_ROWS: usize = 4;
/// A weight with more numbers, as of a large vocabulary, is not kept twice.
const MOST_NUMBERS: usize = 1 << 24;

/// Room for the panels of a dense layer's weight, which must not change afterwards.
#[derive(Debug, Clone, Default)]
pub struct Panels(LaidOut<Packed>);

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
        let fits = outputs >= HALF && (1..=MOST_NUMBERS).contains(&(outputs * inputs));
        if !fits || x.len() < LEAST_ROWS * inputs || !usable() {
            return Ok(None);
        }
        self.0.product(weight, x, finish)
    }
}

#[derive(Debug)]
struct Packed {
    inputs: usize,
    outputs: usize,
    /// `[panels, 2, inputs]`, zeros where the last panel has no outputs.
    lines: Vec<Line>,
}

impl Tiled for Packed {
    const WIDE: usize = WIDE;
    /// `[tiles, inputs, TALL]`.
    type Tiles = Vec<[f32; TALL]>;

    fn of(rows: &[f32], inputs: usize, outputs: usize) -> Self {
        let size = outputs.div_ceil(WIDE) * 2 * inputs;
        let mut lines = room(size);
        lines.resize(size, Line([0.0; HALF]));
        let halves = lines.par_chunks_mut(inputs);
        halves.zip(rows.par_chunks(inputs * HALF)).for_each(|(half, rows)| {
            for (output, row) in rows.chunks_exact(inputs).enumerate() {
                half.iter_mut().zip(row).for_each(|(line, number)| line.0[output] = *number);
            }
        });
        Self { inputs, outputs, lines }
    }

    fn sizes(&self) -> (usize, usize) {
        (self.inputs, self.outputs)
    }

    fn lay_out(&self, rows: &[f32], tiles: &mut Self::Tiles) {
        let inputs = self.inputs;
        tiles.resize((rows.len() / inputs).div_ceil(TALL) * inputs, [0.0; TALL]);
        for (tile, rows) in tiles.chunks_exact_mut(inputs).zip(rows.chunks(TALL * inputs)) {
            let last = rows.len() / inputs - 1;
            let rows: [&[f32]; TALL] =
                std::array::from_fn(|row| &rows[row.min(last) * inputs..][..inputs]);
            for (number, column) in tile.iter_mut().enumerate() {
                *column = rows.map(|row| row[number]);
            }
        }
    }

    unsafe fn multiply(&self, tiles: &Self::Tiles, panels: Range<usize>, place: Place) {
        #[cfg(target_arch = "x86_64")]
        {
            type Tiles<'a> = &'a [[f32; TALL]];
            #[target_feature(enable = "avx512f")]
            unsafe fn wide(own: &Packed, tiles: Tiles, panels: Range<usize>, place: Place) {
                let sums =
                    |tile: Tiles, panel: [&[Line]; 2]| sums::sums_by_sixteen(tile, panel);
                // SAFETY: passed on from the caller.
                unsafe { own.multiply_with(tiles, panels, place, sums) }
            }
            #[target_feature(enable = "avx2,fma")]
            unsafe fn narrow(own: &Packed, tiles: Tiles, panels: Range<usize>, place: Place) {
                let sums = |tile: Tiles, panel: [&[Line]; 2]| sums::sums_by_eight(tile, panel);
                // SAFETY: passed on from the caller.
                unsafe { own.multiply_with(tiles, panels, place, sums) }
            }
            // SAFETY: the processor has what it was compiled for; the rest as above.
            if sums::wide() {
                return unsafe { wide(self, tiles, panels, place) };
            } else if usable() {
                return unsafe { narrow(self, tiles, panels, place) };
            }
        }
        // SAFETY: passed on from the caller.
        unsafe { self.multiply_with(tiles, panels, place, plain_sums) }
    }
}

impl Packed {
    /// [`Tiled::multiply`], as safe, by one of the two ways of `sums`: chunks of the inputs one
    /// after the other.
    #[inline(always)]
    unsafe fn multiply_with(
        &self,
        tiles: &[[f32; TALL]],
        panels: Range<usize>,
        place: Place,
        sums: impl Fn(&[[f32; TALL]], [&[Line]; 2]) -> Sums,
    ) {
        for first in (0..self.inputs).step_by(CHUNK) {
            let inner = CHUNK.min(self.inputs - first);
            for number in panels.clone() {
                let half =
                    |half| &self.lines[(number * 2 + half) * self.inputs + first..][..inner];
                let panel = [half(0), half(1)];
                let here = WIDE.min(self.outputs - number * WIDE);
                for (tile, row) in
                    tiles.chunks_exact(self.inputs).zip((0..place.rows).step_by(TALL))
                {
                    let sums = sums(&tile[first..][..inner], panel);
                    for (sums, row) in sums.iter().zip(row..place.rows) {
                        let sums = sums.as_flattened();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tiles::ROWS_AT_ONCE;
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
            let product =
                || panels.product(&weight, &numbers(&x), Finish::InPlace(&negated)).unwrap();
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
    fn panels_are_of_one_weight() {
        let weight = || random(32, 8);
        let panels = Panels::default();
        let product = |weight: &Tensor, rows: usize| {
            panels.product(weight, &vec![1.0; rows * 8], Finish::InPlace(&|_, _| ())).unwrap()
        };
        let own = weight();
        assert!(product(&own, LEAST_ROWS - 1).is_none());
        assert_eq!(product(&own, LEAST_ROWS).is_some(), usable());
        assert!(product(&weight(), LEAST_ROWS).is_none());
        let (panels, own) = (Panels::default(), random(4096, 256)); // many at once, at first
        let product =
            |_| panels.product(&own, &[1.0; 8 * 256], Finish::InPlace(&|_, _| ())).unwrap();
        assert!((0..64).into_par_iter().all(|task| product(task).is_some() == usable()));
    }
}
