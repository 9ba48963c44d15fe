//! Loops over rows of numbers, written so that the compiler turns them into vector
//! instructions.
//!
//! Each loop is compiled three times on x86-64, for any processor, for one with AVX2 and for
//! one with AVX-512, and the choice is made at run time; elsewhere the baseline has the vectors
//! already. The numbers are the same whichever it is.

use crate::real::Real;

/// How many running sums or maxima a reduction keeps: enough to fill the widest vectors, and
/// with them the rounding error of a sum grows with a sixteenth of its length.
pub const LANES: usize = 16;

/// x Φ(x).
#[inline(always)]
pub fn gelu<T: Real>(x: T) -> T {
    let half = T::from_f64(0.5);
    half * x * (T::one() + (x * T::from_f64(std::f64::consts::FRAC_1_SQRT_2)).erf())
}

/// Combines the numbers of `row`, each first passed through `map`, in [`LANES`] strands and
/// then across them.
#[inline(always)]
pub fn reduce<T: Real>(
    row: &[T],
    start: T,
    map: impl Fn(T) -> T,
    combine: impl Fn(T, T) -> T,
) -> T {
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
    across(lanes, combine)
}

/// Combines what the strands hold.
#[inline(always)]
fn across<T: Real>(mut lanes: [T; LANES], combine: impl Fn(T, T) -> T) -> T {
    let mut width = LANES;
    while width > 1 {
        width /= 2;
        for lane in 0..width {
            lanes[lane] = combine(lanes[lane], lanes[lane + width]);
        }
    }
    lanes[0]
}

/// Makes `$name` run `$body`, compiled for the instruction sets that the processor has.
macro_rules! vectorized {
    ($(#[$doc:meta])* $name:ident = $body:ident($($argument:ident: $type:ty),*)) => {
        $(#[$doc])*
        pub fn $name<T: Real>($($argument: $type),*) {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq")]
                fn widest<T: Real>($($argument: $type),*) {
                    $body($($argument),*)
                }
                #[target_feature(enable = "avx2,fma")]
                fn wide<T: Real>($($argument: $type),*) {
                    $body($($argument),*)
                }
                if $crate::loops::has_widest() {
                    // SAFETY: the processor has what `widest` was compiled for.
                    return unsafe { widest($($argument),*) };
                }
                if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                    // SAFETY: the processor has what `wide` was compiled for.
                    return unsafe { wide($($argument),*) };
                }
            }
            $body($($argument),*)
        }
    };
}
pub(crate) use vectorized;

#[cfg(target_arch = "x86_64")]
#[inline]
pub fn has_widest() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
}

vectorized! {
    /// Adds `bias` to each row of `rows`.
    add_bias = bias_rows(rows: &mut [T], bias: &[T])
}

vectorized! {
    /// gelu(row + bias) for each row of `rows`.
    add_bias_gelu = bias_gelu_rows(rows: &mut [T], bias: &[T])
}

vectorized! {
    /// For each row of `rows`, with `bias` added, gelu(first half) times second half: a row of
    /// `result`.
    gelu_gate = gelu_gate_rows(rows: &[T], bias: &[T], result: &mut [T])
}

vectorized! {
    /// RoPE of one token's `heads`, in place; `cos` and `sin` are the token's.
    rope = rope_heads(heads: &mut [T], cos: &[T], sin: &[T])
}

vectorized! {
    /// Layer norm of row + dense_bias + residual, for each row of `rows`.
    add_norm = norm_rows(rows: &mut [T], residual: &[T], norm: &Norm<T>)
}

vectorized! {
    /// exp(row) over its sum, shifted by the largest, for each row of `rows` of length `keys`.
    /// A score whose `mask` is 0 becomes the smallest number first.
    softmax = softmax_rows(rows: &mut [T], keys: usize, mask: Option<&[u8]>)
}

#[inline(always)]
fn bias_rows<T: Real>(rows: &mut [T], bias: &[T]) {
    for row in rows.chunks_exact_mut(bias.len()) {
        for (x, b) in row.iter_mut().zip(bias) {
            *x += *b;
        }
    }
}

#[inline(always)]
fn bias_gelu_rows<T: Real>(rows: &mut [T], bias: &[T]) {
    for row in rows.chunks_exact_mut(bias.len()) {
        for (x, b) in row.iter_mut().zip(bias) {
            *x = gelu(*x + *b);
        }
    }
}

#[inline(always)]
fn gelu_gate_rows<T: Real>(rows: &[T], bias: &[T], result: &mut [T]) {
    let size = bias.len() / 2;
    let (wide_bias, gate_bias) = bias.split_at(size);
    for (row, result) in rows.chunks_exact(2 * size).zip(result.chunks_exact_mut(size)) {
        let (wide, gate) = row.split_at(size);
        let biases = wide_bias.iter().zip(gate_bias);
        for (((result, x), gate), (b, c)) in result.iter_mut().zip(wide).zip(gate).zip(biases) {
            *result = gelu(*x + *b) * (*gate + *c);
        }
    }
}

#[inline(always)]
fn rope_heads<T: Real>(heads: &mut [T], cos: &[T], sin: &[T]) {
    let pairs = cos.len() / 2;
    let ((cos_a, cos_b), (sin_a, sin_b)) = (cos.split_at(pairs), sin.split_at(pairs));
    for head in heads.chunks_exact_mut(2 * pairs) {
        let (first, second) = head.split_at_mut(pairs);
        for pair in 0..pairs {
            let (a, b) = (in_f32(first[pair]), in_f32(second[pair]));
            first[pair] = a * cos_a[pair] - b * sin_a[pair];
            second[pair] = b * cos_b[pair] + a * sin_b[pair];
        }
    }
}

/// Rounded to float32.
#[inline(always)]
fn in_f32<T: Real>(x: T) -> T {
    T::from_f64(f64::from(x.to_f64() as f32))
}

/// What a layer norm is made of, and the bias of the dense layer before it.
pub struct Norm<'a, T> {
    pub dense_bias: &'a [T],
    pub weight: &'a [T],
    pub bias: &'a [T],
    pub eps: f64,
}

/// In float64 throughout, whatever the rows are: the sums are short, and each number is rounded
/// once, at the end. The variance is of x - mean, in a pass of its own: the mean of squares
/// minus the squared mean would cancel.
#[inline(always)]
fn norm_rows<T: Real>(rows: &mut [T], residual: &[T], norm: &Norm<T>) {
    let size = norm.weight.len();
    let mut sums = vec![0f64; size];
    for (row, residual) in rows.chunks_exact_mut(size).zip(residual.chunks_exact(size)) {
        for (((sum, x), b), r) in sums.iter_mut().zip(&*row).zip(norm.dense_bias).zip(residual)
        {
            *sum = x.to_f64() + b.to_f64() + r.to_f64();
        }
        let mean = reduce(&sums, 0.0, |x| x, |a, b| a + b) / size as f64;
        let variance =
            reduce(&sums, 0.0, |x| (x - mean) * (x - mean), |a, b| a + b) / size as f64;
        let scale = 1.0 / (variance + norm.eps).sqrt();
        for (((x, sum), w), b) in row.iter_mut().zip(&sums).zip(norm.weight).zip(norm.bias) {
            *x = T::from_f64((sum - mean) * scale * w.to_f64() + b.to_f64());
        }
    }
}

#[inline(always)]
fn softmax_rows<T: Real>(rows: &mut [T], keys: usize, mask: Option<&[u8]>) {
    for row in rows.chunks_exact_mut(keys) {
        if let Some(mask) = mask {
            for (x, real) in row.iter_mut().zip(mask) {
                *x = if *real == 0 { T::smallest() } else { *x };
            }
        }
        let largest = reduce(row, T::smallest(), |x| x, |a, b| if b > a { b } else { a });
        let mut lanes = [T::zero(); LANES];
        let (chunks, rest) = row.as_chunks_mut::<LANES>();
        for chunk in chunks {
            for x in &mut *chunk {
                *x = (*x - largest).exp_of_negative();
            }
            for (lane, x) in lanes.iter_mut().zip(chunk) {
                *lane += *x;
            }
        }
        for (lane, x) in lanes.iter_mut().zip(rest) {
            *x = (*x - largest).exp_of_negative();
            *lane += *x;
        }
        let total = across(lanes, |a, b| a + b);
        for x in row.iter_mut() {
            *x /= total;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_of_any_length_are_whole() {
        for length in 0..70 {
            let row: Vec<f64> = (0..length).map(f64::from).collect();
            let sum = reduce(&row, 0.0, |x| x, |a, b| a + b);
            assert_eq!(sum, f64::from(length * (length - 1) / 2));
        }
    }

    #[test]
    fn a_row_that_is_masked_throughout_attends_evenly() {
        let mut row = vec![1f32, 5.0, -3.0, 0.0];
        softmax(&mut row, 4, Some(&[0, 0, 0, 0]));
        assert_eq!(row, [0.25; 4]);
        let mut row = vec![1f32, 5.0, f32::NAN, 0.0];
        softmax(&mut row, 4, Some(&[1, 0, 0, 1]));
        assert_eq!((row[1], row[2]), (0.0, 0.0));
        assert!((row[0] + row[3] - 1.0).abs() < 1e-6);
    }
}
