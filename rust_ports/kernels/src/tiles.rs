//! How a dense layer's weight is laid out once, and the tasks of its matrix products.
//!
//! A product sums up a tile of the result at a time, as many sums as the processor's registers
//! hold, and reads what it multiplies in the order in which it lies: of the weight, panels of
//! outputs, and of the input, tiles of rows. A general product lays both out anew each time.
//! For the few rows of a short text that takes as long as the sums.

use std::fmt::Debug;
use std::mem::MaybeUninit;
use std::ops::Range;
use std::slice;
use std::sync::{Arc, OnceLock};

use candle_core::{Tensor, TensorId};
use rayon::prelude::*;

use crate::error::Result;
use crate::memory::{Memory, room};
use crate::real::Real;
use crate::rows_a_task;

/// How many rows of the input a tile has.
pub(crate) const TALL: usize = 6;
/// So many rows are multiplied and finished at once where there are enough for every thread:
/// their numbers stay in the cache.
pub(crate) const ROWS_AT_ONCE: usize = 4 * TALL;
/// How many outputs a thread takes at once where there are few rows.
const OUTPUTS_AT_ONCE: usize = 64;

/// What becomes of rows of the product while they are in the cache.
#[derive(Clone, Copy)]
pub(crate) enum Finish<'a, T> {
    /// They are changed where they are; the first of them has this number.
    InPlace(&'a (dyn Fn(usize, &mut [T]) + Sync)),
    /// Of each is made a row of so many numbers.
    Into(usize, &'a (dyn Fn(&[T], &mut [T]) + Sync)),
}

/// The weight of a dense layer, laid out in panels.
pub(crate) trait Tiled: Sized + Sync {
    /// How many outputs a panel has.
    const WIDE: usize;
    /// Rows of the input, laid out.
    type Tiles: Default + Send + Sync;

    /// Of the weight `[outputs, inputs]`.
    fn of(weight: &[f32], inputs: usize, outputs: usize) -> Self;

    /// How many inputs and outputs the layer has.
    fn sizes(&self) -> (usize, usize);

    /// The rows `[rows, inputs]` in tiles. What the last one has no rows for may be anything.
    fn lay_out(&self, rows: &[f32], tiles: &mut Self::Tiles);

    /// Writes the products of all tiles with these panels.
    ///
    /// # Safety
    ///
    /// `place` must be valid for its rows, and nothing else may use these outputs of it.
    unsafe fn multiply(&self, tiles: &Self::Tiles, panels: Range<usize>, place: Place);

    fn panels(&self) -> usize {
        self.sizes().1.div_ceil(Self::WIDE)
    }
}

/// Where a product is written to: `[rows, outputs]`.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub start: *mut f32,
    pub rows: usize,
}
// SAFETY: `by_panels` lets each task write its own outputs.
unsafe impl Send for Place {}
unsafe impl Sync for Place {}

/// A number that is yet to be written.
type Room = MaybeUninit<f32>;

/// Room for what a dense layer's weight is laid out as, which is made when it is first wanted.
/// The weight must not change afterwards.
#[derive(Debug)]
pub(crate) struct LaidOut<W>(Arc<OnceLock<(TensorId, W)>>);

impl<W> Default for LaidOut<W> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<W> Clone for LaidOut<W> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<W: Tiled> LaidOut<W> {
    /// x Wᵀ, finished, for contiguous `x` `[rows, inputs]` and `weight` `[outputs, inputs]`;
    /// None where something else was laid out here, of another weight.
    pub fn product(
        &self,
        weight: &Tensor,
        x: &[f32],
        finish: Finish<f32>,
    ) -> Result<Option<Vec<f32>>> {
        let (outputs, inputs) = weight.dims2()?;
        let numbers = Memory::of(weight);
        let numbers = numbers.numbers()?;
        let (id, laid_out) = self.0.get().unwrap_or_else(|| {
            // Not within the lock: while it waits for its tasks, a worker may come here again.
            let laid_out = (weight.id(), W::of(numbers, inputs, outputs));
            self.0.get_or_init(|| laid_out)
        });
        Ok((*id == weight.id()).then(|| product(laid_out, x, finish)))
    }
}

/// x Wᵀ, finished, for contiguous `x` `[rows, inputs]`.
pub(crate) fn product<W: Tiled>(weight: &W, x: &[f32], finish: Finish<f32>) -> Vec<f32> {
    let (inputs, outputs) = weight.sizes();
    let rows = x.len() / inputs;
    if rows < 2 * ROWS_AT_ONCE * rayon::current_num_threads() {
        let result = filled(rows * outputs, |room| by_panels(weight, x, room));
        return finished(result, outputs, finish);
    }
    match finish {
        Finish::InPlace(change) => filled(rows * outputs, |result| {
            by_rows(weight, x, result, outputs, |tiles, number, rows, result| {
                // SAFETY: `result` has that many rows and is this task's alone.
                change(number, unsafe { multiplied(weight, tiles, rows, result) });
            })
        }),
        Finish::Into(size, make) => filled(rows * size, |result| {
            by_rows(weight, x, result, size, |tiles, _, rows, result| {
                let mut room = vec![Room::uninit(); rows * outputs];
                // SAFETY: as above, of `room`.
                make(unsafe { multiplied(weight, tiles, rows, &mut room) }, zeroed(result));
            })
        }),
    }
}

/// All rows `[rows, outputs]` finished, some at a time.
pub(crate) fn finished<T: Real>(mut rows: Vec<T>, outputs: usize, finish: Finish<T>) -> Vec<T> {
    let at_once = rows_a_task(outputs);
    match finish {
        Finish::InPlace(change) => {
            let parts = rows.par_chunks_mut(at_once * outputs).enumerate();
            parts.for_each(|(number, rows)| change(number * at_once, rows));
            rows
        }
        Finish::Into(size, make) => {
            let mut result = vec![T::zero(); rows.len() / outputs * size];
            let parts = result.par_chunks_mut(at_once * size);
            parts
                .zip(rows.par_chunks(at_once * outputs))
                .for_each(|(result, rows)| make(rows, result));
            result
        }
    }
}

/// So many numbers, all of which `write` has to write.
fn filled(size: usize, write: impl FnOnce(&mut [Room])) -> Vec<f32> {
    let mut result = room(size);
    write(&mut result.spare_capacity_mut()[..size]);
    // SAFETY: they are written.
    unsafe { result.set_len(size) };
    result
}

fn zeroed(room: &mut [Room]) -> &mut [f32] {
    room.fill(Room::new(0.0));
    // SAFETY: they are written.
    unsafe { slice::from_raw_parts_mut(room.as_mut_ptr().cast(), room.len()) }
}

/// Each task takes some of the rows: laid out, the number of the first and how many they are,
/// and where in `result`, `[rows, size]`, what becomes of them belongs.
fn by_rows<W: Tiled>(
    weight: &W,
    x: &[f32],
    result: &mut [Room],
    size: usize,
    task: impl Fn(&W::Tiles, usize, usize, &mut [Room]) + Sync,
) {
    let inputs = weight.sizes().0;
    let parts = result
        .par_chunks_mut(ROWS_AT_ONCE * size)
        .zip(x.par_chunks(ROWS_AT_ONCE * inputs))
        .enumerate();
    parts.for_each_init(W::Tiles::default, |tiles, (number, (result, x))| {
        weight.lay_out(x, tiles);
        task(tiles, number * ROWS_AT_ONCE, x.len() / inputs, result);
    });
}

/// The products of these rows with all of the weight.
///
/// # Safety
///
/// `place` must have room for them.
unsafe fn multiplied<'a, W: Tiled>(
    weight: &W,
    tiles: &W::Tiles,
    rows: usize,
    place: &'a mut [Room],
) -> &'a mut [f32] {
    let start = place.as_mut_ptr().cast();
    // SAFETY: passed on from the caller; every number is written before it is read.
    unsafe {
        weight.multiply(tiles, 0..weight.panels(), Place { start, rows });
        slice::from_raw_parts_mut(start, place.len())
    }
}

/// Each task takes some of the outputs.
fn by_panels<W: Tiled>(weight: &W, x: &[f32], result: &mut [Room]) {
    let mut tiles = W::Tiles::default();
    weight.lay_out(x, &mut tiles);
    let place = Place { start: result.as_mut_ptr().cast(), rows: x.len() / weight.sizes().0 };
    let at_once = OUTPUTS_AT_ONCE / W::WIDE;
    let tasks = (0..weight.panels().div_ceil(at_once)).into_par_iter();
    tasks.for_each(|number| {
        let first = number * at_once;
        let panels = first..weight.panels().min(first + at_once);
        // SAFETY: `result` has that many rows, and no other task these panels.
        unsafe { weight.multiply(&tiles, panels, place) }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each output is the first input plus its number.
    struct Shifted(usize, usize);

    impl Tiled for Shifted {
        const WIDE: usize = 16;
        type Tiles = Vec<f32>;

        fn of(_: &[f32], inputs: usize, outputs: usize) -> Self {
            Self(inputs, outputs)
        }

        fn sizes(&self) -> (usize, usize) {
            (self.0, self.1)
        }

        fn lay_out(&self, rows: &[f32], tiles: &mut Vec<f32>) {
            *tiles = rows.chunks(self.0).map(|row| row[0]).collect();
        }

        unsafe fn multiply(&self, tiles: &Vec<f32>, panels: Range<usize>, place: Place) {
            for (row, first) in tiles.iter().enumerate() {
                for output in panels.start * 16..(panels.end * 16).min(self.1) {
                    // SAFETY: within the rows.
                    unsafe {
                        *place.start.add(row * self.1 + output) = first + output as f32;
                    }
                }
            }
        }
    }

    #[test]
    fn every_row_is_written_and_finished_once_by_its_number() {
        let outputs = 37;
        for rows in [1, 5, 2 * ROWS_AT_ONCE * rayon::current_num_threads() + 7] {
            let x: Vec<f32> = (0..rows * 3).map(|number| number as f32).collect();
            let number = |first: usize, part: &mut [f32]| {
                for (row, numbers) in part.chunks_exact_mut(outputs).enumerate() {
                    numbers.iter_mut().for_each(|number| *number *= (first + row) as f32);
                }
            };
            let found = product(&Shifted(3, outputs), &x, Finish::InPlace(&number));
            let expected = (0..rows).flat_map(|row| {
                (0..outputs).map(move |output| (3 * row + output) as f32 * row as f32)
            });
            assert!(found.into_iter().eq(expected));
            let ends = |rows: &[f32], result: &mut [f32]| {
                for (row, ends) in rows.chunks(outputs).zip(result.chunks_mut(2)) {
                    ends.copy_from_slice(&[row[outputs - 1], row[0]]);
                }
            };
            let found = product(&Shifted(3, outputs), &x, Finish::Into(2, &ends));
            let expected = (0..rows).flat_map(|row| [3 * row + outputs - 1, 3 * row]);
            assert!(found.into_iter().eq(expected.map(|number| number as f32)));
        }
    }
}
