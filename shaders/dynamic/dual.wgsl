#import index
#import paraboloid
// y' = y + relaxation (Proj(y + sigma I V) - y), V = U + extrapolation (U' - U), with the
// projection on the paraboloids a + sum b_i²/(4 lambda_i) <= 0 in the eigenbasis of the metric:
// the root r of r - a - sum lambda_i b_i²/(r + 2 lambda_i)² by Newton steps from the last one. On a
// concave increasing function they come from the left but for the first (spec 3.2).
// Bytes bind: with two axes and one field, 40 read and 16 written per cell.

struct Params {
    time: u32,
    side_0: u32,
    side_1: u32,
    side_2: u32,
    rate_t: f32,
    rate_0: f32,
    rate_1: f32,
    rate_2: f32,
    sigma: f32,
    relaxation: f32,
    extrapolation: f32,
    reaction: f32, // the eigenvalue of the source
}

var<immediate> params: Params;
@group(0) @binding(0) var<storage, read> state: array<f32>;
@group(0) @binding(1) var<storage, read> next: array<f32>;
@group(0) @binding(2) var<storage, read> dual: array<f32>;
@group(0) @binding(3) var<storage, read> end: array<f32>;
@group(0) @binding(4) var<storage, read> metric: array<f32>;
@group(0) @binding(5) var<storage, read_write> roots: array<f32>;
@group(0) @binding(6) var<storage, read_write> next_dual: array<f32>;

const STEPS: u32 = 16u;
// Four roundings of what the function adds up.
const PRECISION: f32 = 4.8e-7;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let index = flat_workgroup(workgroup, workgroups) * 256u + thread;
    if index >= cells() {
        return;
    }
    let cell = cell_of(index);
    let density = DENSITY * cells() + index;
    let a = fma(params.sigma, centred(DENSITY, cell, 3u, end[cell.place]), dual[density]);
    // The squares of b in the eigenbasis, and the bounds that a cold start needs.
    var slack = a;
    var length = 0.0;
    var least = 1e30;
    var most = 0.0;
#repeat f FIELDS
#repeat a AXES
    let hat_$f_$a = fma(params.sigma, centred($fu * {AXES}u + $au, cell, $au, 0.0),
                        dual[($fu * {AXES}u + $au) * cells() + index]);
#end
#repeat a AXES
    var b_$f_$a = 0.0;
#repeat c AXES
    b_$f_$a += turn($fu, $cu, $au, cell) * hat_$f_$c;
#end
    let lambda_$f_$a = eigenvalue($fu, $au, cell);
    slack += b_$f_$a * b_$f_$a / (4.0 * lambda_$f_$a);
    length += b_$f_$a * b_$f_$a;
    least = min(least, lambda_$f_$a);
    most = max(most, lambda_$f_$a);
#end
#end
#if SOURCE
    let source = (DENSITY + 1u) * cells() + index;
    let b_source = fma(params.sigma, extrapolated(source), dual[source]);
    slack += b_source * b_source / (4.0 * params.reaction);
    length += b_source * b_source;
    least = min(least, params.reaction);
    most = max(most, params.reaction);
#end
    var r = 0.0;
    if slack > 0.0 {
        let lowest = max(a, 0.0);
        r = max(roots[index], lowest);
        if roots[index] == 0.0 {
            r = max(lowest, pow(least * length, 1.0 / 3.0) - 2.0 * most);
        }
        for (var step = 0u; step < STEPS; step++) {
            var value = r - a;
            var slope = 1.0;
            var scale = r + abs(a);
#repeat f FIELDS
#repeat a AXES
            {
                let part = 1.0 / (r + 2.0 * lambda_$f_$a);
                let square = lambda_$f_$a * (b_$f_$a * part) * (b_$f_$a * part);
                value -= square;
                slope += 2.0 * square * part;
                scale += square;
            }
#end
#end
#if SOURCE
            {
                let part = 1.0 / (r + 2.0 * params.reaction);
                let square = params.reaction * (b_source * part) * (b_source * part);
                value -= square;
                slope += 2.0 * square * part;
                scale += square;
            }
#end
            if abs(value) <= PRECISION * scale {
                break;
            }
            r = max(r - value / slope, lowest);
        }
    }
    roots[index] = r;
    // From the new b, and never as a - r: so the point lies on the paraboloid.
    var inner = a;
    if r > 0.0 {
        inner = 0.0;
    }
#repeat f FIELDS
#repeat a AXES
    b_$f_$a *= 2.0 * lambda_$f_$a / (r + 2.0 * lambda_$f_$a);
    if r > 0.0 {
        inner -= b_$f_$a * b_$f_$a / (4.0 * lambda_$f_$a);
    }
#end
#repeat a AXES
    {
        var value = 0.0;
#repeat c AXES
        value += turn($fu, $au, $cu, cell) * b_$f_$c;
#end
        let place = ($fu * {AXES}u + $au) * cells() + index;
        next_dual[place] = fma(params.relaxation, value - dual[place], dual[place]);
    }
#end
#end
#if SOURCE
    let reacted = b_source * 2.0 * params.reaction / (r + 2.0 * params.reaction);
    if r > 0.0 {
        inner -= reacted * reacted / (4.0 * params.reaction);
    }
    next_dual[source] = fma(params.relaxation, reacted - dual[source], dual[source]);
#end
    next_dual[density] = fma(params.relaxation, inner - dual[density], dual[density]);
}
