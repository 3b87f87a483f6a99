#import centred
#import index
#import metric
#import reduce
// How far an iteration is from a solution. With the projected points ~U = U + (U' - U) /
// relaxation and ~y likewise, and the primal point V of the last dual step, six sums over the cells
// of each workgroup: |V - I ~U|², |V|², |(U - ~U)/tau - I^T (y - ~y)|² over inner faces, |~y|²,
// <~y, V>, which is the kinetic energy of V, and <~y, I ~U>.
// `params.extrapolation` is 1 / relaxation here.
// Bytes bind: with two axes and one field, 52 read per cell.

@group(0) @binding(0) var<storage, read> state: array<f32>;
@group(0) @binding(1) var<storage, read> next: array<f32>;
@group(0) @binding(2) var<storage, read> dual: array<f32>;
@group(0) @binding(3) var<storage, read> next_dual: array<f32>;
@group(0) @binding(4) var<storage, read> end: array<f32>;
@group(0) @binding(5) var<storage, read> metric: array<f32>;
@group(0) @binding(6) var<storage, read> roots: array<f32>;
@group(0) @binding(7) var<storage, read_write> sums: array<f32>; // 8 of each workgroup

// ~y - y of an entry.
fn dual_change(place: u32) -> f32 {
    return params.extrapolation * (next_dual[place] - dual[place]);
}

// The square of (U - ~U)/tau - I^T (y - ~y) at a face that has cells on both sides.
fn unrest(component: u32, cell: Cell, axis: u32) -> f32 {
    let place = component * cells() + cell.index;
    let moved = params.extrapolation * (next[place] - state[place]);
    let pulled = 0.5 * (dual_change(place - cell.strides[axis]) + dual_change(place));
    let value = pulled - moved / params.tau;
    return value * value;
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let group = flat_workgroup(workgroup, workgroups);
    let index = group * 256u + thread;
    var gap = 0.0;
    var size = 0.0;
    var unrests = 0.0;
    var dual_size = 0.0;
    var energy = 0.0;
    var paired = 0.0;
    if index < cells() {
        let cell = cell_of(index);
        let density = DENSITY * cells() + index;
        let share = roots[index] / params.sigma;
        let y = dual[density] + dual_change(density);
        let interpolated = centred(DENSITY, cell, 3u, end[cell.place]);
        gap = (share - interpolated) * (share - interpolated);
        size = share * share;
        dual_size = y * y;
        energy = y * share;
        paired = y * interpolated;
        if has_lower(cell, 3u) {
            unrests = unrest(DENSITY, cell, 3u);
        }
#repeat f FIELDS
#repeat a AXES
        let place_$f_$a = ($fu * {AXES}u + $au) * cells() + index;
        let y_$f_$a = dual[place_$f_$a] + dual_change(place_$f_$a);
        if has_lower(cell, $au) {
            unrests += unrest($fu * {AXES}u + $au, cell, $au);
        }
#end
#repeat a AXES
        var b_$f_$a = 0.0;
#repeat c AXES
        b_$f_$a += turn($fu, $cu, $au, cell) * y_$f_$c;
#end
        b_$f_$a *= 0.5 * share / eigenvalue($fu, $au, cell);
#end
#repeat a AXES
        {
            var momentum = 0.0;
#repeat c AXES
            momentum += turn($fu, $au, $cu, cell) * b_$f_$c;
#end
            let between = centred($fu * {AXES}u + $au, cell, $au, 0.0);
            gap += (momentum - between) * (momentum - between);
            size += momentum * momentum;
            dual_size += y_$f_$a * y_$f_$a;
            energy += y_$f_$a * momentum;
            paired += y_$f_$a * between;
        }
#end
#end
#if SOURCE
        let source = (DENSITY + 1u) * cells() + index;
        let y_source = dual[source] + dual_change(source);
        let made = 0.5 * share * y_source / params.reaction;
        let planned = extrapolated(source);
        let unrest = dual_change(source) - params.extrapolation * (next[source] - state[source]) / params.tau;
        gap += (made - planned) * (made - planned);
        size += made * made;
        unrests += unrest * unrest;
        dual_size += y_source * y_source;
        energy += y_source * made;
        paired += y_source * planned;
#end
    }
    let all = array<f32, 6>(
        reduce_sum(thread, gap),
        reduce_sum(thread, size),
        reduce_sum(thread, unrests),
        reduce_sum(thread, dual_size),
        reduce_sum(thread, energy),
        reduce_sum(thread, paired),
    );
    if thread == 0u && index < cells() {
        for (var number = 0u; number < 6u; number++) {
            sums[8u * group + number] = all[number];
        }
    }
}
