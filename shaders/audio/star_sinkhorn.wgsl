#import index
#import lags
// Sinkhorn's iteration between the columns of several spectrograms at one frequency, which is what a
// workgroup takes. Every source is a star: its kernels, which depend on the lag alone, lead from the
// first microphone, the centre, to all others, the leaves. Messages from the leaves to the centre,
// q_k^(l) = G_k^(l) u^(l), are in global memory, scalings in workgroup memory while they change.
// Arithmetic binds: two multiply-adds (LOGS: four exponentials) a source, leaf, lag, frame and sweep.

@group(0) @binding(5) var<storage, read_write> messages: array<f32>; // (plans, frequencies, sources, leaves, frames)

// Sums of the scalings of every microphone.
var<workgroup> totals: array<f32, {MICROPHONES}>;

// What the outlier source makes of the scalings of all microphones but one.
fn background(without: u32) -> f32 {
    if !has_outlier() {
        return ZERO;
    }
    var product = params.outlier;
    for (var l = 0u; l < params.microphones; l++) {
        if l != without {
            product = times(product, totals[l]);
        }
    }
    return product;
}

// Keeps the sum of the scalings that are held from `base` on.
fn note_total(thread: u32, base: u32, microphone: u32) {
    if has_outlier() {
        let sum = total(thread, base);
        if thread == 0u {
            totals[microphone] = sum;
        }
    }
    workgroupBarrier();
}

// The messages of a leaf, from its scalings, which are held beside those of the centre.
fn send(thread: u32, leaf: u32, row: u32, message: u32) {
    let frames = params.frames;
    let leaves = params.microphones - 1u;
    note_total(thread, frames, leaf + 1u);
    for (var source = 0u; source < params.sources; source++) {
        let kernel = source * leaves + leaf;
        let lag_row = row + kernel * (2u + 2u * params.width);
        for (var i = thread; i < frames; i += {THREADS}u) {
            messages[message + kernel * frames + i] = lagged(frames, lag_row, i, 1);
        }
    }
}

// The product of the messages of a source at a frame, of all leaves but one.
fn heard(first: u32, source: u32, frame: u32, without: u32) -> f32 {
    let leaves = params.microphones - 1u;
    var product = ONE;
    for (var leaf = 0u; leaf < leaves; leaf++) {
        if leaf != without {
            let place = (source * leaves + leaf) * params.frames + frame;
            product = times(product, messages[first + place]);
        }
    }
    return product;
}

fn heard_of_all(first: u32, frame: u32) -> f32 {
    var sum = ZERO;
    for (var source = 0u; source < params.sources; source++) {
        sum = plus(sum, heard(first, source, frame, params.microphones));
    }
    return plus(sum, background(0u));
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
    let leaves = params.microphones - 1u;
    let kernels = params.sources * leaves;
    let stride = 2u + 2u * params.width;
    let row = (group / params.frequencies) * kernels * stride;
    let place = u32(lags[row]) * params.frequencies + group % params.frequencies;
    let share = masses[place];
    if lags[row + 1u] == 0.0 || share == 0.0 {
        return; // a plan at rest, or silence
    }
    let frames = params.frames;
    let target_mass = params.microphones * place * frames;
    let state = params.microphones * group * frames;
    let message = kernels * group * frames;
    let out = group * (kernels * params.width + 4u);
    // Held: the scalings of the centre; of a leaf, or what comes to it from the centre; sums.
    let beside = frames;
    let summed = 2u * frames;
    if params.fresh == 1u {
        for (var i = thread; i < leaves * frames; i += {THREADS}u) {
            scalings[state + frames + i] = ONE;
        }
        storageBarrier();
    }
    for (var leaf = 0u; leaf < leaves; leaf++) {
        for (var i = thread; i < frames; i += {THREADS}u) {
            held[beside + i] = scalings[state + (leaf + 1u) * frames + i];
        }
        workgroupBarrier();
        send(thread, leaf, row, message);
        workgroupBarrier();
    }

    var accounts = vec4<f32>(0.0);
    // The last round changes nothing, and takes stock. Messages at a frame are written and read by
    // one and the same thread.
    for (var iteration = 0u; iteration <= params.iterations; iteration++) {
        let last = iteration == params.iterations;
        if last && params.iterations == 0u {
            for (var i = thread; i < frames; i += {THREADS}u) {
                held[i] = scalings[state + i];
            }
            workgroupBarrier();
            note_total(thread, 0u, 0u);
        }
        for (var i = thread; i < frames; i += {THREADS}u) {
            let r = columns[target_mass + i];
            let seen = heard_of_all(message, i);
            if last {
                accounts += account(r, held[i], seen);
            } else {
                held[i] = scaling(r, seen);
                scalings[state + i] = held[i];
            }
        }
        workgroupBarrier();
        if !last {
            note_total(thread, 0u, 0u);
        }
        for (var leaf = 0u; leaf < leaves; leaf++) {
            for (var source = 0u; source < params.sources; source++) {
                let kernel = source * leaves + leaf;
                let lag_row = row + kernel * stride;
                for (var i = thread; i < frames; i += {THREADS}u) {
                    held[beside + i] = times(held[i], heard(message, source, i, leaf));
                }
                workgroupBarrier();
                for (var j = thread; j < frames; j += {THREADS}u) {
                    let coming = lagged(beside, lag_row, j, -1);
                    if source == 0u {
                        held[summed + j] = coming;
                    } else {
                        held[summed + j] = plus(held[summed + j], coming);
                    }
                }
                if last {
                    let count = u32(lags[lag_row + 1u]);
                    for (var entry = thread; entry < count; entry += {THREADS}u) {
                        let lag = i32(lags[lag_row + 2u + entry]);
                        let weight = lags[lag_row + 2u + params.width + entry];
                        var sum = 0.0;
                        for (var i = 0u; i < frames; i++) {
                            let j = u32(i32(i) + lag);
                            if j < frames {
                                let u = scalings[state + (leaf + 1u) * frames + j];
                                sum += plain(times(times(held[beside + i], weight), u));
                            }
                        }
                        profiles[out + kernel * params.width + entry] = share * sum;
                    }
                }
                workgroupBarrier();
            }
            let scenery = background(leaf + 1u);
            for (var j = thread; j < frames; j += {THREADS}u) {
                let r = columns[target_mass + (leaf + 1u) * frames + j];
                let seen = plus(held[summed + j], scenery);
                let at = state + (leaf + 1u) * frames + j;
                if last {
                    let there = account(r, scalings[at], seen);
                    accounts += vec4<f32>(there.x, 0.0, 0.0, there.w);
                } else {
                    held[beside + j] = scaling(r, seen);
                    scalings[at] = held[beside + j];
                }
            }
            workgroupBarrier();
            if !last {
                send(thread, leaf, row, message);
                storageBarrier();
                workgroupBarrier();
            }
        }
    }
    let sums = gathered_account(thread, accounts);
    if thread == 0u {
        write_account(out + kernels * params.width, share, sums);
    }
}
