#import metric
// The step of the centred fields at a cell: y' = y + relaxation (Proj(y + sigma I V) - y), with the
// projection on the paraboloids a + sum b_i²/(4 lambda_i) <= 0 in the eigenbasis of the metric: the
// root r of r - a - sum lambda_i b_i²/(r + 2 lambda_i)² by Newton steps from the last one. On a
// concave increasing function they come from the left but for the first. Bindings `dual`
// (y), `next_dual` (y'), `roots` and `metric` are needed, and `params.relaxation` and, for a source,
// `params.reaction`, its eigenvalue.

// y + sigma I V.
struct Point {
#repeat f FIELDS
#repeat a AXES
    b_$f_$a: f32,
#end
#end
#if SOURCE
    source: f32,
#end
    a: f32,
}

const STEPS: u32 = 16u;
// Four roundings of what the function adds up.
const PRECISION: f32 = 4.8e-7;

fn relax(place: u32, projected: f32) {
    next_dual[place] = fma(params.relaxation, projected - dual[place], dual[place]);
}

fn step_to_projection(point: Point, cell: Cell) {
    let index = cell.index;
    let a = point.a;
    // The squares of b in the eigenbasis, and the bounds that a cold start needs.
    var slack = a;
    var length = 0.0;
    var least = 1e30;
    var most = 0.0;
#repeat f FIELDS
#repeat a AXES
    var b_$f_$a = 0.0;
#repeat c AXES
    b_$f_$a += turn($fu, $cu, $au, cell) * point.b_$f_$c;
#end
    let lambda_$f_$a = eigenvalue($fu, $au, cell);
    slack += b_$f_$a * b_$f_$a / (4.0 * lambda_$f_$a);
    length += b_$f_$a * b_$f_$a;
    least = min(least, lambda_$f_$a);
    most = max(most, lambda_$f_$a);
#end
#end
#if SOURCE
    slack += point.source * point.source / (4.0 * params.reaction);
    length += point.source * point.source;
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
                let square = params.reaction * (point.source * part) * (point.source * part);
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
        relax(($fu * {AXES}u + $au) * cells() + index, value);
    }
#end
#end
#if SOURCE
    let reacted = point.source * 2.0 * params.reaction / (r + 2.0 * params.reaction);
    if r > 0.0 {
        inner -= reacted * reacted / (4.0 * params.reaction);
    }
    relax((DENSITY + 1u) * cells() + index, reacted);
#end
    relax(DENSITY * cells() + index, inner);
}
