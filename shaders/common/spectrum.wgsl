// What the cosine coefficient of a field is multiplied by in a Poisson equation: 1 / (in space + in
// time), where the first field alone has a part in time; 0 where that operator is zero, which
// without a shift (`balanced`) it is at the lowest frequency of space.
fn inverse_eigenvalue(
    in_space: f32,
    in_time: f32,
    field: u32,
    frequency: u32,
    place: u32,
    balanced: u32,
) -> f32 {
    if balanced == 1u && place == 0u && (field > 0u || frequency == 0u) {
        return 0.0;
    }
    return 1.0 / (in_space + select(0.0, in_time, field == 0u));
}
