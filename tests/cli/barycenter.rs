//! `gaspard barycenter`

use ndarray::{Array1, Array2, Array3, Axis};

use super::workplace::{Workplace, devices, number};

/// A bump of width 2 cells.
fn bump(length: usize, at: f64) -> Array1<f64> {
    Array1::from_shape_fn(length, |cell| (-0.125 * (cell as f64 - at).powi(2)).exp())
}

fn centre(density: &Array1<f64>) -> f64 {
    density.iter().enumerate().map(|(cell, mass)| cell as f64 * mass).sum()
}

#[test]
fn the_mean_is_where_the_weights_put_it() {
    let place = Workplace::new();
    // Masses differ: inputs of barycenters count with mass 1.
    place.write("left.npy", &bump(40, 10.0));
    place.write("right.npy", &(3.0 * bump(40, 30.0)));
    for device in devices() {
        let json = place.results(&[
            "barycenter",
            "left.npy",
            "right.npy",
            "--weights",
            "0.3,0.7",
            "--npy",
            "mean.npy",
            "--device",
            device,
        ]);
        let mean: Array1<f64> = place.read("mean.npy").into_dimensionality().unwrap();
        assert!((mean.sum() - 1.0).abs() < 1e-9);
        assert!((centre(&mean) - 24.0).abs() < 0.01, "{device}: {}", centre(&mean));
        for name in [
            "value",
            "linear",
            "entropic",
            "marginal_terms",
            "marginal_error",
            "epsilon",
            "iterations",
            "seconds",
            "tolerance",
            "mass",
        ] {
            assert!(json[name].is_number(), "{name} in {json}");
        }
        assert!(json["dual"].is_null(), "what is not computed is null");
        assert_eq!(json["converged"], true);
        assert_eq!(json["weights"], serde_json::json!([0.3, 0.7]));
        assert_eq!(json["support"], serde_json::json!([40]));
        assert!(json["record"]["device"]["name"].is_string());
    }
}

#[test]
fn pictures_come_out_as_they_went_in() {
    let place = Workplace::new();
    let square = |x0: u32| {
        move |x: u32, y: u32| {
            if (x0..x0 + 4).contains(&x) && (4..8).contains(&y) { 255 } else { 0 }
        }
    };
    place.picture("left.png", 16, 12, square(2));
    place.picture("right.png", 16, 12, square(10));
    let ran = place.run(&[
        "barycenter",
        "left.png",
        "right.png",
        "--out",
        "mean.png",
        "--npy",
        "mean.npy",
        "--debiased",
    ]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let picture = image::open(place.path("mean.png")).unwrap().to_luma8();
    assert_eq!(picture.dimensions(), (16, 12));
    let mean = place.read("mean.npy");
    assert_eq!(mean.shape(), [12, 16]);
    assert!((mean.sum() - 1.0).abs() < 1e-9);
    // The square has moved to the middle, columns 6 to 9, and is light on dark.
    assert!(mean[[5, 7]] > 0.9 / 16.0 && mean[[5, 2]] < 1e-3, "{mean:?}");
    assert!(picture.get_pixel(7, 5).0[0] > 200 && picture.get_pixel(2, 5).0[0] < 20);

    let dark = place.run(&[
        "barycenter",
        "left.png",
        "right.png",
        "--mass",
        "dark",
        "--out",
        "dark.png",
        "--support",
        "6x8",
    ]);
    assert_eq!(dark.code, 0, "{}", dark.stderr);
    let picture = image::open(place.path("dark.png")).unwrap().to_luma8();
    assert_eq!(picture.dimensions(), (8, 6));
    // All around the squares is mass now, drawn dark.
    assert_eq!(picture.pixels().map(|pixel| pixel.0[0]).min(), Some(0));
}

#[test]
fn frames_go_from_the_first_to_the_last() {
    let place = Workplace::new();
    for (name, at) in [("a.npy", 5.0), ("b.npy", 15.0), ("c.npy", 10.0)] {
        place.write(name, &bump(20, at));
    }
    let ran = place.run(&[
        "barycenter",
        "a.npy",
        "b.npy",
        "c.npy",
        "--out",
        "way.png",
        "--frames",
        "5",
        "--frames-npy",
        "frames.npy",
        "--json",
        "way.json",
    ]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let frames: Array2<f64> = place.read("frames.npy").into_dimensionality().unwrap();
    let centres: Vec<f64> = frames.axis_iter(Axis(0)).map(|row| centre(&row.to_owned())).collect();
    for (found, expected) in centres.iter().zip([5.0, 10.0, 15.0, 12.5, 10.0]) {
        assert!((found - expected).abs() < 0.1, "{centres:?}");
    }
    assert!(place.holds("way.png") && place.holds("way_strip.png"));
    let json = std::fs::read_to_string(place.path("way.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["frames"].as_array().unwrap().len(), 5);
    let gif = std::fs::File::open(place.path("way.gif")).unwrap();
    let mut decoder = gif::DecodeOptions::new().read_info(gif).unwrap();
    let mut count = 0;
    while decoder.read_next_frame().unwrap().is_some() {
        count += 1;
    }
    assert_eq!(count, 5);

    let ran = place.run(&[
        "barycenter",
        "a.npy",
        "b.npy",
        "--npy",
        "mean.npy",
        "--frames",
        "2",
        "--animation",
        "way2.png",
    ]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let reader = png::Decoder::new(std::io::BufReader::new(
        std::fs::File::open(place.path("way2.png")).unwrap(),
    ));
    let info = reader.read_info().unwrap();
    assert_eq!(info.info().animation_control.unwrap().num_frames, 2);
}

#[test]
fn volumes_and_single_pixels_have_barycenters() {
    let place = Workplace::new();
    place.write("cube.npy", &Array3::<f64>::ones((2, 3, 2)));
    place.picture("pixel.png", 1, 1, |_, _| 9);
    place.picture("row.png", 5, 1, |x, _| x as u8);
    for device in devices() {
        for (input, shape) in
            [("cube.npy", &[2, 3, 2][..]), ("pixel.png", &[1, 1]), ("row.png", &[1, 5])]
        {
            let ran = place.run(&[
                "barycenter",
                input,
                input,
                "--out",
                "o.png",
                "--npy",
                "o.npy",
                "--device",
                device,
            ]);
            assert_eq!(ran.code, 0, "{input}: {}", ran.stderr);
            let mean = place.read("o.npy");
            assert_eq!(mean.shape(), shape);
            assert!((mean.sum() - 1.0).abs() < 1e-9);
        }
    }
}

#[test]
fn what_has_not_converged_is_written_all_the_same() {
    let place = Workplace::new();
    place.write("left.npy", &bump(40, 10.0));
    place.write("right.npy", &bump(40, 30.0));
    let ran = place.run(&[
        "barycenter",
        "left.npy",
        "right.npy",
        "--out",
        "o.png",
        "--max-iterations",
        "11",
        "--json",
        "-",
    ]);
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    assert!(ran.stderr.contains("not converged"), "{}", ran.stderr);
    assert!(number(&ran.json(), "iterations") <= 11.0);
    assert!(place.holds("o.png"));
}
