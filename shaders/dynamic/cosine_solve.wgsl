#import index
#import cosine
#import spectrum
// Along the lines in time of (fields, time, places), in place: cosine transform, division by the
// eigenvalues of a Poisson equation, and back, all in workgroup memory.
// Bytes bind: 8 per number, and the eigenvalues of the lines.

struct Params {
    length: u32,
    lines: u32,
    pitch: u32,
    radices: u32,
    first_line: u32,
    end_line: u32,
    places: u32,
    balanced: u32, // 1: no shift
}

var<immediate> params: Params;
@group(0) @binding(3) var<storage, read> in_space: array<f32>;
@group(0) @binding(4) var<storage, read> in_time: array<f32>;

fn inner() -> u32 {
    return params.places;
}

fn factor(line: u32, k: u32) -> f32 {
    let place = line % params.places;
    return inverse_eigenvalue(in_space[place], in_time[k], line / params.places, k, place,
                              params.balanced);
}

// For both lines of a pair; those beyond the last are zero.
fn factors(line: u32, k: u32) -> vec2<f32> {
    let last = params.end_line - 1u;
    return vec2<f32>(factor(min(line, last), k), factor(min(line + params.lines, last), k));
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let group = flat_workgroup(workgroup, workgroups);
    let first_line = params.first_line + group * 2u * params.lines;
    if first_line >= params.end_line {
        return;
    }
    read_shuffled(thread, first_line);
    transform(thread);
    // Places k and N - k at a time.
    let half = params.length / 2u + 1u;
    for (var slot = thread; slot < params.lines * half; slot += 256u) {
        let local = slot / half;
        let line = first_line + local;
        let start = local * params.pitch;
        let k = slot % half;
        let z = held[start + k];
        if k == 0u {
            held[start] = spectrum(0u, factors(line, 0u) * coefficients(0u, z, z), vec2<f32>(0.0));
        } else {
            let m = params.length - k;
            let mirrored = held[start + m];
            let near = factors(line, k) * coefficients(k, z, mirrored);
            let far = factors(line, m) * coefficients(m, mirrored, z);
            held[start + k] = spectrum(k, near, far);
            held[start + m] = spectrum(m, far, near);
        }
    }
    transform(thread);
    write_shuffled(thread, first_line);
}
