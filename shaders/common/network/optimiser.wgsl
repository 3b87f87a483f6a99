#import network/plan
#import reduce
#import workgroup_product

// One step of Adam, after the gradient was cut to the length `clip`.
fn adam(thread: u32, base: u32, step: f32, correction: f32) {
    let count = params.parameters;
    let theta = base + HEAD;
    var sum = 0.0;
    for (var i = thread; i < count; i += THREADS) {
        let gradient = arena[theta + count + i];
        sum = fma(gradient, gradient, sum);
    }
    let length = sqrt(reduce_sum(thread, sum));
    let shorter = params.clip / max(params.clip, length + 1e-6);
    for (var i = thread; i < count; i += THREADS) {
        let here = theta + i;
        let value = arena[here];
        let gradient = fma(params.decay, value, arena[here + count] * shorter);
        let first = mix(gradient, arena[here + 2u * count], params.beta_1);
        let second = mix(gradient * gradient, arena[here + 3u * count], params.beta_2);
        arena[here + 2u * count] = first;
        arena[here + 3u * count] = second;
        arena[here] = value - step * first / fma(sqrt(second), correction, 1e-8);
    }
    sync();
}
