//! `gaspard dynamic --paths`.

use ndarray::Axis;

use super::workplace::{Workplace, devices};

#[test]
fn curves_of_particles_are_drawn_and_kept() {
    let place = Workplace::new();
    for device in devices() {
        let run = |seed: &str| {
            place.results(&[
                "dynamic",
                "gaussian:0.3,0.4,0.1",
                "gaussian:0.7,0.6,0.1",
                "--grid",
                "20x16x8",
                "--map",
                "hills:0.5,0.5,0.2",
                "--map",
                "scale:2",
                "--paths",
                "curves.png",
                "--particles",
                "30",
                "--seed",
                seed,
                "--npz",
                "curves.npz",
                "--device",
                device,
            ]);
            place.unpack("curves.npz", "particles")
        };
        let particles = run("1");
        assert_eq!(particles.shape(), [9, 30, 2]);
        let mean = |node: usize| particles.index_axis(Axis(0), node).mean_axis(Axis(0)).unwrap();
        for (node, place) in [(0, [0.3, 0.4]), (8, [0.7, 0.6])] {
            for (found, x) in mean(node).iter().zip(place) {
                assert!((found - x).abs() < 0.05, "{}", mean(node));
            }
        }
        assert_eq!(particles, run("1"));
        assert_ne!(particles, run("2"));
        // Three panels of 320 pixels, the last one as wide as its cells have it.
        let picture = image::open(place.path("curves.png")).unwrap().to_rgb8();
        assert_eq!(picture.height(), 320 + 2 * 16);
        assert!(picture.width().abs_diff(3 * 320 + 2 * 24 + 2 * 16) < 8, "{}", picture.width());
        assert_eq!(picture.get_pixel(4, 4).0, [255; 3]);
    }
}

#[test]
fn curves_are_drawn_along_lines_and_in_volumes() {
    let place = Workplace::new();
    for (ends, grid) in [
        (["gaussian:0.3,0.1", "gaussian:0.7,0.1"], "24x8"),
        (["gaussian:0.3,0.4,0.5,0.15", "gaussian:0.6,0.6,0.5,0.15"], "8x8x8x6"),
    ] {
        // The picture alone is enough of an output.
        let fixed = ["--device", "cpu", "--paths", "curves.png", "--grid", grid];
        let ran = place.run(&[&["dynamic"][..], &ends, &fixed].concat());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let picture = image::open(place.path("curves.png")).unwrap().to_rgb8();
        assert!(picture.pixels().any(|pixel| pixel.0[0] > pixel.0[2].saturating_add(60)));
    }
}

#[test]
fn options_of_curves_are_checked() {
    let place = Workplace::new();
    let ends = ["dynamic", "gaussian:0.3,0.1", "gaussian:0.7,0.1", "--grid", "8x4"];
    for (more, words) in [
        (&["--paths", "curves.gif"][..], ".png"),
        (&["--paths", "a.png", "--picture", "a.png"], "a.png"),
        (&["--paths", "a.png", "--particles", "0"], "--particles"),
        (&["--json", "-", "--particles", "5"], "--paths"),
    ] {
        let refused = place.run(&[&ends[..], more].concat());
        assert_eq!(refused.code, 2, "{more:?}: {}", refused.stderr);
        assert!(refused.stderr.contains(words), "{more:?}: {}", refused.stderr);
    }
}
