//! What cannot be done is refused: one line that says why, an exit code, and no output.

use ndarray::{Array1, Array2, array};

use super::workplace::{Workplace, cloud};

/// A folder with good and bad inputs.
fn workplace() -> Workplace {
    let place = Workplace::new();
    place.write("x.npy", &cloud(1, 10));
    place.write("space.npy", &Array2::<f64>::ones((4, 3)));
    place.write("nan.npy", &array![[0.0, 1.0], [f64::NAN, 1.0]]);
    place.write("infinite.npy", &array![[0.0, 1.0], [f64::INFINITY, 1.0]]);
    place.write("none.npy", &Array2::<f64>::zeros((0, 2)));
    place.write("d.npy", &array![1.0, 2.0, 3.0]);
    place.write("d1.npy", &array![0.25, 0.5, 0.25]);
    place.write("nothing.npy", &Array1::<f64>::zeros(3));
    place.write("minus.npy", &array![1.0, -2.0, 3.0]);
    place.write("nan1.npy", &array![1.0, f64::NAN, 3.0]);
    place.write("C.npy", &Array2::<f64>::ones((10, 10)));
    place.write("nan_costs.npy", &array![[1.0, f64::NAN]]);
    place.write("wide.npy", &Array2::<f64>::ones((30, 30)));
    place.picture("black.png", 5, 5, |_, _| 0);
    place.picture("white.png", 5, 5, |_, _| 255);
    place.text("text.png", "this is no picture");
    place.text("text.npy", "this is no array");
    place.text("table.csv", "0,1\n");
    let start = std::fs::read(place.path("x.npy")).unwrap();
    std::fs::write(place.path("short.npy"), &start[..start.len() - 5]).unwrap();
    std::fs::create_dir(place.path("folder")).unwrap();
    place.write("labels.npy", &Array1::from_elem(10, 1e300));
    // Far more than any machine has.
    place.text("huge_size.json", r#"{"nodes": [{"size": 1000000000000000000}], "edges": []}"#);
    let grid = r#"{"nodes": [{"grid": [10000000000, 10000000000]}], "edges": []}"#;
    place.text("huge_grid.json", grid);
    let bump = "\"gaussian:0.5,0.5,0.1\"";
    let motion = |more: &str| format!("{{\"start\": {bump}, \"end\": {bump}, {more}}}");
    place.text("huge_motion.json", &motion(r#""grid": [1000000000, 1000000000, 8]"#));
    let bins = r#""form": "coupled", "map": "scale:2", "bins": [4000000000, 4000000000]"#;
    let spaces = format!(r#""grid": [4, 4, 4], "spaces": [{{{bins}}}]"#);
    place.text("huge_bins.json", &motion(&spaces));
    place
}

/// Words of the command line, the exit code, and what the message must say.
const CASES: &[(&str, i32, &str)] = &[
    // Files.
    ("transport missing.npy x.npy", 1, "missing.npy: no such file"),
    ("transport missing.png x.npy", 1, "missing.png: no such file"),
    ("transport text.png white.png", 1, "text.png: not a picture"),
    ("transport text.npy x.npy", 1, "text.npy: not a .npy file"),
    ("transport short.npy x.npy", 1, "short.npy: cut short"),
    ("transport folder x.npy", 1, "folder"),
    ("barycenter text.png white.png --out o.png", 1, "text.png: not a picture"),
    ("transport table.csv x.npy", 1, "save it as .npy"),
    ("tree missing.json", 1, "missing.json: no such file; check the path"),
    ("tree x.npy", 1, "x.npy: not a description in JSON"),
    ("flat --pairwise x.npy --out o.npy", 1, "x.npy: neither a folder nor a list"),
    ("flat --pairwise missing --out o.npy", 1, "missing: no such file"),
    // Values.
    ("transport nan.npy x.npy", 1, "nan.npy: a coordinate of point 1 is NaN"),
    ("transport infinite.npy x.npy", 1, "infinite.npy: a coordinate of point 1 is inf"),
    ("transport none.npy x.npy", 1, "none.npy: it is empty"),
    ("transport nan1.npy d.npy", 1, "nan1.npy: weight 1 is NaN"),
    ("transport minus.npy d.npy", 1, "minus.npy: weight 1 is -2"),
    ("transport nothing.npy d.npy", 1, "nothing.npy: it has no mass"),
    ("transport black.png white.png", 1, "black.png: it has no mass"),
    ("transport white.png black.png --mass dark", 1, "white.png: it has no mass"),
    ("transport white.png white.png --mass alpha", 1, "alpha"),
    ("barycenter minus.npy d.npy --out o.png", 1, "minus.npy: weight 1 is -2"),
    ("barycenter nan1.npy d.npy --out o.png", 1, "nan1.npy: weight 1 is NaN"),
    ("barycenter nothing.npy d.npy --out o.png", 1, "nothing.npy: it has no mass"),
    ("barycenter black.png white.png --out o.png", 1, "black.png: it has no mass"),
    ("barycenter none.npy none.npy --out o.png", 1, "none.npy: it is empty"),
    ("barycenter d.npy white.png --out o.png", 1, "white.png: expected a density of 1 axes"),
    (
        "transport --cost-matrix nan_costs.npy",
        1,
        "nan_costs.npy: the cost in row 0, column 1 is NaN",
    ),
    // Sizes and masses that do not fit together.
    ("transport d.npy d1.npy", 1, "d.npy has mass 6 and d1.npy has 1"),
    ("transport d.npy d1.npy", 1, "--normalise"),
    ("transport x.npy space.npy", 1, "dimension"),
    ("transport x.npy x.npy --weights-a d1.npy", 1, "expected 10, one for each point, found 3"),
    ("transport --cost-matrix C.npy --weights-b d1.npy", 1, "expected 10"),
    ("transport --cost-matrix d.npy", 1, "d.npy: expected a matrix of costs"),
    ("transport x.npy x.npy --cost-matrix C.npy", 1, "x.npy: expected weights"),
    ("transport x.npy x.npy --cost great-circle:1 --as density", 1, "great-circle"),
    ("transport space.npy space.npy --cost great-circle:1", 1, "latitude and longitude"),
    // Numbers outside their domain.
    ("transport x.npy x.npy --epsilon 0", 2, "epsilon: 0 is not a positive number"),
    ("transport x.npy x.npy --epsilon -1", 2, "epsilon: -1 is not a positive number"),
    ("transport x.npy x.npy --epsilon nan", 2, "epsilon: NaN is not a positive number"),
    ("transport x.npy x.npy --epsilon inf", 2, "epsilon: inf is not a positive number"),
    ("transport x.npy x.npy --epsilon 1e-300", 2, "epsilon: 1e-300 is tiny"),
    ("barycenter d.npy d.npy --out o.png --epsilon 0", 2, "epsilon: 0 is not"),
    ("barycenter d.npy d.npy --out o.png --epsilon -1", 2, "epsilon: -1 is not"),
    ("barycenter d.npy d.npy --out o.png --epsilon nan", 2, "epsilon: NaN is not"),
    ("barycenter d.npy d.npy --out o.png --epsilon 1e-300", 2, "epsilon: 1e-300 is tiny"),
    ("transport x.npy x.npy --tolerance nan", 2, "tolerance: NaN is not a number from 0 up"),
    ("transport x.npy x.npy --tolerance -1", 2, "tolerance: -1 is not a number from 0 up"),
    ("transport x.npy x.npy --annealing 0.5", 2, "annealing: 0.5 is neither 1"),
    ("transport x.npy x.npy --max-iterations 0", 2, "--max-iterations"),
    ("transport x.npy x.npy --law-a kl:-1", 2, "rho = -1 is not a positive number"),
    ("transport x.npy x.npy --law-a tv:inf", 2, "rho = inf is not a positive number"),
    ("transport x.npy x.npy --law-a sticky", 2, "it is not a law"),
    ("transport x.npy x.npy --cost power:0", 2, "not a positive number"),
    ("transport x.npy x.npy --cost chebyshev", 2, "it is not a cost"),
    ("barycenter d.npy d.npy --out o.png --weights 0.5,0.6", 2, "they sum to 1.1"),
    ("barycenter d.npy d.npy --out o.png --weights -0.5,1.5", 2, "one of them is -0.5"),
    ("barycenter d.npy d.npy --out o.png --weights nan,1", 2, "one of them is NaN"),
    ("barycenter d.npy d.npy --out o.png --weights 1", 2, "1 weights for 2 inputs"),
    ("barycenter d.npy d.npy --out o.png --weights half,half", 2, "--weights"),
    ("barycenter d.npy d.npy --out o.png --support 0", 2, "--support"),
    ("barycenter d.npy d.npy --out o.png --support 4x4", 2, "--support: it has 2 axes"),
    ("barycenter d.npy d.npy --out o.png --frames 1", 2, "--frames"),
    ("transport x.npy x.npy --law-a range:2,3", 2, "a mass of 2 to 3 and B one of 1 to 1"),
    ("gromov x.npy x.npy --law sticky", 2, "sticky is not a law; use fixed, kl:RHO or free"),
    ("gromov x.npy x.npy --law range:1,2", 2, "no quadratic form"),
    (
        "gromov x.npy x.npy --tolerance -1",
        2,
        "tolerance: -1 is not a number from 0 up; give the change",
    ),
    ("flat x.npy x.npy --tolerance -1", 2, "tolerance: -1 is not a positive number; give how near"),
    // Options that contradict each other.
    ("transport x.npy", 2, "<B>"),
    ("transport", 2, "<A>"),
    (
        "transport x.npy x.npy --exact --law-b kl:1",
        2,
        "--law-b: exact transport has fixed marginals",
    ),
    ("transport --cost-matrix C.npy --divergence", 2, "--divergence"),
    ("transport d.npy d.npy --weights-a d1.npy --as density", 2, "weights of its own"),
    ("transport d1.npy d1.npy --cost-matrix C.npy --weights-a d1.npy", 2, "--weights-a"),
    ("barycenter d.npy d.npy --out o.png --npy o.png", 2, "o.png"),
    // Devices.
    ("transport x.npy x.npy --device 99", 2, "no such device: GPU 99"),
    ("transport x.npy x.npy --device abacus", 2, "no such device: a GPU named `abacus`"),
    // Memory.
    ("transport --cost-matrix C.npy --memory-limit 100", 1, "the cost matrix C.npy needs 800 B"),
    ("transport wide.npy wide.npy --as density --memory-limit 1KiB", 1, "only 1.0 KiB can be had"),
    ("transport wide.npy wide.npy --as density --exact --memory-limit 1MiB", 1, "the cost matrix"),
    (
        "transport wide.npy wide.npy --as density --coupling o.npy --memory-limit 1MiB",
        1,
        "the coupling",
    ),
    ("barycenter wide.npy wide.npy --npy o.npy --memory-limit 1KiB", 1, "only 1.0 KiB can be had"),
    ("transport x.npy x.npy --memory-limit plenty", 2, "--memory-limit"),
    ("tree huge_size.json", 1, "the points of node 0 needs"),
    ("tree huge_grid.json", 1, "the points of node 0 needs"),
    ("gromov --tree huge_grid.json", 1, "the grid of node 0 needs"),
    ("dynamic --spec huge_motion.json --json o.json", 1, "the densities needs"),
    ("dynamic --spec huge_bins.json --json o.json", 2, "are more than 2^32"),
    ("dynamic --example 6.2a --grid 1000000000x1000000000x8 --json o.json", 1, "the densities"),
    (
        "barycenter white.png white.png --support 1000000000x1000000000 --out o.png",
        1,
        "the support needs",
    ),
    ("gromov x.npy x.npy --labels labels.npy labels.npy", 1, "one of them is 1"),
    // Outputs.
    ("transport x.npy x.npy --coupling absent/o.npy", 1, "the folder absent does not exist"),
    ("transport x.npy x.npy --potentials absent/o.npz", 1, "the folder absent does not exist"),
    ("transport x.npy x.npy --json absent/o.json", 1, "the folder absent does not exist"),
    ("transport x.npy x.npy --json folder", 1, "this is a folder"),
    ("transport x.npy x.npy --coupling o.txt", 2, "o.txt does not end in .npy"),
    ("barycenter d.npy d.npy --out absent/o.png", 1, "the folder absent does not exist"),
    ("barycenter d.npy d.npy --out o.jpg", 2, "o.jpg does not end in .png"),
    ("barycenter d.npy d.npy --out o.png --frames 3 --animation o.avi", 2, ".gif or .png"),
];

#[test]
fn bad_input_is_refused_in_one_clear_line() {
    let place = workplace();
    for (words, code, message) in CASES {
        let ran = place.run(&words.split(' ').collect::<Vec<_>>());
        assert_eq!(ran.code, *code, "{words}: {}", ran.stderr);
        let error = ran.stderr.lines().find(|line| line.contains("error: "));
        let error = error.unwrap_or_else(|| panic!("{words}: {}", ran.stderr));
        // The parser of the command line puts what is missing on lines of their own.
        let said = if error.starts_with("gaspard: ") { error } else { &ran.stderr };
        assert!(said.contains(message), "{words}: {}", ran.stderr);
        assert!(!ran.stderr.contains("panicked"), "{words}: {}", ran.stderr);
        assert!(!ran.stderr.contains("converged"), "{words}: it was solved: {}", ran.stderr);
        for name in ["o.png", "o.npy", "o.npz", "o.json"] {
            assert!(!place.holds(name), "{words} has written {name}");
        }
    }
}
