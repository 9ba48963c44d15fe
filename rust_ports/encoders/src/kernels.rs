//! Loops over rows of numbers, written so that the compiler turns them into vector instructions.
//!
//! pulp compiles each loop for the instruction sets that the processor may have and picks one at run time.

use candle_core::WithDType;
use pulp::Arch;

/// How many running sums or maxima a reduction keeps: enough to fill the widest vectors, and with them the
/// rounding error of a sum grows with a sixteenth of its length.
const LANES: usize = 16;

/// float32 and float64, with the functions that they need beyond arithmetic.
pub trait Real: WithDType {
    /// exp(x) for x <= 0; below the smallest normal number it is 0.
    fn exp_of_negative(self) -> Self;
    fn erf(self) -> Self;
    fn root(self) -> Self;
    fn smallest() -> Self;
}

impl Real for f64 {
    fn exp_of_negative(self) -> Self {
        self.exp()
    }
    fn erf(self) -> Self {
        libm::erf(self)
    }
    fn root(self) -> Self {
        self.sqrt()
    }
    fn smallest() -> Self {
        f64::MIN
    }
}

impl Real for f32 {
    /// exp(x) = 2^n exp(f) with f = x - n ln 2, |f| <= ln 2 / 2; within 1 ulp (the tests measure it).
    #[inline(always)]
    fn exp_of_negative(self) -> Self {
        const LOWEST: f32 = -87.336_54; // ln of the smallest normal number
        // Adding 1.5 * 2^23 rounds to a whole number, whose bits then end the sum's.
        const ROUNDER: f32 = 12_582_912.0;
        let x = if self < LOWEST { LOWEST } else { self }; // a NaN stays one
        let rounded = x * std::f32::consts::LOG2_E + ROUNDER;
        let n = rounded - ROUNDER;
        let f = x - n * 0.693_145_75 - n * 1.428_606_8e-6; // ln 2 in two parts, so that n times the first is exact
        let mut p = 1.378_059_4e-3;
        for coefficient in [
            8.373_124_5e-3,
            4.166_953_6e-2,
            1.666_647_2e-1,
            4.999_998_5e-1,
            1.0,
            1.0,
        ] {
            p = p * f + coefficient;
        }
        let power = f32::from_bits((rounded.to_bits() << 23).wrapping_add(1.0f32.to_bits()));
        if self < LOWEST { 0.0 } else { p * power }
    }

    /// Two polynomials, in x near 0 and in the exponent of 1 - exp(.) beyond; within 2 ulp (the tests measure it).
    #[inline(always)]
    fn erf(self) -> Self {
        let (t, s) = (self.abs(), self * self);
        let mut near = -5.967_617e-4;
        for coefficient in [
            4.991_194_2e-3,
            -2.676_813_5e-2,
            1.128_199_2e-1,
            -3.761_253_4e-1,
            1.283_791_7e-1,
        ] {
            near = near * s + coefficient;
        }
        let near = near * self + self;
        let high = -1.728_534_7e-5 * t + 3.831_971_3e-4;
        let low = -3.883_964_4e-3 * t + 2.425_462_2e-2;
        let mut far = high * s + low;
        for coefficient in [-1.067_778_8e-1, -6.348_468_7e-1, -1.287_175_1e-1] {
            far = far * t + coefficient;
        }
        let far = 1.0 - (far * t - t).exp_of_negative();
        if t > 0.927_734_4 {
            far.copysign(self)
        } else {
            near
        }
    }
    #[inline(always)]
    fn root(self) -> Self {
        self.sqrt()
    }
    fn smallest() -> Self {
        f32::MIN
    }
}

/// x Φ(x).
#[inline(always)]
fn gelu<T: Real>(x: T) -> T {
    let half = T::from_f64(0.5);
    half * x * (T::one() + (x * T::from_f64(std::f64::consts::FRAC_1_SQRT_2)).erf())
}

/// Combines the numbers of `row`, each first passed through `map`, in [`LANES`] strands and then across them.
#[inline(always)]
fn reduce<T: Real>(row: &[T], start: T, map: impl Fn(T) -> T, combine: impl Fn(T, T) -> T) -> T {
    let mut lanes = [start; LANES];
    let (chunks, rest) = row.as_chunks::<LANES>();
    for chunk in chunks {
        for (lane, x) in lanes.iter_mut().zip(chunk) {
            *lane = combine(*lane, map(*x));
        }
    }
    for (lane, x) in lanes.iter_mut().zip(rest) {
        *lane = combine(*lane, map(*x));
    }
    let mut width = LANES;
    while width > 1 {
        width /= 2;
        for lane in 0..width {
            lanes[lane] = combine(lanes[lane], lanes[lane + width]);
        }
    }
    lanes[0]
}

/// Adds `bias` to each row of `rows`.
pub fn add_bias<T: Real>(rows: &mut [T], bias: &[T]) {
    Arch::new().dispatch(
        #[inline(always)]
        || {
            for row in rows.chunks_exact_mut(bias.len()) {
                for (x, b) in row.iter_mut().zip(bias) {
                    *x += *b;
                }
            }
        },
    );
}

/// gelu(row + bias) for each row of `rows`.
pub fn add_bias_gelu<T: Real>(rows: &mut [T], bias: &[T]) {
    Arch::new().dispatch(
        #[inline(always)]
        || {
            for row in rows.chunks_exact_mut(bias.len()) {
                for (x, b) in row.iter_mut().zip(bias) {
                    *x = gelu(*x + *b);
                }
            }
        },
    );
}

/// What a layer norm is made of, and the bias of the dense layer before it.
pub struct Norm<'a, T> {
    pub dense_bias: &'a [T],
    pub weight: &'a [T],
    pub bias: &'a [T],
    pub eps: T,
}

/// Layer norm of row + dense_bias + residual, for each row of `rows`. The variance is of x - mean, in a pass of its own:
/// the mean of squares minus the squared mean would cancel.
pub fn add_norm<T: Real>(rows: &mut [T], residual: &[T], norm: &Norm<T>) {
    let size = norm.weight.len();
    let count = T::from_f64(size as f64);
    Arch::new().dispatch(
        #[inline(always)]
        || {
            for (row, residual) in rows.chunks_exact_mut(size).zip(residual.chunks_exact(size)) {
                for ((x, b), r) in row.iter_mut().zip(norm.dense_bias).zip(residual) {
                    *x = (*x + *b) + *r;
                }
                let mean = reduce(row, T::zero(), |x| x, |a, b| a + b) / count;
                let square = |x: T| (x - mean) * (x - mean);
                let variance = reduce(row, T::zero(), square, |a, b| a + b) / count;
                let scale = T::one() / (variance + norm.eps).root();
                for ((x, w), b) in row.iter_mut().zip(norm.weight).zip(norm.bias) {
                    *x = (*x - mean) * scale * *w + *b;
                }
            }
        },
    );
}

/// exp(row) over its sum, shifted by the largest, for each row of `rows` of length `keys`. A score whose `mask` is 0 becomes
/// the smallest number first.
pub fn softmax<T: Real>(rows: &mut [T], keys: usize, mask: Option<&[u8]>) {
    Arch::new().dispatch(
        #[inline(always)]
        || {
            for row in rows.chunks_exact_mut(keys) {
                if let Some(mask) = mask {
                    for (x, real) in row.iter_mut().zip(mask) {
                        *x = if *real == 0 { T::smallest() } else { *x };
                    }
                }
                let largest = reduce(row, T::smallest(), |x| x, |a, b| if b > a { b } else { a });
                for x in row.iter_mut() {
                    *x = (*x - largest).exp_of_negative();
                }
                let share = T::one() / reduce(row, T::zero(), |x| x, |a, b| a + b);
                for x in row.iter_mut() {
                    *x *= share;
                }
            }
        },
    );
}
