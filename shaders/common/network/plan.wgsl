// Where the numbers of a network lie in `arena`, see `kernels/flat/network/plan.rs`. A shader that
// imports this has the bindings `plan` and `arena`.

struct Layer {
    inputs: u32,
    outputs: u32,
    weights: u32,
    bias: u32,
    vectors: u32,
    ranks: u32,
    values: u32,
    applied: u32,
}

const HEAD: u32 = 16u;
const BEST: u32 = 0u;
const LAMBDA_1: u32 = 1u;
const LAMBDA_2: u32 = 2u;
const SCALES: u32 = 3u;
const THREADS: u32 = 256u;

fn layer_of(base: u32, index: u32) -> Layer {
    let at = index * 8u;
    return Layer(plan[at], plan[at + 1u], base + plan[at + 2u], base + plan[at + 3u],
                 base + plan[at + 4u], base + plan[at + 5u], base + plan[at + 6u],
                 base + plan[at + 7u]);
}

// 1 / sigma of a layer.
fn scale_of(base: u32, index: u32) -> f32 {
#if SPECTRAL
    return arena[base + SCALES + index];
#else
    return 1.0;
#end
}
