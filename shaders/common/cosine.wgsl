#import fourier
// Cosine transforms of pairs of lines along an axis of an array (outer, length, inner), in workgroup
// memory: `kernels/dynamic/cosine` has the formulas. A workgroup takes twice `lines` lines; the
// first half of them are real parts, the second half imaginary ones.
// The parameters of a shader that imports this have, beside those of `fourier`,
//     first_line,
//     end_line,
// and `inner()` is the number of lines that are neighbours.

@group(0) @binding(1) var<storage, read> turns: array<vec2<f32>>; // exp(-i pi k / 2 length)
@group(0) @binding(2) var<storage, read_write> values: array<f32>;

// Which complex line of a workgroup, and which of its numbers.
struct Seat {
    local: u32,
    x: u32,
}

// Neighbouring threads reach neighbouring addresses, whichever way lines lie.
fn seat(slot: u32) -> Seat {
    if inner() == 1u {
        return Seat(slot / params.length, slot % params.length);
    }
    return Seat(slot % params.lines, slot / params.lines);
}

fn address(line: u32, x: u32) -> u32 {
    return ((line / inner()) * params.length + x) * inner() + line % inner();
}

// Where number x of a shuffled line stands: even places in order, odd ones in reverse behind them.
fn shuffled(x: u32) -> u32 {
    return select(x / 2u, params.length - 1u - x / 2u, x % 2u == 1u);
}

fn value_at(line: u32, x: u32) -> f32 {
    if line < params.end_line {
        return values[address(line, x)];
    }
    return 0.0;
}

fn pair_at(first_line: u32, at: Seat) -> vec2<f32> {
    let line = first_line + at.local;
    return vec2<f32>(value_at(line, at.x), value_at(line + params.lines, at.x));
}

fn write_pair(first_line: u32, at: Seat, pair: vec2<f32>) {
    let line = first_line + at.local;
    if line < params.end_line {
        values[address(line, at.x)] = pair.x;
    }
    if line + params.lines < params.end_line {
        values[address(line + params.lines, at.x)] = pair.y;
    }
}

fn read_shuffled(thread: u32, first_line: u32) {
    for (var slot = thread; slot < params.lines * params.length; slot += 256u) {
        let at = seat(slot);
        held[at.local * params.pitch + shuffled(at.x)] = pair_at(first_line, at);
    }
}

// From the conjugate of shuffled lines.
fn write_shuffled(thread: u32, first_line: u32) {
    for (var slot = thread; slot < params.lines * params.length; slot += 256u) {
        let at = seat(slot);
        let pair = held[at.local * params.pitch + shuffled(at.x)];
        write_pair(first_line, at, vec2<f32>(pair.x, -pair.y));
    }
}

// A_k + i B_k from Z_k and Z_{N-k}.
fn coefficients(k: u32, z: vec2<f32>, mirrored: vec2<f32>) -> vec2<f32> {
    let turn = turns[k];
    let back = vec2<f32>(turn.x, -turn.y);
    return 0.5 * (complex_product(turn, z) + complex_product(back, mirrored));
}

// conj(Z_k) / N from A_k + i B_k and its like at N - k.
fn spectrum(k: u32, pair: vec2<f32>, mirrored: vec2<f32>) -> vec2<f32> {
    let sum = vec2<f32>(pair.x + mirrored.y, mirrored.x - pair.y);
    return (1.0 / f32(params.length)) * complex_product(turns[k], sum);
}
