//! The innermost loop of a dense layer: as many sums as the processor's registers hold.

use crate::tiles::TALL;

/// How many outputs a panel of the weight has.
pub const WIDE: usize = 2 * HALF;
/// How many half of it has.
pub const HALF: usize = 16;

/// What half a panel has of one input: a line of the cache, so that no load touches two.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub struct Line(pub [f32; HALF]);

/// The sums of a tile, in halves of a panel.
pub type Sums = [[[f32; HALF]; 2]; TALL];

/// The product of a tile `[inner, TALL]` and the halves of a panel, each `[inner, HALF]`.
pub fn plain_sums(tile: &[[f32; TALL]], panel: [&[Line]; 2]) -> Sums {
    let mut sums = [[[0f32; HALF]; 2]; TALL];
    for (half, lines) in panel.into_iter().enumerate() {
        for (column, Line(row)) in tile.iter().zip(lines) {
            for (sums, x) in sums.iter_mut().zip(column) {
                for (sum, weight) in sums[half].iter_mut().zip(row) {
                    *sum = x.mul_add(*weight, *sum);
                }
            }
        }
    }
    sums
}

/// [`plain_sums`], in twelve registers of eight numbers, one half after the other. The compiler
/// finds these instructions by itself, but only sometimes.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
#[inline]
pub fn sums_by_eight(tile: &[[f32; TALL]], panel: [&[Line]; 2]) -> Sums {
    use std::arch::x86_64::{
        _mm256_fmadd_ps, _mm256_load_ps, _mm256_set1_ps, _mm256_setzero_ps, _mm256_storeu_ps,
    };
    let mut result = [[[0f32; HALF]; 2]; TALL];
    for (half, lines) in panel.into_iter().enumerate() {
        let mut sums = [[_mm256_setzero_ps(); 2]; TALL];
        for (column, Line(row)) in tile.iter().zip(lines) {
            // SAFETY: a line has two registers, and lies as these do.
            let row =
                unsafe { [_mm256_load_ps(row.as_ptr()), _mm256_load_ps(row[8..].as_ptr())] };
            for (sums, x) in sums.iter_mut().zip(column) {
                let x = _mm256_set1_ps(*x);
                sums[0] = _mm256_fmadd_ps(x, row[0], sums[0]);
                sums[1] = _mm256_fmadd_ps(x, row[1], sums[1]);
            }
        }
        for (result, sums) in result.iter_mut().zip(sums) {
            // SAFETY: as above.
            unsafe {
                _mm256_storeu_ps(result[half].as_mut_ptr(), sums[0]);
                _mm256_storeu_ps(result[half][8..].as_mut_ptr(), sums[1]);
            }
        }
    }
    result
}

/// [`plain_sums`], in twelve registers of sixteen numbers.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
#[inline]
pub fn sums_by_sixteen(tile: &[[f32; TALL]], panel: [&[Line]; 2]) -> Sums {
    use std::arch::x86_64::{
        _mm512_fmadd_ps, _mm512_load_ps, _mm512_set1_ps, _mm512_setzero_ps, _mm512_storeu_ps,
    };
    let mut sums = [[_mm512_setzero_ps(); 2]; TALL];
    for (column, (first, second)) in tile.iter().zip(panel[0].iter().zip(panel[1])) {
        // SAFETY: a line is one register, and lies as it does.
        let row =
            unsafe { [_mm512_load_ps(first.0.as_ptr()), _mm512_load_ps(second.0.as_ptr())] };
        for (sums, x) in sums.iter_mut().zip(column) {
            let x = _mm512_set1_ps(*x);
            sums[0] = _mm512_fmadd_ps(x, row[0], sums[0]);
            sums[1] = _mm512_fmadd_ps(x, row[1], sums[1]);
        }
    }
    let mut result = [[[0f32; HALF]; 2]; TALL];
    for (result, sums) in result.iter_mut().zip(sums) {
        // SAFETY: as above.
        unsafe {
            _mm512_storeu_ps(result[0].as_mut_ptr(), sums[0]);
            _mm512_storeu_ps(result[1].as_mut_ptr(), sums[1]);
        }
    }
    result
}

/// Whether the processor has the instructions of [`sums_by_eight`].
pub fn usable() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// Whether it has those of [`sums_by_sixteen`].
#[cfg(target_arch = "x86_64")]
pub fn wide() -> bool {
    is_x86_feature_detected!("avx512f")
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
        let panel: Vec<Line> = (0..2 * 33)
            .map(|row| Line(std::array::from_fn(|column| number(row * HALF + column, 1.3))))
            .collect();
        let panel = [&panel[..33], &panel[33..]];
        if usable() {
            // SAFETY: the processor has what it was compiled for.
            assert_eq!(unsafe { sums_by_eight(&tile, panel) }, plain_sums(&tile, panel));
        }
        if wide() {
            // SAFETY: as above.
            assert_eq!(unsafe { sums_by_sixteen(&tile, panel) }, plain_sums(&tile, panel));
        }
    }
}
