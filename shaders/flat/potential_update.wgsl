#import index
#import reduce
// phi <- clamp(phi + omega (-epsilon message - phi), -1, 1), and the bias log weight + phi / epsilon,
// with an omega of every problem's own: step k has 1 + k / (k + 2), but no more than `boldest`.
// One workgroup each.

struct Params {
    problems: u32,
    epsilon: f32,
    boldest: f32,
}

var<immediate> params: Params;
@group(0) @binding(0) var<storage, read> offsets: array<u32>;
@group(0) @binding(1) var<storage, read> message: array<f32>;
@group(0) @binding(2) var<storage, read> log_weight: array<f32>;
@group(0) @binding(3) var<storage, read> running: array<f32>;
@group(0) @binding(4) var<storage, read_write> potential: array<f32>;
@group(0) @binding(5) var<storage, read_write> bias: array<f32>;
// Steps so far, or PLAIN; the largest change of the last one; steps in a row by which it grew.
@group(0) @binding(6) var<storage, read_write> pace: array<f32>;

const PATIENCE: f32 = 20.0;
const PLAIN: f32 = -1.0;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let problem = flat_workgroup(workgroup, workgroups);
    if problem >= params.problems {
        return;
    }
    if running[problem] == 0.0 {
        return;
    }
    let steps = pace[3u * problem];
    let bold = min(1.0 + steps / (steps + 2.0), params.boldest);
    let omega = select(bold, 1.0, steps == PLAIN);
    var change = 0.0;
    for (var i = offsets[problem] + thread; i < offsets[problem + 1u]; i += 256u) {
        let old = potential[i];
        let goal = -params.epsilon * message[i];
        let updated = clamp(fma(omega, goal - old, old), -1.0, 1.0);
        change = max(change, abs(updated - old));
        potential[i] = updated;
        bias[i] = max(log_weight[i] + updated / params.epsilon, NOTHING);
    }
    let largest = reduce_max(thread, change);
    if thread == 0u {
        let grown = select(0.0, pace[3u * problem + 2u] + 1.0, largest > pace[3u * problem + 1u]);
        let plain = steps == PLAIN || grown >= PATIENCE;
        pace[3u * problem] = select(steps + 1.0, PLAIN, plain);
        pace[3u * problem + 1u] = largest;
        pace[3u * problem + 2u] = grown;
    }
}
