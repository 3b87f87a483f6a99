#import index
#import cosine
// Cosine transforms along one axis of an array (outer, length, inner), in place.
// Bytes bind: 8 per number.

struct Params {
    length: u32,
    lines: u32,
    pitch: u32,
    radices: u32,
    first_line: u32,
    end_line: u32,
    inner: u32,
}

var<immediate> params: Params;

fn inner() -> u32 {
    return params.inner;
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
    let numbers = params.lines * params.length;
#if FORWARD
    read_shuffled(thread, first_line);
    transform(thread);
    for (var slot = thread; slot < numbers; slot += 256u) {
        let at = seat(slot);
        let start = at.local * params.pitch;
        let mirror = select(params.length - at.x, 0u, at.x == 0u);
        write_pair(first_line, at, coefficients(at.x, held[start + at.x], held[start + mirror]));
    }
#else
    for (var slot = thread; slot < numbers; slot += 256u) {
        let at = seat(slot);
        held[at.local * params.pitch + at.x] = pair_at(first_line, at);
    }
    workgroupBarrier();
    // Places k and N - k at a time.
    let half = params.length / 2u + 1u;
    for (var slot = thread; slot < params.lines * half; slot += 256u) {
        let start = (slot / half) * params.pitch;
        let k = slot % half;
        let pair = held[start + k];
        if k == 0u {
            held[start] = spectrum(0u, pair, vec2<f32>(0.0));
        } else {
            let m = params.length - k;
            let mirrored = held[start + m];
            held[start + k] = spectrum(k, pair, mirrored);
            held[start + m] = spectrum(m, mirrored, pair);
        }
    }
    transform(thread);
    write_shuffled(thread, first_line);
#end
}
