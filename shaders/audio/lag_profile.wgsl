#import index
// Sums over frequencies, a block of them at a time, of what a kernel left of every plan: out (plans,
// blocks, width) from values (plans, frequencies, width). The host adds the blocks, in f64.
// Bytes bind: 4 for every number.

struct Params {
    plans: u32,
    frequencies: u32,
    width: u32,
    block: u32, // frequencies
    blocks: u32,
}

var<immediate> params: Params;
@group(0) @binding(0) var<storage, read> values: array<f32>;
@group(0) @binding(1) var<storage, read_write> sums: array<f32>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let index = flat_workgroup(workgroup, workgroups) * 256u + thread;
    if index >= params.plans * params.blocks * params.width {
        return;
    }
    let number = index % params.width;
    let block = (index / params.width) % params.blocks;
    let plan = index / (params.width * params.blocks);
    let end = min((block + 1u) * params.block, params.frequencies);
    var sum = 0.0;
    for (var frequency = block * params.block; frequency < end; frequency++) {
        sum += values[(plan * params.frequencies + frequency) * params.width + number];
    }
    sums[index] = sum;
}
