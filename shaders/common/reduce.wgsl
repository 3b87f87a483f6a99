#import logsumexp
// Reductions over a workgroup of 256 threads, in a fixed order: the same bits every time.
var<workgroup> reduce_sums: array<f32, 256>;

// The sum of `value` over the workgroup, in every thread.
fn reduce_sum(thread: u32, value: f32) -> f32 {
    reduce_sums[thread] = value;
    workgroupBarrier();
    for (var width = 128u; width > 0u; width >>= 1u) {
        if thread < width {
            reduce_sums[thread] += reduce_sums[thread + width];
        }
        workgroupBarrier();
    }
    let total = reduce_sums[0];
    workgroupBarrier();
    return total;
}

// The largest `value` over the workgroup, in every thread.
fn reduce_max(thread: u32, value: f32) -> f32 {
    reduce_sums[thread] = value;
    workgroupBarrier();
    for (var width = 128u; width > 0u; width >>= 1u) {
        if thread < width {
            reduce_sums[thread] = max(reduce_sums[thread], reduce_sums[thread + width]);
        }
        workgroupBarrier();
    }
    let largest = reduce_sums[0];
    workgroupBarrier();
    return largest;
}
