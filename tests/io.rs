//! Arrays and pictures as files: what is written is read back, and no bad file does worse than an error.

#![cfg(feature = "io")]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use gaspard::Result;
use gaspard::io::image::{Mass, read_density};
use gaspard::io::{atomic_write, npy, npz};
use image::{DynamicImage, GrayAlphaImage, GrayImage, ImageBuffer, Luma, Rgb, RgbImage, Rgba};
use ndarray::{Array1, Array2, ArrayD, IxDyn, array};
use proptest::prelude::*;
use tempfile::TempDir;

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// A file with these bytes, in a folder that lives as long as the first value.
fn file(name: &str, content: &[u8]) -> (TempDir, PathBuf) {
    let folder = folder();
    let path = folder.path().join(name);
    fs::write(&path, content).expect("written");
    (folder, path)
}

fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut names: Vec<_> = entries
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// The text of the error, which must name the path.
fn problem<T: std::fmt::Debug>(result: Result<T>, path: &Path) -> String {
    let text = result.expect_err("an error").to_string();
    assert!(text.starts_with(&path.display().to_string()), "{text}");
    text
}

/// A `.npy` file as NumPy writes it, put together by hand.
fn npy_file(descr: &str, fortran: bool, shape: &str, data: &[u8]) -> Vec<u8> {
    let fortran = if fortran { "True" } else { "False" };
    raw_npy(&format!("{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}"), data)
}

fn raw_npy(header: &str, data: &[u8]) -> Vec<u8> {
    let length = (10 + header.len() + 1).next_multiple_of(64) - 10;
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend(u16::try_from(length).expect("a short header").to_le_bytes());
    file.extend(format!("{header:<width$}\n", width = length - 1).bytes());
    file.extend(data);
    file
}

fn read_npy(content: &[u8]) -> Result<ArrayD<f64>> {
    let (_folder, path) = file("array.npy", content);
    npy::read(&path)
}

/// The bit patterns, so that NaN equals NaN and zero differs from minus zero.
fn bits(array: &ArrayD<f64>) -> Vec<u64> {
    array.iter().map(|value| value.to_bits()).collect()
}

fn arrays() -> impl Strategy<Value = ArrayD<f64>> {
    prop::collection::vec(0_usize..5, 0..5).prop_flat_map(|shape| {
        let count: usize = shape.iter().product();
        prop::collection::vec(prop::num::f64::ANY, count)
            .prop_map(move |data| ArrayD::from_shape_vec(shape.clone(), data).expect("it fits"))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn npy_round_trip(array in arrays()) {
        let folder = folder();
        let path = folder.path().join("array.npy");
        npy::write(&path, array.view())?;
        let back = npy::read(&path)?;
        prop_assert_eq!(back.shape(), array.shape());
        prop_assert_eq!(bits(&back), bits(&array));
        npy::write(&path, array.t())?;
        prop_assert_eq!(bits(&npy::read(&path)?), bits(&array.t().to_owned()));
    }

    #[test]
    fn npz_round_trip(first in arrays(), second in arrays()) {
        let folder = folder();
        let path = folder.path().join("arrays.npz");
        npz::write(&path, &[("f", first.view()), ("coupling 2", second.view())])?;
        let back = npz::read(&path)?;
        prop_assert_eq!((&*back[0].0, &*back[1].0, back.len()), ("f", "coupling 2", 2));
        prop_assert_eq!(bits(&back[0].1), bits(&first));
        prop_assert_eq!(back[1].1.shape(), second.shape());
    }

    /// Damage may go unseen in the data of a `.npy` file, but never causes a panic.
    #[test]
    fn damaged_arrays_do_not_panic(at in 0_usize..400, byte: u8, cut in 0_usize..400) {
        let folder = folder();
        let path = folder.path().join("array");
        let array = ArrayD::from_elem(IxDyn(&[3, 4]), 0.1);
        let read_npy = |path: &Path| npy::read(path).map(|_| ());
        let read_npz = |path: &Path| npz::read(path).map(|_| ());
        for format in [0, 1] {
            match format {
                0 => npy::write(&path, array.view())?,
                _ => npz::write(&path, &[("a", array.view())])?,
            }
            let mut content = fs::read(&path)?;
            let at = at % content.len();
            content[at] = byte;
            fs::write(&path, &content)?;
            let _ = (read_npy(&path), read_npz(&path));
            fs::write(&path, &content[..cut.min(content.len() - 1)])?;
            prop_assert!(read_npy(&path).is_err() && read_npz(&path).is_err());
        }
    }

    #[test]
    fn noise_after_the_magic_is_an_error(noise in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(read_npy(&[b"\x93NUMPY\x01\x00".as_slice(), &noise].concat()).is_err());
    }
}

#[test]
fn every_dtype_is_read() {
    let cases: [(&str, &[u8], [f64; 2]); 17] = [
        ("'|b1'", &[0, 1], [0.0, 1.0]),
        ("'|i1'", &[0x80, 0x7f], [-128.0, 127.0]),
        ("'|u1'", &[0, 255], [0.0, 255.0]),
        ("'<i2'", &[0xfe, 0xff, 0x00, 0x01], [-2.0, 256.0]),
        ("'>i2'", &[0xff, 0xfe, 0x01, 0x00], [-2.0, 256.0]),
        ("'<u2'", &[0xfe, 0xff, 0x00, 0x01], [65534.0, 256.0]),
        ("'<i4'", &[0xfe, 0xff, 0xff, 0xff, 0, 0, 1, 0], [-2.0, 65536.0]),
        ("'>i4'", &[0xff, 0xff, 0xff, 0xfe, 0, 1, 0, 0], [-2.0, 65536.0]),
        ("'<u4'", &[0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0], [4294967295.0, 1.0]),
        ("'<i8'", &[&[0xff; 8], 3_i64.to_le_bytes().as_slice()].concat(), [-1.0, 3.0]),
        ("'>u8'", &[7_u64.to_be_bytes(), [0xff; 8]].concat(), [7.0, 18446744073709551615.0]),
        ("'<f2'", &[0x00, 0x3c, 0x01, 0x80], [1.0, -(2_f64.powi(-24))]),
        ("'>f2'", &[0x7b, 0xff, 0xfc, 0x00], [65504.0, f64::NEG_INFINITY]),
        ("'<f4'", &[1.5_f32.to_le_bytes(), (-0.25_f32).to_le_bytes()].concat(), [1.5, -0.25]),
        ("'>f4'", &[1.5_f32.to_be_bytes(), (-0.25_f32).to_be_bytes()].concat(), [1.5, -0.25]),
        ("'<f8'", &[0.1_f64.to_le_bytes(), (-2.0_f64).to_le_bytes()].concat(), [0.1, -2.0]),
        ("\">f8\"", &[0.1_f64.to_be_bytes(), (-2.0_f64).to_be_bytes()].concat(), [0.1, -2.0]),
    ];
    for (descr, data, expected) in cases {
        let array = read_npy(&npy_file(descr, false, "(2,)", data)).expect(descr);
        assert_eq!(array, Array1::from_vec(expected.to_vec()).into_dyn(), "{descr}");
    }
}

#[test]
fn half_precision_agrees_with_the_table() {
    // IEEE 754 binary16: smallest subnormal, largest subnormal, smallest normal, a third, zeros.
    let cases = [
        (0x0001, 5.960464477539063e-8),
        (0x03ff, 6.097555160522461e-5),
        (0x0400, 6.103515625e-5),
        (0x3555, 0.333251953125),
        (0x0000, 0.0),
        (0x8000, -0.0),
    ];
    let data: Vec<u8> = cases.iter().flat_map(|(half, _)| u16::to_le_bytes(*half)).collect();
    let array = read_npy(&npy_file("'<f2'", false, "(6,)", &data)).expect("half precision");
    for (value, (half, expected)) in array.iter().zip(cases) {
        assert_eq!(value.to_bits(), f64::to_bits(expected), "{half:#06x}");
    }
    let nan = read_npy(&npy_file("'<f2'", false, "()", &[0x00, 0x7e])).expect("one NaN");
    assert!(nan.ndim() == 0 && nan.first().is_some_and(|value| value.is_nan()));
}

#[test]
fn fortran_order_is_turned_into_c_order() {
    let data = [1, 4, 2, 5, 3, 6];
    let array = read_npy(&npy_file("'|u1'", true, "(2, 3)", &data)).expect("a matrix");
    assert_eq!(array, array![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]].into_dyn());
    assert!(array.is_standard_layout());
}

#[test]
fn headers_of_other_writers_are_read() {
    let compact = raw_npy("{\"shape\":(2L,1),\"descr\":\"|u1\",\"fortran_order\":False}", &[5, 6]);
    assert_eq!(read_npy(&compact).expect("version 1"), array![[5.0], [6.0]].into_dyn());
    let mut second = b"\x93NUMPY\x02\x00".to_vec();
    second.extend(&compact[8..10]);
    second.extend([0, 0]);
    second.extend(&compact[10..]);
    assert_eq!(read_npy(&second).expect("version 2"), array![[5.0], [6.0]].into_dyn());
}

#[test]
fn nan_infinities_and_empty_axes_are_kept() {
    let folder = folder();
    let path = folder.path().join("array.npy");
    npy::write(&path, array![f64::NAN, f64::INFINITY, -0.0].into_dyn().view()).expect("written");
    let array = npy::read(&path).expect("read");
    assert!(array[0].is_nan() && array[1] == f64::INFINITY && array[2].is_sign_negative());
    npy::write(&path, ArrayD::zeros(IxDyn(&[3, 0, 2])).view()).expect("written");
    assert_eq!(npy::read(&path).expect("read").shape(), [3, 0, 2]);
}

#[test]
fn written_npy_is_what_numpy_writes() {
    let folder = folder();
    let path = folder.path().join("array.npy");
    npy::write(&path, array![1.0, 2.0].into_dyn().view()).expect("written");
    let data = [1.0_f64.to_le_bytes(), 2.0_f64.to_le_bytes()].concat();
    assert_eq!(fs::read(&path).expect("read"), npy_file("'<f8'", false, "(2,)", &data));
}

#[test]
fn bad_npy_files_say_what_is_wrong() {
    let long = "(".repeat(60_000);
    let axes = format!("({})", "1, ".repeat(5000));
    let cases: [(Vec<u8>, &str); 18] = [
        (vec![], "not a .npy file"),
        (b"x,y\n1,2\n".to_vec(), "not a .npy file"),
        (b"\x93NUMPY\x01\x00".to_vec(), "cut short"),
        (b"\x93NUMPY\x09\x00\x00\x00".to_vec(), "version 9"),
        (b"\x93NUMPY\x02\x00\xff\xff\xff\xff".to_vec(), "damaged"),
        (npy_file("'<f8'", false, "(2,)", &[0; 15]), "16 bytes for the shape [2], but 15"),
        (npy_file("'<f8'", false, "(2,)", &[0; 17]), "too long"),
        (npy_file("'<f8'", false, "(1000000000000,)", &[0; 8]), "cut short"),
        (npy_file("'<f8'", false, "(4294967296, 4294967296)", &[]), "damaged"),
        (npy_file("'<f8'", false, "(0, 18446744073709551615, 9)", &[]), "damaged"),
        (npy_file("'<f8'", false, "(99999999999999999999,)", &[]), "damaged"),
        (npy_file("'<f8'", false, "(-1,)", &[]), "damaged"),
        (npy_file("'<c16'", false, "(1,)", &[0; 16]), "elements of type <c16"),
        (npy_file("'|O'", false, "(1,)", &[0; 8]), "elements of type |O"),
        (npy_file("[('x', '<f8')]", false, "(1,)", &[0; 8]), "records"),
        (raw_npy("{'descr': '<f8'}", &[0; 8]), "damaged"),
        (raw_npy(&long, &[]), "damaged"),
        (npy_file("'<f8'", false, &axes, &[0; 8]), "damaged"),
    ];
    for (content, expected) in cases {
        let (_folder, path) = file("array.npy", &content);
        let text = problem(npy::read(&path), &path);
        assert!(text.contains(expected), "{expected}: {text}");
        assert!(text.len() < 400, "{}", text.len());
    }
}

#[test]
fn missing_files_and_folders_are_named() {
    let folder = folder();
    let missing = folder.path().join("none");
    for (path, expected) in [(missing.as_path(), "no such file"), (folder.path(), "folder")] {
        assert!(problem(npy::read(path), path).contains(expected));
        assert!(problem(npz::read(path), path).contains(expected));
        assert!(problem(read_density(path, Mass::Light), path).contains(expected));
    }
    assert!(
        problem(npy::write(folder.path(), ArrayD::zeros(IxDyn(&[])).view()), folder.path())
            .contains("folder")
    );
    let lost = missing.join("array.npy");
    let text = problem(npy::write(&lost, ArrayD::zeros(IxDyn(&[])).view()), &lost);
    assert!(text.contains("create it first"), "{text}");
}

#[test]
fn archives_are_checked() {
    let folder = folder();
    let path = folder.path().join("arrays.npz");
    let mut archive = zip::ZipWriter::new(fs::File::create(&path).expect("created"));
    let stored =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    archive.start_file("mask.npy", stored).expect("an entry");
    archive.write_all(&npy_file("'|b1'", false, "(3,)", &[1, 0, 1])).expect("written");
    archive.finish().expect("finished");
    let expected = ("mask".to_string(), array![1.0, 0.0, 1.0].into_dyn());
    assert_eq!(npz::read(&path).expect("stored entries"), [expected]);

    let mut content = fs::read(&path).expect("read");
    let data = content.iter().rposition(|&byte| byte == b'}').expect("a header");
    let last = (data..).find(|&at| content[at..].starts_with(b"\n\x01\x00\x01")).expect("data") + 3;
    content[last] = 0;
    fs::write(&path, &content).expect("written");
    let text = problem(npz::read(&path), &path);
    assert!(text.contains("\"mask\"") && text.to_lowercase().contains("checksum"), "{text}");

    fs::write(&path, b"PK\x03\x04 and nothing else").expect("written");
    assert!(problem(npz::read(&path), &path).contains("not a .npz archive"));
    let twice = [("f", array![1.0].into_dyn()), ("f", array![2.0].into_dyn())];
    assert!(npz::write(&path, &twice).is_err());
    assert_eq!(names_in(folder.path()), ["arrays.npz"]);
}

#[test]
fn a_failed_write_leaves_the_old_file_and_nothing_else() {
    let (folder, path) = file("result", b"old");
    let text = problem(
        atomic_write(&path, |out| {
            out.write_all(b"half of the new")?;
            Err(std::io::Error::other("the cable was pulled"))
        }),
        &path,
    );
    assert!(text.contains("the cable was pulled"));
    assert_eq!(fs::read(&path).expect("read"), b"old");
    assert_eq!(names_in(folder.path()), ["result"]);
    atomic_write(&path, |out| out.write_all(b"new")).expect("written");
    assert_eq!(fs::read(&path).expect("read"), b"new");
    assert_eq!(names_in(folder.path()), ["result"]);
}

#[cfg(unix)]
#[test]
fn links_and_devices_stay_what_they_are() {
    let (folder, path) = file("result", b"old");
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&path, &link).expect("a link");
    atomic_write(&link, |out| out.write_all(b"new")).expect("written");
    assert!(fs::symlink_metadata(&link).expect("a link").is_symlink());
    assert_eq!(fs::read(&path).expect("read"), b"new");
    atomic_write("/dev/null", |out| out.write_all(b"gone")).expect("written");
    assert!(!fs::metadata("/dev/null").expect("a device").is_file());
}

/// The density of a picture saved under this name.
fn density_of(picture: impl Into<DynamicImage>, name: &str, mass: Mass) -> Array2<f64> {
    let folder = folder();
    let path = folder.path().join(name);
    picture.into().save(&path).expect("saved");
    read_density(&path, mass).expect(name)
}

#[test]
fn grey_pictures_of_8_and_16_bits() {
    let grey = GrayImage::from_raw(2, 3, vec![0, 255, 51, 102, 153, 204]).expect("a picture");
    for name in ["a.png", "a.bmp", "a.pgm"] {
        let density = density_of(grey.clone(), name, Mass::Light);
        assert_eq!(density, array![[0.0, 1.0], [0.2, 0.4], [0.6, 0.8]], "{name}");
    }
    let dark = density_of(grey, "a.png", Mass::Dark);
    assert_eq!((dark[[0, 0]], dark[[0, 1]]), (1.0, 0.0));
    let fine = ImageBuffer::<Luma<u16>, _>::from_raw(2, 1, vec![1_u16, 65535]).expect("a picture");
    let density = density_of(fine, "a.png", Mass::Light);
    assert_eq!(density, array![[1.0 / 65535.0, 1.0]]);
}

#[test]
fn colours_weigh_as_in_rec_709_and_paper_carries_nothing() {
    let colours = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [77, 77, 77]];
    let picture = RgbImage::from_fn(5, 1, |x, _| Rgb(colours[x as usize]));
    let light = density_of(picture.clone(), "a.png", Mass::Light);
    let expected = [0.2126, 0.7152, 0.0722, 1.0, 77.0 / 255.0];
    for (value, expected) in light.iter().zip(expected) {
        assert!((value - expected).abs() < 1e-15, "{value} {expected}");
    }
    assert_eq!(density_of(picture.clone(), "a.png", Mass::Dark)[[0, 3]], 0.0);
    let lossy = density_of(picture, "a.jpg", Mass::Light);
    assert_eq!(lossy.dim(), (1, 5));
}

#[test]
fn transparent_pixels_carry_no_mass() {
    let picture = GrayAlphaImage::from_raw(2, 2, vec![255, 0, 255, 51, 0, 0, 0, 255]);
    let picture = picture.expect("a picture");
    let read = |mass| density_of(picture.clone(), "a.png", mass);
    assert_eq!(read(Mass::Light), array![[0.0, 0.2], [0.0, 0.0]]);
    assert_eq!(read(Mass::Dark), array![[0.0, 0.0], [0.0, 1.0]]);
    assert_eq!(read(Mass::Alpha), array![[0.0, 0.2], [0.0, 1.0]]);
    let half = ImageBuffer::from_pixel(1, 1, Rgba([0_u16, 65535, 0, 13107]));
    let density = density_of(half, "a.png", Mass::Light);
    assert!((density[[0, 0]] - 0.7152 * 0.2).abs() < 1e-15);

    let folder = folder();
    let path = folder.path().join("opaque.png");
    GrayImage::new(2, 2).save(&path).expect("saved");
    assert!(problem(read_density(&path, Mass::Alpha), &path).contains("no alpha channel"));
}

#[test]
fn bad_pictures_say_what_is_wrong() {
    let folder = folder();
    let path = folder.path().join("picture.png");
    RgbImage::new(40, 40).save(&path).expect("saved");
    let good = fs::read(&path).expect("read");
    // The width and height stand at the bytes 16 to 24, covered by a checksum.
    let bomb = |side: u32| {
        let mut bytes = good.clone();
        bytes[16..20].copy_from_slice(&side.to_be_bytes());
        bytes[20..24].copy_from_slice(&side.to_be_bytes());
        let sum = crc32(&bytes[12..29]);
        bytes[29..33].copy_from_slice(&sum.to_be_bytes());
        bytes
    };
    let cases: [(&[u8], &str); 7] = [
        (b"", "not a picture"),
        (b"hello, world, this is text", "not a picture"),
        (&good[..good.len() / 2], "damaged"),
        (&bomb(65535), "too large"),
        (&bomb(10000), "bytes claim 100000000 pixels"),
        (b"P5 0 3 255\n", "no pixels"),
        (b"P5 60000000 3 255\n", "too large"),
    ];
    for (content, expected) in cases {
        fs::write(&path, content).expect("written");
        let text = problem(read_density(&path, Mass::Light), &path);
        assert!(text.contains(expected), "{expected}: {text}");
    }
}

/// The checksum of PNG chunks.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |sum, &byte| {
        (0..8).fold(sum ^ u32::from(byte), |sum, _| sum >> 1 ^ (0xedb8_8320 * (sum & 1)))
    })
}
