// Costs of pairs of points from the squares of their distances, four pairs at a time.

// The angle whose chord is 2 h, for h from 0 to 1. The built-in arc sine is allowed errors of 4096
// ulp; this is the polynomial of Cephes' asinf, good to 2, with the half-angle formula above 1/2.
fn angle_of(h: vec4<f32>) -> vec4<f32> {
    let wide = h > vec4<f32>(0.5);
    let square = select(h * h, 0.5 * (vec4<f32>(1.0) - h), wide);
    let root = select(h, sqrt(square), wide);
    let series = (((4.2163199048e-2 * square + 2.4181311049e-2) * square + 4.5470025998e-2) * square
        + 7.4953002686e-2) * square + 1.6666752422e-1;
    let sine = root + root * square * series;
    return 2.0 * select(sine, 1.5707963267948966 - 2.0 * sine, wide);
}

// The squared distance, the distance, its power, or the power of the great-circle angle between
// unit vectors.
fn pair_cost(square: vec4<f32>, power: f32) -> vec4<f32> {
#if COST_SQUARED
    return square;
#end
#if COST_DISTANCE
    return sqrt(square);
#end
#if COST_POWER
    return pow(square, vec4<f32>(0.5 * power));
#end
#if COST_GREAT_CIRCLE
    // From the chord: the arc cosine of the inner product loses half the digits at small angles.
    let angle = angle_of(min(0.5 * sqrt(square), vec4<f32>(1.0)));
    return pow(angle, vec4<f32>(power));
#end
}

// The gradient of a cost by the first point is this factor times the difference of the points.
fn pair_slope(square: vec4<f32>, power: f32) -> vec4<f32> {
#if COST_SQUARED
    return vec4<f32>(2.0);
#else
    // Distances have no gradient where the points meet; zero is in the subdifferential.
    let apart = max(square, vec4<f32>(1e-30));
#end
#if COST_DISTANCE
    return select(vec4<f32>(0.0), inverseSqrt(apart), square >= vec4<f32>(1e-30));
#end
#if COST_POWER
    let slope = power * pow(apart, vec4<f32>(0.5 * power - 1.0));
    return select(vec4<f32>(0.0), slope, square >= vec4<f32>(1e-30));
#end
#if COST_GREAT_CIRCLE
    // By the chord, in the embedding space; antipodes, where every direction is as good, excluded.
    let half_chord = min(0.5 * sqrt(apart), vec4<f32>(0.999999));
    let angle = angle_of(half_chord);
    let slope = power * pow(angle, vec4<f32>(power - 1.0))
        * inverseSqrt(apart * (1.0 - half_chord * half_chord));
    return select(vec4<f32>(0.0), slope, square >= vec4<f32>(1e-30));
#end
}
