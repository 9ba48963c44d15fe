//! Dense layers in eight bits: weight and input in groups of [`GROUP`] numbers along the
//! inputs, each group as whole numbers from -127 to 127 and the scale of these.
//!
//! Products of whole numbers are exact, so that what is lost is lost in rounding: of the weight
//! once, and of each row of the input when it is multiplied.

mod rounding;
mod sums;

use std::ops::Range;

use candle_core::Tensor;
use rayon::prelude::*;

use crate::error::Result;
use crate::tiles::{Finish, LaidOut, Place, TALL, Tiled, product};
pub use rounding::GROUP;
use rounding::{in_groups, round};
#[cfg(target_arch = "x86_64")]
use sums::usable;
use sums::{FOUR, Line, OUTPUTS, PANEL, STEPS, WIDE, plain_sums};

/// Room for the rounded weight of a dense layer, which must not change afterwards.
#[derive(Debug, Clone, Default)]
pub struct Groups(LaidOut<Rounded>);

impl Groups {
    /// x Wᵀ, both rounded, finished, for contiguous `x` `[rows, inputs]` and `weight`
    /// `[outputs, inputs]`.
    pub(crate) fn product(
        &self,
        weight: &Tensor,
        x: &[f32],
        finish: Finish<f32>,
    ) -> Result<Vec<f32>> {
        if let Some(result) = self.0.product(weight, x, finish)? {
            return Ok(result);
        }
        let (outputs, inputs) = weight.dims2()?;
        let rows: Vec<f32> = weight.flatten_all()?.to_vec1()?;
        Ok(product(&Rounded::of(&rows, inputs, outputs), x, finish))
    }
}

/// A rounded weight. Outputs and inputs that there are not are zero.
#[derive(Debug)]
struct Rounded {
    inputs: usize,
    outputs: usize,
    /// `[panels, groups, STEPS, PANEL]`, each line four inputs of sixteen outputs, plus 128.
    numbers: Vec<Line>,
    /// `[panels, groups]`.
    scales: Vec<[f32; WIDE]>,
}

/// Rounded rows, laid out in tiles: for each tile and group what [`sums`] reads.
#[derive(Debug, Default)]
struct Tiles {
    /// `[tiles, groups, STEPS]`: of each row four numbers.
    numbers: Vec<[[u8; FOUR]; TALL]>,
    /// `[tiles, groups]`.
    scales: Vec<[f32; TALL]>,
    /// `[tiles, groups]`: -128 times the sum of the numbers, which takes back what was added to
    /// those of the weight.
    starts: Vec<[i32; TALL]>,
}

impl Tiled for Rounded {
    const WIDE: usize = WIDE;
    type Tiles = Tiles;

    fn of(rows: &[f32], inputs: usize, outputs: usize) -> Self {
        let (panels, groups) = (outputs.div_ceil(WIDE), inputs.div_ceil(GROUP));
        let mut numbers = vec![Line([128; OUTPUTS * FOUR]); panels * groups * STEPS * PANEL];
        let mut scales = vec![[0.0; WIDE]; panels * groups];
        numbers
            .par_chunks_mut(groups * STEPS * PANEL)
            .zip(scales.par_chunks_mut(groups))
            .zip(rows.par_chunks(inputs * WIDE))
            .for_each(|((numbers, scales), rows)| {
                for (output, row) in rows.chunks_exact(inputs).enumerate() {
                    for (number, group) in in_groups(row).enumerate() {
                        let (whole, scale) = round(&group);
                        scales[number][output] = scale;
                        for (step, four) in whole.as_chunks::<FOUR>().0.iter().enumerate() {
                            let line = (number * STEPS + step) * PANEL + output / OUTPUTS;
                            let places =
                                &mut numbers[line].0[output % OUTPUTS * FOUR..][..FOUR];
                            let shifted = four.map(|number| (i16::from(number) + 128) as u8);
                            places.copy_from_slice(&shifted);
                        }
                    }
                }
            });
        Self { inputs, outputs, numbers, scales }
    }

    fn sizes(&self) -> (usize, usize) {
        (self.inputs, self.outputs)
    }

    fn lay_out(&self, rows: &[f32], tiles: &mut Tiles) {
        #[cfg(target_arch = "x86_64")]
        {
            #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
            fn fast(own: &Rounded, rows: &[f32], tiles: &mut Tiles) {
                own.lay_out_here(rows, tiles);
            }
            if usable() {
                // SAFETY: the processor has what it was compiled for.
                return unsafe { fast(self, rows, tiles) };
            }
        }
        self.lay_out_here(rows, tiles);
    }

    unsafe fn multiply(&self, tiles: &Tiles, panels: Range<usize>, place: Place) {
        #[cfg(target_arch = "x86_64")]
        {
            #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
            unsafe fn fast(own: &Rounded, tiles: &Tiles, panels: Range<usize>, place: Place) {
                // SAFETY: passed on from the caller.
                unsafe {
                    own.multiply_with(tiles, panels, place, |tile, panel| {
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
        unsafe { self.multiply_with(tiles, panels, place, plain_sums) }
    }
}

impl Rounded {
    /// [`Tiled::lay_out`], by the instructions of whoever calls it.
    #[inline(always)]
    fn lay_out_here(&self, rows: &[f32], tiles: &mut Tiles) {
        let groups = self.inputs.div_ceil(GROUP);
        let size = (rows.len() / self.inputs).div_ceil(TALL) * groups;
        tiles.numbers.resize(size * STEPS, [[0; FOUR]; TALL]);
        tiles.scales.resize(size, [0.0; TALL]);
        tiles.starts.resize(size, [0; TALL]);
        for (place, row) in rows.chunks_exact(self.inputs).enumerate() {
            let first = place / TALL * groups;
            let place = place % TALL;
            for (number, group) in (first..).zip(in_groups(row)) {
                let (whole, scale) = round(&group);
                tiles.scales[number][place] = scale;
                tiles.starts[number][place] =
                    -128 * whole.iter().map(|x| i32::from(*x)).sum::<i32>();
                let steps = &mut tiles.numbers[number * STEPS..][..STEPS];
                for (step, four) in steps.iter_mut().zip(whole.as_chunks::<FOUR>().0) {
                    for (to, from) in step[place].iter_mut().zip(four) {
                        *to = *from as u8;
                    }
                }
            }
        }
    }

    /// [`Tiled::multiply`], as safe, by one of the two ways of `sums`.
    #[inline(always)]
    unsafe fn multiply_with(
        &self,
        tiles: &Tiles,
        panels: Range<usize>,
        place: Place,
        sums: impl Fn(sums::Tile, sums::Panel) -> [[f32; WIDE]; TALL],
    ) {
        let groups = self.inputs.div_ceil(GROUP);
        for number in panels {
            let panel = sums::Panel {
                numbers: &self.numbers[number * groups * STEPS * PANEL..]
                    [..groups * STEPS * PANEL],
                scales: &self.scales[number * groups..][..groups],
            };
            let here = WIDE.min(self.outputs - number * WIDE);
            for (tile, first) in (0..place.rows).step_by(TALL).enumerate() {
                let own = tile * groups..(tile + 1) * groups;
                let tile = sums::Tile {
                    numbers: &tiles.numbers[own.start * STEPS..own.end * STEPS],
                    scales: &tiles.scales[own.clone()],
                    starts: &tiles.starts[own],
                };
                for (sums, row) in sums(tile, panel).iter().zip(first..place.rows) {
                    let start = row * self.outputs + number * WIDE;
                    // SAFETY: passed on from the caller.
                    unsafe {
                        place.start.add(start).copy_from_nonoverlapping(sums.as_ptr(), here)
                    };
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

    /// The rows in float64, each group of numbers rounded.
    fn rounded(rows: &[f32], inputs: usize) -> Vec<Vec<f64>> {
        let row = |row: &[f32]| {
            let groups = in_groups(row).map(|group| round(&group));
            let numbers = groups.flat_map(|(whole, scale)| {
                whole.map(|number| f64::from(number) * f64::from(scale))
            });
            numbers.collect()
        };
        rows.chunks_exact(inputs).map(row).collect()
    }

    #[test]
    fn it_is_the_product_of_what_was_rounded() {
        let many = 2 * ROWS_AT_ONCE * rayon::current_num_threads();
        for (rows, inputs, outputs) in
            [(1, 7, 1), (4, 50, 500), (28, 384, 33), (64, 1536, 40), (many + 5, 200, 47)]
        {
            let random =
                |rows| Tensor::randn(0f32, 1f32, (rows, inputs), &Device::Cpu).unwrap();
            let numbers = |x: &Tensor| x.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            let (x, weight) = (random(rows), random(outputs));
            let negated = |_: usize, part: &mut [f32]| part.iter_mut().for_each(|x| *x *= -1.0);
            let groups = Groups::default();
            let found =
                groups.product(&weight, &numbers(&x), Finish::InPlace(&negated)).unwrap();
            assert_eq!(
                groups.product(&weight, &numbers(&x), Finish::InPlace(&negated)).unwrap(),
                found
            );
            // Of another weight it is as right, though it is laid out anew each time.
            let copy = weight.to_dtype(DType::F64).unwrap().to_dtype(DType::F32).unwrap();
            assert_eq!(
                groups.product(&copy, &numbers(&x), Finish::InPlace(&negated)).unwrap(),
                found
            );
            let (left, right) =
                (rounded(&numbers(&x), inputs), rounded(&numbers(&weight), inputs));
            for (row, found) in left.iter().zip(found.chunks_exact(outputs)) {
                for (output, found) in right.iter().zip(found) {
                    let terms = row.iter().zip(output).map(|(x, y)| x * y);
                    let most: f64 = terms.clone().map(f64::abs).sum();
                    let off = f64::from(-found) - terms.sum::<f64>();
                    // A rounding for the scale of each group, and one for each sum.
                    let groups = inputs.div_ceil(GROUP) as f64;
                    let bound = (groups + 2.0) * f64::from(f32::EPSILON) / 2.0 * most;
                    assert!(off.abs() <= bound, "{inputs} {outputs}: {off:e} over {bound:e}");
                }
            }
        }
    }
}
