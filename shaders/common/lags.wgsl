#import logsumexp
// Scalings of plans whose kernels depend on the lag alone: sums over lags d of weight_d u_(i + d),
// with u in workgroup memory, and the steps of Sinkhorn's iteration that go with them. With LOGS
// all of these are natural logarithms: products are sums there, and sums log-sum-exps.

struct Params {
    first: u32,  // workgroup of this launch
    groups: u32, // in all
    frequencies: u32,
    frames: u32,
    width: u32, // lags that a row has room for
    iterations: u32,
    fresh: u32,   // 1: not from the scalings of the last launch
    law: u32,     // of the marginals: 0 fixed, 1 KL, 2 TV
    rho: f32,     // its strength over epsilon
    outlier: f32, // the weight of the outlier source for a tuple of frames
    sources: u32,
    microphones: u32,
}

var<immediate> params: Params;
@group(0) @binding(0) var<storage, read> columns: array<f32>; // (scenes, frequencies, microphones, frames)
@group(0) @binding(1) var<storage, read> masses: array<f32>; // (scenes, frequencies)
// (scene, count, lags, weights) for each kernel of each plan.
@group(0) @binding(2) var<storage, read> lags: array<f32>;
@group(0) @binding(3) var<storage, read_write> scalings: array<f32>; // (plans, frequencies, microphones, frames)
// (plans, frequencies, kernels x width + 4): the mass of every lag, then the account.
@group(0) @binding(4) var<storage, read_write> profiles: array<f32>;

const TINY: f32 = 1e-37;
#if LOGS
const ZERO: f32 = NOTHING;
const ONE: f32 = 0.0;
#else
const ZERO: f32 = 0.0;
const ONE: f32 = 1.0;
#end

var<workgroup> held: array<f32, {HELD}>;
var<workgroup> gathered: array<f32, {THREADS}>;

// The sum of a plain number over the workgroup, in every thread and in a fixed order.
fn gathered_sum(thread: u32, value: f32) -> f32 {
    gathered[thread] = value;
    workgroupBarrier();
    for (var width = {THREADS}u / 2u; width > 0u; width >>= 1u) {
        if thread < width {
            gathered[thread] += gathered[thread + width];
        }
        workgroupBarrier();
    }
    let sum = gathered[0];
    workgroupBarrier();
    return sum;
}

fn gathered_max(thread: u32, value: f32) -> f32 {
    gathered[thread] = value;
    workgroupBarrier();
    for (var width = {THREADS}u / 2u; width > 0u; width >>= 1u) {
        if thread < width {
            gathered[thread] = max(gathered[thread], gathered[thread + width]);
        }
        workgroupBarrier();
    }
    let most = gathered[0];
    workgroupBarrier();
    return most;
}

fn times(a: f32, b: f32) -> f32 {
#if LOGS
    return max(a + b, NOTHING);
#else
    return a * b;
#end
}

fn plus(a: f32, b: f32) -> f32 {
#if LOGS
    let peak = max(a, b);
    return peak + log(1.0 + exp(min(a, b) - peak));
#else
    return a + b;
#end
}

// A plain number from what is held.
fn plain(value: f32) -> f32 {
#if LOGS
    return exp(value);
#else
    return value;
#end
}

fn logarithm(value: f32) -> f32 {
#if LOGS
    return value;
#else
    return log(max(value, TINY));
#end
}

// The sum over lags of weight times what is held from `base` on, at i + sign * lag.
fn lagged(base: u32, row: u32, i: u32, sign: i32) -> f32 {
    let first = row + 2u;
    let end = first + u32(lags[row + 1u]);
#if LOGS
    var peak = NOTHING;
    for (var entry = first; entry < end; entry++) {
        let j = u32(i32(i) + sign * i32(lags[entry]));
        if j < params.frames {
            peak = max(peak, lags[entry + params.width] + held[base + j]);
        }
    }
    if peak < NEARLY_NOTHING {
        return NOTHING;
    }
    var sum = 0.0;
    for (var entry = first; entry < end; entry++) {
        let j = u32(i32(i) + sign * i32(lags[entry]));
        if j < params.frames {
            sum += exp(lags[entry + params.width] + held[base + j] - peak);
        }
    }
    return peak + log(sum);
#else
    var sum = 0.0;
    for (var entry = first; entry < end; entry++) {
        let j = u32(i32(i) + sign * i32(lags[entry]));
        if j < params.frames {
            sum = fma(lags[entry + params.width], held[base + j], sum);
        }
    }
    return sum;
#end
}

// The sum of all that is held from `base` on.
fn total(thread: u32, base: u32) -> f32 {
    var sum = 0.0;
#if LOGS
    var most = NOTHING;
    for (var i = thread; i < params.frames; i += {THREADS}u) {
        most = max(most, held[base + i]);
    }
    let peak = gathered_max(thread, most);
    for (var i = thread; i < params.frames; i += {THREADS}u) {
        sum += exp(held[base + i] - peak);
    }
    return peak + log(gathered_sum(thread, sum));
#else
    for (var i = thread; i < params.frames; i += {THREADS}u) {
        sum += held[base + i];
    }
    return gathered_sum(thread, sum);
#end
}

fn has_outlier() -> bool {
#if LOGS
    return params.outlier > NEARLY_NOTHING;
#else
    return params.outlier > 0.0;
#end
}

// The scaling that gives a frame of mass r what its law asks for, where all others make `seen`.
fn scaling(r: f32, seen: f32) -> f32 {
#if LOGS
    if seen < NEARLY_NOTHING {
        return 0.0; // nothing gets here: it does not matter
    }
    let ratio = select(NOTHING, log(r) - seen, r > 0.0);
    if params.law == 2u {
        return clamp(ratio, -params.rho, params.rho);
    }
    if params.law == 1u && r > 0.0 {
        return params.rho / (params.rho + 1.0) * ratio;
    }
    return ratio;
#else
    let ratio = r / max(seen, TINY);
    if params.law == 2u {
        return clamp(ratio, exp(-params.rho), exp(params.rho));
    }
    if params.law == 1u && r > 0.0 {
        return pow(ratio, params.rho / (params.rho + 1.0));
    }
    return ratio;
#end
}

// What a frame adds to the dual value over epsilon, to the distance of the marginal from where its
// law wants it, to the mass, and to the price of the marginal over epsilon.
fn account(r: f32, u: f32, seen: f32) -> vec4<f32> {
    let mass = plain(times(u, seen));
    let wanted = plain(times(scaling(r, seen), seen));
    var dual = 0.0;
    var price = 0.0;
    if r > 0.0 {
        dual = r * logarithm(u);
    }
    if params.law == 1u && r > 0.0 {
        dual = -params.rho * r * (exp(-logarithm(u) / params.rho) - 1.0);
        price = params.rho * (mass * log(max(mass, TINY) / r) - mass + r);
    }
    if params.law == 2u {
        price = params.rho * abs(mass - r);
    }
    return vec4<f32>(dual, abs(mass - wanted), mass, price);
}

fn gathered_account(thread: u32, value: vec4<f32>) -> vec4<f32> {
    return vec4<f32>(
        gathered_sum(thread, value.x),
        gathered_sum(thread, value.y),
        gathered_sum(thread, value.z),
        gathered_sum(thread, value.w),
    );
}

// Of sums over the microphones, the residual and the mass over one of them.
fn write_account(end: u32, share: f32, sums: vec4<f32>) {
    profiles[end] = share * (sums.x - sums.z);
    profiles[end + 1u] = share * sums.y;
    profiles[end + 2u] = share * sums.z;
    profiles[end + 3u] = share * sums.w;
}
