//! The innermost loop of a dense layer: as many sums as the processor's registers hold.

use crate::tiles::TALL;

/// How many outputs a panel of the weight has.
pub const WIDE: usize = 16;

/// What a panel has of one input: a line of the cache, so that no load touches two.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub struct Line(pub [f32; WIDE]);

/// The product of a tile `[inner, TALL]` and a panel `[inner, WIDE]`.
pub fn plain_sums(tile: &[[f32; TALL]], panel: &[Line]) -> [[f32; WIDE]; TALL] {
    let mut sums = [[0f32; WIDE]; TALL];
    for (column, Line(row)) in tile.iter().zip(panel) {
        for (sums, x) in sums.iter_mut().zip(column) {
            for (sum, weight) in sums.iter_mut().zip(row) {
                *sum = x.mul_add(*weight, *sum);
            }
        }
    }
    sums
}

/// [`plain_sums`], in twelve registers of eight numbers. The compiler finds these instructions
/// by itself, but only sometimes.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
#[inline]
pub fn fast_sums(tile: &[[f32; TALL]], panel: &[Line]) -> [[f32; WIDE]; TALL] {
    use std::arch::x86_64::{
        _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_set1_ps, _mm256_setzero_ps, _mm256_storeu_ps,
    };
    const HALF: usize = WIDE / 2;
    let mut sums = [[_mm256_setzero_ps(); 2]; TALL];
    for (column, Line(row)) in tile.iter().zip(panel) {
        // SAFETY: a row has two halves.
        let halves =
            unsafe { [_mm256_loadu_ps(row.as_ptr()), _mm256_loadu_ps(row[HALF..].as_ptr())] };
        for (sums, x) in sums.iter_mut().zip(column) {
            let x = _mm256_set1_ps(*x);
            sums[0] = _mm256_fmadd_ps(x, halves[0], sums[0]);
            sums[1] = _mm256_fmadd_ps(x, halves[1], sums[1]);
        }
    }
    let mut result = [[0f32; WIDE]; TALL];
    for (result, sums) in result.iter_mut().zip(sums) {
        // SAFETY: as above.
        unsafe {
            _mm256_storeu_ps(result.as_mut_ptr(), sums[0]);
            _mm256_storeu_ps(result[HALF..].as_mut_ptr(), sums[1]);
        }
    }
    result
}

/// Whether the processor has the instructions of [`fast_sums`].
pub fn usable() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;

    #[test]
    fn fast_sums_are_the_plain_ones() {
        let number = |number: usize, step: f32| (number as f32 * step).sin();
        let tile: Vec<[f32; TALL]> = (0..33)
            .map(|row| std::array::from_fn(|column| number(row * TALL + column, 0.7)))
            .collect();
        let panel: Vec<Line> = (0..33)
            .map(|row| Line(std::array::from_fn(|column| number(row * WIDE + column, 1.3))))
            .collect();
        if usable() {
            // SAFETY: the processor has what it was compiled for.
            assert_eq!(unsafe { fast_sums(&tile, &panel) }, plain_sums(&tile, &panel));
        }
    }
}
