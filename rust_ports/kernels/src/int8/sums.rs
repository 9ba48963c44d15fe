//! The innermost loop of a dense layer in eight bits.

use super::rounding::GROUP;
use crate::tiles::TALL;

/// How many inputs are multiplied at once.
pub const FOUR: usize = 4;
/// How many steps a group takes.
pub const STEPS: usize = GROUP / FOUR;
/// How many outputs a line has.
pub const OUTPUTS: usize = 16;
/// How many lines a step of a panel has.
pub const PANEL: usize = 2;
/// How many outputs a panel has.
pub const WIDE: usize = PANEL * OUTPUTS;

/// Four inputs of sixteen outputs, in a line of the cache.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub struct Line(pub [u8; OUTPUTS * FOUR]);

/// Rows, rounded: for each group and step four numbers of each row, for each group the scales,
/// and what its sum of products begins with.
#[derive(Debug, Clone, Copy)]
pub struct Tile<'a> {
    /// As unsigned numbers have the bits.
    pub numbers: &'a [[[u8; FOUR]; TALL]],
    pub scales: &'a [[f32; TALL]],
    pub starts: &'a [[i32; TALL]],
}

/// Outputs, rounded: for each group and step four numbers of each, plus 128, and for each group
/// the scales.
#[derive(Debug, Clone, Copy)]
pub struct Panel<'a> {
    pub numbers: &'a [Line],
    pub scales: &'a [[f32; WIDE]],
}

/// The products of a tile's rows and a panel's outputs.
pub fn plain_sums(tile: Tile, panel: Panel) -> [[f32; WIDE]; TALL] {
    let mut sums = [[0f32; WIDE]; TALL];
    let steps = tile.numbers.as_chunks::<STEPS>().0.iter();
    let lines = panel.numbers.as_chunks::<{ STEPS * PANEL }>().0;
    let groups = steps.zip(lines).zip(tile.starts.iter().zip(tile.scales)).zip(panel.scales);
    for (((steps, lines), (starts, scales)), output_scales) in groups {
        for (row, sums) in sums.iter_mut().enumerate() {
            let mut whole = [starts[row]; WIDE];
            for (step, lines) in steps.iter().zip(lines.as_chunks::<PANEL>().0) {
                let outputs = lines.iter().flat_map(|line| line.0.as_chunks::<FOUR>().0);
                for (whole, four) in whole.iter_mut().zip(outputs) {
                    let products = step[row].iter().zip(four);
                    *whole +=
                        products.map(|(x, y)| i32::from(*x as i8) * i32::from(*y)).sum::<i32>();
                }
            }
            for ((sum, whole), scale) in sums.iter_mut().zip(whole).zip(output_scales) {
                *sum = (whole as f32).mul_add(scale * scales[row], *sum);
            }
        }
    }
    sums
}

/// [`plain_sums`], by the instruction that adds four products to each of sixteen sums.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
#[inline]
pub fn fast_sums(tile: Tile, panel: Panel) -> [[f32; WIDE]; TALL] {
    use std::arch::x86_64::{
        _mm512_cvtepi32_ps, _mm512_dpbusd_epi32, _mm512_fmadd_ps, _mm512_load_si512,
        _mm512_loadu_ps, _mm512_mul_ps, _mm512_set1_epi32, _mm512_set1_ps, _mm512_setzero_ps,
        _mm512_setzero_si512, _mm512_storeu_ps,
    };
    let mut sums = [[_mm512_setzero_ps(); PANEL]; TALL];
    let steps = tile.numbers.as_chunks::<STEPS>().0.iter();
    let lines = panel.numbers.as_chunks::<{ STEPS * PANEL }>().0;
    let groups = steps.zip(lines).zip(tile.starts.iter().zip(tile.scales)).zip(panel.scales);
    for (((steps, lines), (starts, scales)), output_scales) in groups {
        let mut whole = [[_mm512_setzero_si512(); PANEL]; TALL];
        for (whole, start) in whole.iter_mut().zip(starts) {
            *whole = [_mm512_set1_epi32(*start); PANEL];
        }
        for (step, lines) in steps.iter().zip(lines.as_chunks::<PANEL>().0) {
            // SAFETY: a line is one register, and lies as one.
            let lines = unsafe {
                [
                    _mm512_load_si512(lines[0].0.as_ptr().cast()),
                    _mm512_load_si512(lines[1].0.as_ptr().cast()),
                ]
            };
            for (whole, four) in whole.iter_mut().zip(step) {
                let four = _mm512_set1_epi32(i32::from_ne_bytes(*four));
                whole[0] = _mm512_dpbusd_epi32(whole[0], lines[0], four);
                whole[1] = _mm512_dpbusd_epi32(whole[1], lines[1], four);
            }
        }
        // SAFETY: the scales of a panel fill its registers.
        let output_scales = unsafe {
            let first = output_scales.as_ptr();
            [_mm512_loadu_ps(first), _mm512_loadu_ps(first.add(OUTPUTS))]
        };
        for ((sums, whole), scale) in sums.iter_mut().zip(whole).zip(scales) {
            let scale = _mm512_set1_ps(*scale);
            for ((sum, whole), own) in sums.iter_mut().zip(whole).zip(output_scales) {
                let scale = _mm512_mul_ps(own, scale);
                *sum = _mm512_fmadd_ps(_mm512_cvtepi32_ps(whole), scale, *sum);
            }
        }
    }
    let mut result = [[0f32; WIDE]; TALL];
    for (result, sums) in result.iter_mut().zip(sums) {
        // SAFETY: as above.
        unsafe {
            _mm512_storeu_ps(result.as_mut_ptr(), sums[0]);
            _mm512_storeu_ps(result[OUTPUTS..].as_mut_ptr(), sums[1]);
        }
    }
    result
}

/// Whether the processor has the instructions of [`fast_sums`].
#[cfg(target_arch = "x86_64")]
pub fn usable() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vnni")
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;

    #[test]
    fn fast_sums_are_the_plain_ones() {
        const GROUPS: usize = 3;
        let number = |place: usize, step: usize| (place * step) % 255;
        let numbers: Vec<[[u8; FOUR]; TALL]> = (0..GROUPS * STEPS)
            .map(|place| {
                std::array::from_fn(|row| {
                    std::array::from_fn(|own| {
                        (number((place * TALL + row) * FOUR + own, 77) as i32 - 127) as u8
                    })
                })
            })
            .collect();
        let lines: Vec<Line> = (0..GROUPS * STEPS * PANEL)
            .map(|line| Line(std::array::from_fn(|x| 1 + number(line * 64 + x, 101) as u8)))
            .collect();
        let scale = |place: usize| 0.01 + (place as f32 * 0.7).sin().abs();
        let scales: Vec<[f32; TALL]> =
            (0..GROUPS).map(|g| std::array::from_fn(|row| scale(g * TALL + row))).collect();
        let starts = vec![[-12_800; TALL]; GROUPS];
        let output_scales: Vec<[f32; WIDE]> =
            (0..GROUPS).map(|g| std::array::from_fn(|own| scale(g * WIDE + own))).collect();
        let tile = Tile { numbers: &numbers, scales: &scales, starts: &starts };
        let panel = Panel { numbers: &lines, scales: &output_scales };
        if usable() {
            // SAFETY: the processor has what it was compiled for.
            assert_eq!(unsafe { fast_sums(tile, panel) }, plain_sums(tile, panel));
        }
    }
}
