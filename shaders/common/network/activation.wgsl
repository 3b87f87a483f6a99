#import network/plan
#import workgroup_product
// Group sort: networks whose activations only reorder numbers keep their gradients' lengths.

// Sorts the groups of rows in ascending order: values, and in place of what goes in, its ranks.
fn activate(thread: u32, rows: u32, layer: Layer) {
    let width = layer.outputs;
    let group = min(params.group, width);
    let at_once = 1024u / width;
    for (var row = 0u; row < rows; row += at_once) {
        let count = min(at_once, rows - row) * width;
        let index = thread * 4u;
        let place = layer.ranks + row * width + index;
        var own = vec4<f32>(0.0);
        if index < count {
            own = vec4<f32>(arena[place], arena[place + 1u], arena[place + 2u], arena[place + 3u]);
        }
        tiles[thread] = own;
        workgroupBarrier();
        if index < count {
            var ranks = vec4<u32>(0u);
            let x = own.x;
            let y = own.y;
            let z = own.z;
            let w = own.w;
            if group == 2u {
                ranks = vec4<u32>(u32(x > y), u32(y >= x), u32(z > w), u32(w >= z));
                let first = (index % width);
                ranks += vec4<u32>(first, first, first + 2u, first + 2u);
            } else {
                let begin = index - (index % width) % group;
                // What is equal keeps its order.
                for (var other = begin / 4u; other < thread; other++) {
                    let there = tiles[other];
#repeat k 4
                    ranks += vec4<u32>(vec4<f32>(there[$ku]) <= own);
#end
                }
                ranks += vec4<u32>(
                    u32(y < x) + u32(z < x) + u32(w < x),
                    u32(x <= y) + u32(z < y) + u32(w < y),
                    u32(x <= z) + u32(y <= z) + u32(w < z),
                    u32(x <= w) + u32(y <= w) + u32(z <= w),
                );
                for (var other = thread + 1u; other < (begin + group) / 4u; other++) {
                    let there = tiles[other];
#repeat k 4
                    ranks += vec4<u32>(vec4<f32>(there[$ku]) < own);
#end
                }
                ranks += vec4<u32>(begin % width);
            }
            let sorted = layer.values + row * width + index - index % width;
#repeat k 4
            arena[sorted + ranks[$ku]] = own[$ku];
            arena[place + $ku] = f32(ranks[$ku]);
#end
        }
        workgroupBarrier();
    }
    sync();
}
