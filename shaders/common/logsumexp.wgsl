// Logarithms of sums of exponentials, as a peak and a sum relative to it; inside kernels in base 2.

// Stands for the logarithm of zero: WGSL has no infinities. Anything below NEARLY_NOTHING is one:
// far below every score that means something, far above a forbidden cost at a large epsilon.
const NOTHING: f32 = -1e30;
const NEARLY_NOTHING: f32 = -1e20;
const LOG2_E: f32 = 1.4426950408889634;
const LN_2: f32 = 0.6931471805599453;

struct LogSum {
    peak: f32,
    sum: f32,
}

fn join(a: LogSum, b: LogSum) -> LogSum {
    let peak = max(a.peak, b.peak);
    return LogSum(peak, a.sum * exp2(a.peak - peak) + b.sum * exp2(b.peak - peak));
}

// The natural logarithm.
fn natural(total: LogSum) -> f32 {
    let value = (total.peak + log2(total.sum)) * LN_2;
    return select(NOTHING, value, total.sum > 0.0 && value > NEARLY_NOTHING);
}
