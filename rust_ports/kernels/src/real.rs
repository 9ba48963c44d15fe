//! The numbers that the kernels compute in.

use candle_core::WithDType;

/// float32 and float64, with the functions that they need beyond arithmetic.
pub trait Real: WithDType {
    /// exp(x) for x <= 0; below the smallest normal number it is 0.
    fn exp_of_negative(self) -> Self;
    fn erf(self) -> Self;
    fn root(self) -> Self;
    fn smallest() -> Self;
}

impl Real for f64 {
    fn root(self) -> Self {
        self.sqrt()
    }
    fn exp_of_negative(self) -> Self {
        self.exp()
    }
    fn erf(self) -> Self {
        libm::erf(self)
    }
    fn smallest() -> Self {
        f64::MIN
    }
}

impl Real for f32 {
    #[inline(always)]
    fn root(self) -> Self {
        self.sqrt()
    }

    /// exp(x) = 2^n exp(f) with f = x - n ln 2, |f| <= ln 2 / 2; within 1 ulp (the tests
    /// measure it).
    #[inline(always)]
    fn exp_of_negative(self) -> Self {
        const LOWEST: f32 = -87.336_54; // ln of the smallest normal number
        // Adding 1.5 * 2^23 rounds to a whole number, whose bits then end the sum's.
        const ROUNDER: f32 = 12_582_912.0;
        let x = if self < LOWEST { LOWEST } else { self }; // a NaN stays one
        let rounded = x * std::f32::consts::LOG2_E + ROUNDER;
        let n = rounded - ROUNDER;
        // ln 2 in two parts, so that n times the first is exact.
        let f = x - n * 0.693_145_75 - n * 1.428_606_8e-6;
        let mut p = 1.378_059_4e-3;
        for coefficient in
            [8.373_124_5e-3, 4.166_953_6e-2, 1.666_647_2e-1, 4.999_998_5e-1, 1.0, 1.0]
        {
            p = p * f + coefficient;
        }
        let power = f32::from_bits((rounded.to_bits() << 23).wrapping_add(1.0f32.to_bits()));
        if self < LOWEST { 0.0 } else { p * power }
    }

    /// Two polynomials, in x near 0 and in the exponent of 1 - exp(.) beyond; within 2 ulp (the
    /// tests measure it).
    #[inline(always)]
    fn erf(self) -> Self {
        let (t, s) = (self.abs(), self * self);
        let mut near = -5.967_617e-4;
        for coefficient in
            [4.991_194_2e-3, -2.676_813_5e-2, 1.128_199_2e-1, -3.761_253_4e-1, 1.283_791_7e-1]
        {
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
        if t > 0.927_734_4 { far.copysign(self) } else { near }
    }
    fn smallest() -> Self {
        f32::MIN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The error of `x` in units of the last place of the float32 nearest to `exact`.
    fn ulps(x: f32, exact: f64) -> f64 {
        let nearest = (exact as f32).abs().max(f32::MIN_POSITIVE);
        let ulp = f64::from(f32::from_bits(nearest.to_bits() + 1)) - f64::from(nearest);
        (f64::from(x) - exact).abs() / ulp
    }

    /// Every float32 in a row from `from` to `to`, by steps of `step` representable numbers.
    fn sweep(from: f32, to: f32, step: u32, error: impl Fn(f32) -> f64) -> f64 {
        let bits = from.to_bits()..=to.to_bits();
        bits.step_by(step as usize).map(|bits| error(f32::from_bits(bits))).fold(0.0, f64::max)
    }

    #[test]
    fn exp_is_within_one_ulp_and_a_half() {
        let worst = sweep(-1e-8, -87.3, 997, |x| ulps(x.exp_of_negative(), f64::from(x).exp()));
        assert!(worst < 1.5, "{worst}");
        assert_eq!(0f32.exp_of_negative(), 1.0);
        assert_eq!((-88f32).exp_of_negative(), 0.0);
        assert_eq!(f32::MIN.exp_of_negative(), 0.0);
        assert_eq!(f32::NEG_INFINITY.exp_of_negative(), 0.0);
        assert!(f32::NAN.exp_of_negative().is_nan());
    }

    #[test]
    fn erf_is_within_two_ulp() {
        let worst = sweep(1e-30, 10.0, 997, |x| ulps(Real::erf(x), libm::erf(f64::from(x))));
        assert!(worst < 2.0, "{worst}");
        assert_eq!(Real::erf(-0.5f32), -Real::erf(0.5f32));
        assert_eq!(
            (Real::erf(0f32), Real::erf(f32::INFINITY), Real::erf(-9f32)),
            (0.0, 1.0, -1.0)
        );
        assert!(Real::erf(f32::NAN).is_nan());
    }

    #[test]
    fn float64_is_double_throughout() {
        assert_eq!((-1f64).exp_of_negative(), (-1f64).exp());
        assert!((Real::erf(0.3f64) - 0.328_626_759_459_127_4).abs() < 1e-16);
    }
}
