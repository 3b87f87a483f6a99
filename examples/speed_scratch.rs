use gaspard::Engine;
use gaspard::flat::{Cloud, neural::Training};
use ndarray::Array2;
use std::time::Instant;
fn main() {
    let d = 5;
    let mk = |n: usize, s: f64| {
        let mut x = 12345.678 + s;
        let p = Array2::from_shape_simple_fn((n, d), || {
            x = (x * 1.37 + 0.71) % 3.0;
            x - 1.5 + s
        });
        Cloud::counting("c", p).unwrap()
    };
    let (a, b) = (mk(200, 0.0), mk(120, 0.4));
    let e = Engine::cpu();
    for (name, t) in [("paper", Training::paper()), ("tight", Training::tight())] {
        for pairs in [1, 2, 8] {
            let list: Vec<_> = (0..pairs).map(|_| (&a, &b)).collect();
            let t0 = Instant::now();
            let r = t.clone().epochs(300).solve_batch(&list, &e, &mut ()).unwrap();
            let s = t0.elapsed().as_secs_f64();
            println!(
                "{name} {pairs} pairs: {:.3} ms per epoch and pair; value {:?}",
                s * 1e3 / 300.0 / pairs as f64,
                r[0].distance
            );
        }
    }
}
