#import index
#import lags
// Sinkhorn's iteration between the columns of two spectrograms at one frequency, which is what a
// workgroup takes, with a kernel that depends on the lag alone and is never stored as a matrix; and in
// the end the mass that goes over every lag. Scalings stay in workgroup memory all along.
// Arithmetic binds: two multiply-adds (LOGS: four exponentials) a lag, a frame and an iteration.

struct Params {
    first: u32,  // workgroup of this launch
    groups: u32, // in all
    frequencies: u32,
    frames: u32,
    width: u32,
    iterations: u32,
    fresh: u32, // 1: not from the scalings of the last launch
    law: u32,
    rho: f32,
    outlier: f32,
}

var<immediate> params: Params;
@group(0) @binding(0) var<storage, read> columns: array<f32>; // (scenes, frequencies, 2, frames)
@group(0) @binding(1) var<storage, read> masses: array<f32>; // (scenes, frequencies)
@group(0) @binding(2) var<storage, read> lags: array<f32>; // a row for each plan
@group(0) @binding(3) var<storage, read_write> scalings: array<f32>; // (plans, frequencies, 2, frames)
// (plans, frequencies, width + 4): the mass of every lag, then the account.
@group(0) @binding(4) var<storage, read_write> profiles: array<f32>;

// What the outlier source makes everywhere of the scalings held from `base` on.
fn background(thread: u32, base: u32) -> f32 {
    if has_outlier() {
        return times(params.outlier, total(thread, base));
    }
    return ZERO;
}

@compute @workgroup_size({THREADS})
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let group = params.first + flat_workgroup(workgroup, workgroups);
    if group >= params.groups {
        return;
    }
    let row = (group / params.frequencies) * (2u + 2u * params.width);
    let place = u32(lags[row]) * params.frequencies + group % params.frequencies;
    let share = masses[place];
    let count = u32(lags[row + 1u]);
    if count == 0u || share == 0.0 {
        return; // a plan at rest, or silence
    }
    let frames = params.frames;
    let here = 2u * place * frames;
    let there = here + frames;
    let state = 2u * group * frames;
    // Scalings of the first microphone are held from 0 on, those of the second from `frames`.
    for (var j = thread; j < frames; j += {THREADS}u) {
        held[frames + j] = ONE;
        if params.fresh == 0u {
            held[frames + j] = scalings[state + frames + j];
        }
    }
    workgroupBarrier();
    for (var iteration = 0u; iteration < params.iterations; iteration++) {
        let behind = background(thread, frames);
        for (var i = thread; i < frames; i += {THREADS}u) {
            held[i] = scaling(columns[here + i], plus(lagged(frames, row, i, 1), behind));
        }
        workgroupBarrier();
        let ahead = background(thread, 0u);
        for (var j = thread; j < frames; j += {THREADS}u) {
            held[frames + j] = scaling(columns[there + j], plus(lagged(0u, row, j, -1), ahead));
        }
        workgroupBarrier();
    }
    for (var i = thread; i < 2u * frames; i += {THREADS}u) {
        scalings[state + i] = held[i];
    }

    let behind = background(thread, frames);
    let ahead = background(thread, 0u);
    var first = vec4<f32>(0.0);
    var second = vec4<f32>(0.0);
    for (var i = thread; i < frames; i += {THREADS}u) {
        first += account(columns[here + i], held[i], plus(lagged(frames, row, i, 1), behind));
        second += account(columns[there + i], held[frames + i], plus(lagged(0u, row, i, -1), ahead));
    }
    let rows = gathered_account(thread, first);
    let cols = gathered_account(thread, second);
    let out = group * (params.width + 4u);
    if thread == 0u {
        // Of a plan that is not done, the mass that the columns see is right.
        profiles[out + params.width] = share * (rows.x + cols.x - cols.z);
        profiles[out + params.width + 1u] = share * rows.y;
        profiles[out + params.width + 2u] = share * cols.z;
        profiles[out + params.width + 3u] = share * (rows.w + cols.w);
    }
    for (var entry = thread; entry < count; entry += {THREADS}u) {
        let lag = i32(lags[row + 2u + entry]);
        let weight = lags[row + 2u + params.width + entry];
        var sum = 0.0;
        for (var i = 0u; i < frames; i++) {
            let j = u32(i32(i) + lag);
            if j < frames {
                sum += plain(times(times(held[i], weight), held[frames + j]));
            }
        }
        profiles[out + entry] = share * sum;
    }
}
