//! The two passes, row by row. Sums are taken in float64, as in the layer norm by itself.

use crate::loops::{LANES, gelu, reduce, vectorized};
use crate::real::Real;

/// What a layer norm is made of.
pub struct Wide<'a, T> {
    pub weight: &'a [T],
    pub bias: &'a [T],
    pub eps: f64,
}

vectorized! {
    /// gelu(norm(row)) for each row of `rows`, in place.
    norm_gelu_of = norm_gelu_rows(rows: &mut [T], norm: &Wide<T>)
}

vectorized! {
    /// From the gradient of what becomes of each row of `x`, that of the row, in place. Those
    /// of the weight and of the bias are added to `sums`.
    norm_gelu_gradient = gradient_rows(
        rows: &mut [T], x: &[T], norm: &Wide<T>, sums: &mut [f64]
    )
}

/// x - mean in `centered`; one over the standard deviation comes back. In float64, as the layer
/// norm by itself.
#[inline(always)]
fn center<T: Real>(x: &[T], centered: &mut [f64], eps: f64) -> f64 {
    for (wide, x) in centered.iter_mut().zip(x) {
        *wide = x.to_f64();
    }
    let count = x.len() as f64;
    let mean = reduce(centered, 0.0, |x| x, |a, b| a + b) / count;
    for x in &mut *centered {
        *x -= mean;
    }
    1.0 / (reduce(centered, 0.0, |x| x * x, |a, b| a + b) / count + eps).sqrt()
}

#[inline(always)]
fn norm_gelu_rows<T: Real>(rows: &mut [T], norm: &Wide<T>) {
    let size = norm.weight.len();
    let mut centered = vec![0f64; size];
    for row in rows.chunks_exact_mut(size) {
        let scale = center(row, &mut centered, norm.eps);
        for (((x, c), w), b) in row.iter_mut().zip(&centered).zip(norm.weight).zip(norm.bias) {
            *x = T::from_f64(c * scale * w.to_f64() + b.to_f64());
        }
        for x in row {
            *x = gelu(*x);
        }
    }
}

/// With n = (x - mean) / deviation, y = w n + b and d the gradient of n: that of x is
/// (d - mean(d) - n mean(d n)) / deviation.
#[inline(always)]
fn gradient_rows<T: Real>(rows: &mut [T], x: &[T], norm: &Wide<T>, sums: &mut [f64]) {
    let size = norm.weight.len();
    let (of_weight, of_bias) = sums.split_at_mut(size);
    let (mut normed, mut of_normed) = (vec![0f64; size], vec![0f64; size]);
    let mut scaled = vec![T::zero(); size];
    for (row, x) in rows.chunks_exact_mut(size).zip(x.chunks_exact(size)) {
        // Loops of one precision each, which the compiler turns into vectors; a closure it
        // might compile apart, for any processor.
        let scale = center(x, &mut normed, norm.eps);
        for n in &mut normed {
            *n *= scale;
        }
        for (((y, n), w), b) in scaled.iter_mut().zip(&normed).zip(norm.weight).zip(norm.bias) {
            *y = T::from_f64(n * w.to_f64() + b.to_f64());
        }
        for (g, y) in row.iter_mut().zip(&scaled) {
            *g *= slope(*y);
        }
        for ((d, g), b) in of_normed.iter_mut().zip(&*row).zip(&mut *of_bias) {
            *d = g.to_f64();
            *b += *d;
        }
        for ((d, n), w) in of_normed.iter().zip(&normed).zip(&mut *of_weight) {
            *w += d * n;
        }
        for (d, w) in of_normed.iter_mut().zip(norm.weight) {
            *d *= w.to_f64();
        }
        let mean = reduce(&of_normed, 0.0, |d| d, |a, b| a + b) / size as f64;
        let along = dot(&of_normed, &normed) / size as f64;
        for ((x, d), n) in row.iter_mut().zip(&of_normed).zip(&normed) {
            *x = T::from_f64((d - mean - n * along) * scale);
        }
    }
}

/// The derivative of x Φ(x): Φ(x) + x φ(x).
#[inline(always)]
fn slope<T: Real>(x: T) -> T {
    let half = T::from_f64(0.5);
    let below = half * (T::one() + (x * T::from_f64(std::f64::consts::FRAC_1_SQRT_2)).erf());
    let density = (T::zero() - half * x * x).exp_of_negative();
    below + x * density * T::from_f64(0.398_942_280_401_432_7)
}

#[inline(always)]
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut lanes = [0f64; LANES];
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (a, b) in a.iter().zip(b) {
        for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += a * b;
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    lanes.iter().sum::<f64>() + rest
}
