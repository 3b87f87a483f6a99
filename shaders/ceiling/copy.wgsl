#import index
// out = source, four numbers at a time: the bandwidth that memory has for reading and writing.

struct Params {
    vectors: u32,
}

var<immediate> params: Params;
@group(0) @binding(0) var<storage, read> source: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> out: array<vec4<f32>>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    // Four vectors a thread, neighbours side by side: enough reads in flight to hide the latency.
    let first = flat_workgroup(workgroup, workgroups) * 1024u + thread;
#repeat k 4
    let place$k = first + $ku * 256u;
#end
    if place3 < params.vectors {
#repeat k 4
        let value$k = source[place$k];
#end
#repeat k 4
        out[place$k] = value$k;
#end
        return;
    }
#repeat k 4
    if place$k < params.vectors {
        out[place$k] = source[place$k];
    }
#end
}
