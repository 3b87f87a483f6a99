//! Pictures and animations of densities: known pixels, scales, and files that are whole or not there.

#![cfg(feature = "io")]

use std::error::Error as _;
use std::fs;
use std::path::Path;

use gaspard::Error;
use gaspard::io::image::{Mass, read_density};
use gaspard::report::animation::{self, Playback};
use gaspard::report::curves::Chart;
use gaspard::report::picture::{Colormap, Scale, Style, Upscale, render, save_png, strip};
use image::{DynamicImage, RgbImage};
use ndarray::{Array1, Array2, Array3, ArrayD, IxDyn, array};
use tempfile::TempDir;

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut names: Vec<_> = entries
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

fn plain(colormap: Colormap) -> Style {
    Style::new(colormap).upscale(Upscale::Factor(1))
}

fn greys(picture: &RgbImage) -> Vec<u8> {
    picture.pixels().map(|pixel| pixel.0[0]).collect()
}

#[test]
fn colormaps_end_where_they_should_and_are_monotone() {
    let ends = [
        (Colormap::Grey, [0, 0, 0], [255, 255, 255]),
        (Colormap::Ink, [255, 255, 255], [12, 16, 36]),
        (Colormap::Magma, [0, 0, 4], [252, 253, 191]),
        (Colormap::Viridis, [68, 1, 84], [253, 231, 37]),
    ];
    for (colormap, first, last) in ends {
        let palette = colormap.palette();
        assert_eq!((palette[0], palette[255]), (first, last));
        let luma = palette.map(|[red, green, blue]| {
            0.2126 * f64::from(red) + 0.7152 * f64::from(green) + 0.0722 * f64::from(blue)
        });
        let sign = if colormap == Colormap::Ink { -1.0 } else { 1.0 };
        // Rounding to bytes may undo a fraction of a step.
        assert!(luma.windows(2).all(|pair| sign * (pair[1] - pair[0]) > -0.3), "{colormap:?}");
    }
}

#[test]
fn pixels_at_known_points() {
    let density = array![[0.0, 1.0, f64::NAN], [2.0, 4.0, -3.0]];
    let draw = |style: &Style| greys(&render(density.view(), style).expect("drawn"));
    let style = plain(Colormap::Grey);
    assert_eq!(draw(&style), [0, 64, 0, 128, 255, 0]);
    assert_eq!(draw(&style.gamma(0.5)), [0, 128, 0, 180, 255, 0]);
    assert_eq!(draw(&style.scale(Scale::Max(2.0))), [0, 128, 0, 255, 255, 0]);
    assert_eq!(draw(&style.scale(Scale::Quantile(0.75))), [0, 128, 0, 255, 255, 0]);
    let infinite = array![[f64::INFINITY, 1.0, 0.5]];
    assert_eq!(greys(&render(infinite.view(), &style).expect("drawn")), [255, 255, 128]);
    let ink = render(density.view(), &plain(Colormap::Ink)).expect("drawn");
    assert_eq!(ink.get_pixel(0, 0).0, [255, 255, 255]);
    assert_eq!(ink.get_pixel(1, 1).0, [12, 16, 36]);
}

#[test]
fn enlargement() {
    let size = |shape: [usize; 2]| {
        let picture = render(Array2::<f64>::ones(shape).view(), &Style::default()).expect("drawn");
        picture.dimensions()
    };
    assert_eq!(size([64, 64]), (256, 256));
    assert_eq!(size([100, 200]), (600, 300));
    assert_eq!(size([300, 400]), (400, 300));
    assert_eq!(size([1, 2000]), (4000, 2));
    let style = Style::new(Colormap::Grey).upscale(Upscale::Factor(2));
    let picture = render(array![[1.0, 0.0]].view(), &style).expect("drawn");
    assert_eq!(greys(&picture), [255, 255, 0, 0, 255, 255, 0, 0]);
}

#[test]
fn empty_and_flat_densities() {
    let style = plain(Colormap::Grey);
    for scale in [Scale::Own, Scale::Shared, Scale::Quantile(0.5)] {
        let style = style.scale(scale);
        let zeros = render(Array2::zeros([2, 2]).view(), &style).expect("drawn");
        assert_eq!(greys(&zeros), [0; 4]);
        let nan = render(Array2::from_elem([2, 2], f64::NAN).view(), &style).expect("drawn");
        assert_eq!(greys(&nan), [0; 4]);
    }
    let sparse = style.scale(Scale::Quantile(0.5));
    let picture = render(array![[0.0, 0.0, 0.0, 3.0]].view(), &sparse).expect("drawn");
    assert_eq!(greys(&picture), [0, 0, 0, 255]);
    for shape in [[0, 4], [4, 0]] {
        let error = render(Array2::zeros(shape).view(), &style).expect_err("nothing to draw");
        assert!(matches!(error, Error::Shape { .. }), "{error}");
    }
    assert!(render(ArrayD::zeros(IxDyn(&[1; 4])).view(), &style).is_err());
    assert!(render(ArrayD::zeros(IxDyn(&[])).view(), &style).is_err());
    assert!(strip::<ndarray::Ix2>(&[], &style).is_err());
}

#[test]
fn styles_outside_their_domain_are_refused() {
    let density = array![[1.0]];
    for style in [
        Style::default().gamma(0.0),
        Style::default().gamma(f64::NAN),
        Style::default().upscale(Upscale::Factor(0)),
        Style::default().scale(Scale::Max(0.0)),
        Style::default().scale(Scale::Max(f64::INFINITY)),
        Style::default().scale(Scale::Quantile(1.5)),
    ] {
        let error = render(density.view(), &style).expect_err("refused");
        assert!(error.is_usage() && error.source().is_none(), "{style:?}: {error}");
    }
    let huge = Style::default().upscale(Upscale::Factor(u32::MAX));
    assert!(matches!(render(density.view(), &huge), Err(Error::Data { .. })));
    assert!(matches!(render(array![1.0].view(), &huge), Err(Error::Data { .. })));
}

#[test]
fn bars_for_one_axis() {
    let style = Style::new(Colormap::Grey).upscale(Upscale::Factor(4));
    let picture = render(array![0.0, 1.0, 2.0].view(), &style).expect("drawn");
    assert_eq!(picture.dimensions(), (12, 256));
    let height = |bar: u32| (0..256).filter(|&y| picture.get_pixel(4 * bar, y).0[0] == 180).count();
    assert_eq!([height(0), height(1), height(2)], [0, 120, 240]);
    assert_eq!(picture.get_pixel(5, 255).0, [180; 3]);
    let long = Array1::from_shape_fn(1_000_000, |index| if index == 700_000 { 1.0 } else { 0.0 });
    let picture = render(long.view(), &Style::new(Colormap::Grey)).expect("drawn");
    assert!(picture.width() <= 1024);
    assert!(greys(&picture).contains(&180), "the peak is not lost");
}

#[test]
fn slices_for_three_axes() {
    let volume = Array3::from_shape_fn([3, 1, 2], |(slice, _, x)| (2 * slice + x) as f64);
    let picture = render(volume.view(), &plain(Colormap::Grey)).expect("drawn");
    assert_eq!(picture.dimensions(), (5, 3));
    let expected = [0, 51, 40, 102, 153, 40, 40, 40, 40, 40, 204, 255, 40, 40, 40];
    assert_eq!(greys(&picture), expected);
    let deep = Array3::<f64>::ones([1000, 4, 4]);
    let picture = render(deep.view(), &plain(Colormap::Grey)).expect("drawn");
    assert_eq!(picture.dimensions(), (8 * 5 - 1, 8 * 5 - 1));
}

#[test]
fn strips_with_own_and_shared_scale() {
    let frames = [array![[2.0]], array![[4.0], [0.0], [4.0]]];
    let draw = |scale| strip(&frames, &plain(Colormap::Grey).scale(scale)).expect("drawn");
    let own = draw(Scale::Own);
    assert_eq!(own.dimensions(), (1 + 8 + 1, 3));
    let column = |picture: &RgbImage, x| [0, 1, 2].map(|y| picture.get_pixel(x, y).0[0]);
    assert_eq!(column(&own, 0), [40, 255, 40]);
    assert_eq!(column(&own, 4), [40; 3]);
    assert_eq!(column(&own, 9), [255, 0, 255]);
    assert_eq!(column(&draw(Scale::Shared), 0), [40, 128, 40]);
}

#[test]
fn saved_pictures_are_read_back() {
    let folder = folder();
    let path = folder.path().join("density.png");
    save_png(&path, array![[0.0, 1.0], [3.0, 5.0]].view(), &plain(Colormap::Grey)).expect("saved");
    let density = read_density(&path, Mass::Light).expect("read");
    assert_eq!(density, array![[0.0, 0.2], [0.6, 1.0]]);
    assert_eq!(names_in(folder.path()), ["density.png"]);
}

/// Three frames, in which a block of mass walks over 4 by 6 values.
fn walk() -> Vec<Array2<f64>> {
    (0..3)
        .map(|at| {
            Array2::from_shape_fn([4, 6], |(y, x)| if x / 2 == at { (y + 1) as f64 } else { 0.0 })
        })
        .collect()
}

#[test]
fn gif_holds_the_very_colours() {
    let folder = folder();
    let path = folder.path().join("walk.gif");
    let style = plain(Colormap::Viridis).scale(Scale::Shared);
    animation::save(&path, &walk(), &style, Playback::there_and_back(0.08)).expect("saved");
    let mut options = gif::DecodeOptions::new();
    options.set_color_output(gif::ColorOutput::RGBA);
    let mut decoder = options.read_info(fs::File::open(&path).expect("a file")).expect("a GIF");
    assert_eq!((decoder.width(), decoder.height()), (6, 4));
    assert_eq!(decoder.repeat(), gif::Repeat::Infinite);
    let mut frames = Vec::new();
    while let Some(frame) = decoder.read_next_frame().expect("a frame") {
        assert_eq!(frame.delay, 8);
        frames.push(frame.buffer.to_vec());
    }
    let frame = |index: usize| render(walk()[index].view(), &style).expect("drawn");
    let rgba = |index| DynamicImage::from(frame(index)).into_rgba8().into_raw();
    assert_eq!(frames, [0, 1, 2, 1].map(rgba));
}

#[test]
fn animated_png_holds_the_very_colours() {
    let folder = folder();
    for name in ["walk.png", "walk.APNG"] {
        let path = folder.path().join(name);
        animation::save(&path, &walk(), &plain(Colormap::Magma), 0.25).expect("saved");
        let content = std::io::BufReader::new(fs::File::open(&path).expect("a file"));
        let mut decoder = png::Decoder::new(content);
        decoder.set_transformations(png::Transformations::EXPAND);
        let mut reader = decoder.read_info().expect("a PNG");
        let control = reader.info().animation_control().copied().expect("animated");
        assert_eq!((control.num_frames, control.num_plays), (3, 0));
        for density in walk() {
            let mut buffer = vec![0; reader.output_buffer_size().expect("a size")];
            reader.next_frame(&mut buffer).expect("a frame");
            let delay = reader.info().frame_control().expect("a frame");
            assert_eq!((delay.delay_num, delay.delay_den), (250, 1000));
            let expected = render(density.view(), &plain(Colormap::Magma)).expect("drawn");
            assert_eq!(buffer, expected.into_raw());
        }
    }
    assert_eq!(names_in(folder.path()), ["walk.APNG", "walk.png"]);
}

#[test]
fn animations_that_cannot_be_made_leave_nothing() {
    let folder = folder();
    let save = |name: &str, frames: &[Array2<f64>], seconds: f64| {
        let path = folder.path().join(name);
        animation::save(&path, frames, &plain(Colormap::Ink), seconds).expect_err(name)
    };
    assert!(matches!(save("walk.mp4", &walk(), 0.1), Error::File { .. }));
    assert!(matches!(save("walk.gif", &walk(), 0.0), Error::Parameter { .. }));
    assert!(matches!(save("walk.gif", &walk(), f64::NAN), Error::Parameter { .. }));
    assert!(matches!(save("walk.gif", &[], 0.1), Error::Shape { .. }));
    let mixed = [Array2::zeros([2, 2]), Array2::zeros([2, 3])];
    assert!(matches!(save("walk.png", &mixed, 0.1), Error::Shape { .. }));
    let wide = [Array2::zeros([1, 70_000])];
    assert!(matches!(save("walk.gif", &wide, 0.1), Error::File { .. }));
    assert_eq!(names_in(folder.path()), Vec::<String>::new());
}

#[test]
fn one_frame_is_an_animation_too() {
    let folder = folder();
    for name in ["one.gif", "one.png"] {
        let path = folder.path().join(name);
        let frames = [array![0.0, 1.0]];
        animation::save(&path, &frames, &plain(Colormap::Ink), Playback::there_and_back(0.1))
            .expect(name);
        assert!(path.is_file());
    }
}

#[test]
fn curves_go_where_their_points_are() {
    let blue = |pixel: &&[u8; 3]| pixel[2] > pixel[0].saturating_add(60);
    let chart = |points: &[(f64, f64)]| {
        Chart::new("x", "y")
            .dashed("frame", [(0.0, 0.0), (1.0, 1.0)])
            .curve("curve", points.to_vec())
    };
    // The legend in the corner above to the right has some blue as well.
    let halves = |picture: &RgbImage| {
        let mut counts = [0; 2];
        for (_, y, pixel) in picture.enumerate_pixels() {
            counts[usize::from(y > 250)] += blue(&&pixel.0) as usize;
        }
        counts
    };
    let legend = halves(&chart(&[(f64::NAN, 0.0)]).render().unwrap());
    let below = halves(&chart(&[(0.0, 0.1), (1.0, 0.1)]).render().unwrap());
    assert!(legend[0] > 0 && legend[1] == 0, "{legend:?}");
    assert!(below[0] == legend[0] && below[1] > 500, "{below:?}");
    // A gap where a number is missing: two thirds of the line are left.
    let thirds = [(0.0, 0.1), (0.4, 0.1), (f64::INFINITY, 0.1), (0.7, 0.1), (1.0, 0.1)];
    let gap = halves(&chart(&thirds).render().unwrap());
    let share = gap[1] as f64 / below[1] as f64;
    assert!((share - 0.7).abs() < 0.02, "{share}");
}

#[test]
fn charts_that_cannot_be_drawn_say_why() {
    let drawn = |chart: Chart| chart.render().map(|_| ()).unwrap_err().to_string();
    assert!(drawn(Chart::new("x", "y")).contains("no points"));
    assert!(drawn(Chart::new("x", "y").dots("a", [(0.0, f64::NAN)])).contains("no points"));
    let small = Chart::new("x", "y").curve("a", [(0.0, 1.0)]).size(10, 500);
    assert!(drawn(small).contains("10 x 500"));
    let folder = folder();
    let chart = Chart::new("x", "y").title("one dot").dots("a", [(2.0, 1.0)]);
    chart.save_png(folder.path().join("dot.png")).unwrap();
    assert_eq!(names_in(folder.path()), ["dot.png"]);
}
