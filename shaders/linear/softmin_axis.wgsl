#import index
#import logsumexp
// out[o, i, s] = log sum_k exp(in[o, k, s] - rate C[i, k]): softmin along one axis of an array of
// shape (outer, sources, inner). A workgroup makes 16 targets of 64 lines (o, s), four targets a
// thread, with 32 sources at a time in workgroup memory.
// With WEIGHTED, terms are also multiplied by C[i, k] (for the linear part of an objective).
// Exponentials bind: one a pair, and one a target for every eight sources.

struct Params {
    first_tile: u32,
    tiles: u32,
    outer: u32,
    sources: u32,
    targets: u32,
    inner: u32,
    lines_per_problem: u32, // lines of one member of the batch
    rate: f32,
}

var<immediate> params: Params;
@group(0) @binding(0) var<storage, read> costs: array<f32>; // sources x targets
@group(0) @binding(1) var<storage, read> values: array<f32>;
@group(0) @binding(2) var<storage, read> running: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

const LINES: u32 = 64u;
const TARGETS: u32 = 16u;
const DEPTH: u32 = 32u;
const PITCH: u32 = 65u; // odd, so that both fillings of the tile avoid bank conflicts

var<workgroup> value_tile: array<f32, 2080>; // DEPTH x PITCH
var<workgroup> cost_tile: array<vec4<f32>, 128>; // DEPTH x TARGETS / 4

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let index = flat_workgroup(workgroup, workgroups);
    if index >= params.tiles {
        return;
    }
    let target_tiles = (params.targets + TARGETS - 1u) / TARGETS;
    let tile = params.first_tile + index;
    let first_line = (tile / target_tiles) * LINES;
    let first_target = (tile % target_tiles) * TARGETS;
    let lines = params.outer * params.inner;
    let last_line = min(first_line + LINES, lines) - 1u;
    // A tile of a batch of small arrays touches many members; it is skipped when all have stopped.
    var any_running = false;
    for (var member = first_line / params.lines_per_problem;
         member <= last_line / params.lines_per_problem; member++) {
        any_running = any_running || running[member] != 0.0;
    }
    if !any_running {
        return;
    }
    let rate = params.rate * LOG2_E;
    let lane = thread % LINES;
    let group = thread / LINES;
    var peaks = vec4<f32>(NOTHING);
    var sums = vec4<f32>(0.0);
    for (var base = 0u; base < params.sources; base += DEPTH) {
        workgroupBarrier();
        for (var slot = thread; slot < DEPTH * LINES; slot += 256u) {
            // Neighbouring threads read neighbouring addresses, whichever way the lines run.
            var line = slot % LINES;
            var depth = slot / LINES;
            if params.inner == 1u {
                line = slot / DEPTH;
                depth = slot % DEPTH;
            }
            let source = base + depth;
            var value = NOTHING;
            if source < params.sources && first_line + line < lines {
                let outer = (first_line + line) / params.inner;
                let inner = (first_line + line) % params.inner;
                value = values[(outer * params.sources + source) * params.inner + inner] * LOG2_E;
            }
            value_tile[depth * PITCH + line] = value;
        }
        if thread < DEPTH * TARGETS / 4u {
            let source = min(base + thread / 4u, params.sources - 1u);
            let first = first_target + (thread % 4u) * 4u;
            let row = source * params.targets;
            let last = params.targets - 1u;
            cost_tile[thread] = vec4<f32>(
                costs[row + min(first, last)],
                costs[row + min(first + 1u, last)],
                costs[row + min(first + 2u, last)],
                costs[row + min(first + 3u, last)],
            );
        }
        workgroupBarrier();
        let depth = min(DEPTH, (params.sources - base + 7u) & ~7u);
        for (var k = 0u; k < depth; k += 8u) {
#repeat u 8
            let cost$u = cost_tile[(k + $uu) * 4u + group];
            var s$u = fma(vec4<f32>(-rate), cost$u,
                          vec4<f32>(value_tile[(k + $uu) * PITCH + lane]));
#if WEIGHTED
            s$u += select(vec4<f32>(NOTHING), log2(cost$u), cost$u > vec4<f32>(0.0));
#end
#end
            let peak = max(peaks, max(max(max(s0, s1), max(s2, s3)), max(max(s4, s5), max(s6, s7))));
            let fresh = ((exp2(s0 - peak) + exp2(s1 - peak)) + (exp2(s2 - peak) + exp2(s3 - peak)))
                      + ((exp2(s4 - peak) + exp2(s5 - peak)) + (exp2(s6 - peak) + exp2(s7 - peak)));
            sums = fma(sums, exp2(peaks - peak), fresh);
            peaks = peak;
        }
    }
    let line = first_line + lane;
    if line >= lines || running[line / params.lines_per_problem] == 0.0 {
        return;
    }
    let place = (line / params.inner) * params.targets * params.inner + line % params.inner;
    let first = first_target + group * 4u;
    for (var u = 0u; u < 4u; u++) {
        if first + u < params.targets {
            out[place + (first + u) * params.inner] = natural(LogSum(peaks[u], sums[u]));
        }
    }
}
