#import index
#import lags
// Sinkhorn's iteration between the columns of two spectrograms at one frequency, which is what a
// workgroup takes, with a kernel that depends on the lag alone and is never stored as a matrix; and in
// the end the mass that goes over every lag. Scalings stay in workgroup memory all along.
// Arithmetic binds: two multiply-adds (LOGS: four exponentials) a lag, a frame and an iteration.

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
        let sums = vec4<f32>(rows.x + cols.x, rows.y, cols.z, rows.w + cols.w);
        write_account(out + params.width, share, sums);
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
