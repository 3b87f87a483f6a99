//! Arrays in NumPy's `.npy` format.

use std::io::{self, BufReader, ErrorKind, Read, Write};
use std::path::Path;

use ndarray::{ArrayD, ArrayViewD, IxDyn, ShapeBuilder};

use crate::error::{Error, Result, bytes};

/// The error is the problem in words; whoever knows the path makes an [`Error`] of it.
type Decoded<T> = std::result::Result<T, String>;

const MAGIC: &[u8; 6] = b"\x93NUMPY";

/// Magic, version and header length together are padded to a multiple of this, as NumPy does.
const ALIGNMENT: usize = 64;

/// A plain array's header is about a hundred bytes; more than this is damage or an attack.
const LONGEST_HEADER: usize = 1 << 16;

/// NumPy has no arrays with more axes.
const MOST_AXES: usize = 64;

/// Reads an array of any number of axes, converted to f64 and to C order.
///
/// Elements may be booleans, integers of 8 to 64 bits or floats of 16 to 64 bits, of either byte
/// order, in C or Fortran order. Integers above 2^53 are rounded. NaN and infinities are kept, and
/// an array without elements is returned as such: what is acceptable is for the caller to say.
///
/// # Errors
///
/// [`Error::File`] when the file is missing, a folder, not a `.npy` file, shorter or longer than
/// its header says, or holds complex numbers, strings, records or objects.
///
/// # Examples
///
/// ```
/// use gaspard::io::npy;
/// use ndarray::array;
///
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("cost.npy");
/// let cost = array![[0.0, 1.0], [1.0, 0.0]].into_dyn();
/// npy::write(&path, cost.view())?;
/// assert_eq!(npy::read(&path)?, cost);
/// # Ok::<(), gaspard::Error>(())
/// ```
pub fn read(path: impl AsRef<Path>) -> Result<ArrayD<f64>> {
    let path = path.as_ref();
    let (file, length) = super::open(path)?;
    decode(BufReader::new(file), length).map_err(|problem| Error::file(path, problem))
}

/// The shape of an array, from the header of its file alone: what reading it would take is then
/// known before it is read.
///
/// # Errors
///
/// As [`read`], for what the header shows.
pub fn shape(path: impl AsRef<Path>) -> Result<Vec<usize>> {
    let path = path.as_ref();
    let (file, length) = super::open(path)?;
    let header = read_header(&mut BufReader::new(file), length);
    Ok(header.map_err(|problem| Error::file(path, problem))?.0.shape)
}

/// Writes an array of any number of axes as little-endian f64 in C order, whole or not at all.
///
/// ```
/// use gaspard::io::npy;
/// use ndarray::array;
///
/// let folder = tempfile::tempdir().expect("a folder");
/// let path = folder.path().join("points.npy");
/// let points = array![[0.0, 1.0], [2.0, 3.0]].into_dyn();
/// npy::write(&path, points.view())?;
/// assert_eq!((npy::shape(&path)?, npy::read(&path)?), (vec![2, 2], points));
/// # Ok::<(), gaspard::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::File`] when the file cannot be written; see [`atomic_write`](super::atomic_write).
pub fn write(path: impl AsRef<Path>, array: ArrayViewD<'_, f64>) -> Result<()> {
    super::atomic_write(path, |out| encode(out, array))
}

/// Writes header and elements.
pub(super) fn encode(out: &mut impl Write, array: ArrayViewD<'_, f64>) -> io::Result<()> {
    // Python writes a tuple of one as `(3,)`, and accepts the comma for every other length but 0.
    let shape: String = array.shape().iter().map(|length| format!("{length}, ")).collect();
    let dictionary =
        format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({}), }}", shape.trim_end());
    let prefix = MAGIC.len() + 2 + size_of::<u16>();
    let total = (prefix + dictionary.len() + 1).next_multiple_of(ALIGNMENT);
    let header_length = u16::try_from(total - prefix).map_err(io::Error::other)?;
    out.write_all(MAGIC)?;
    out.write_all(&[1, 0])?;
    out.write_all(&header_length.to_le_bytes())?;
    writeln!(out, "{dictionary:<width$}", width = total - prefix - 1)?;
    array.iter().try_for_each(|value| out.write_all(&value.to_le_bytes()))
}

/// Reads a whole `.npy` stream of `length` bytes.
pub(super) fn decode(mut input: impl Read, length: u64) -> Decoded<ArrayD<f64>> {
    let (header, data_length) = read_header(&mut input, length)?;
    let dtype = &header.dtype;
    let count = header.shape.iter().try_fold(1_usize, |count, &axis| count.checked_mul(axis));
    let needed = count.and_then(|count| count.checked_mul(dtype.size));
    let impossible = || format!("damaged: its header claims the shape {:?}", header.shape);
    let (Some(count), Some(needed)) = (count, needed) else {
        return Err(impossible());
    };
    let promised = || format!("{needed} bytes for the shape {:?}", header.shape);
    match (needed as u64).cmp(&data_length) {
        std::cmp::Ordering::Equal => {}
        std::cmp::Ordering::Greater => {
            return Err(format!(
                "cut short: its header promises {}, but {data_length} are there; copy or export it again",
                promised()
            ));
        }
        std::cmp::Ordering::Less => {
            return Err(format!(
                "too long: its header promises {}, but {data_length} are there; save one array per file",
                promised()
            ));
        }
    }
    let data = read_elements(&mut input, dtype, count)?;
    let shape = IxDyn(&header.shape).set_f(header.fortran);
    let array = ArrayD::from_shape_vec(shape, data).map_err(|_| impossible())?;
    Ok(if header.fortran { array.as_standard_layout().into_owned() } else { array })
}

fn read_elements(input: &mut impl Read, dtype: &Dtype, count: usize) -> Decoded<Vec<f64>> {
    let mut data = Vec::new();
    data.try_reserve_exact(count).map_err(|_| {
        let needed = bytes((count as u64).saturating_mul(8));
        format!("needs {needed} of memory, more than can be had; save a part of it, or thin it out")
    })?;
    // A multiple of every element size, so that no element is cut in two.
    let mut buffer = vec![0; 1 << 16];
    let mut left = count * dtype.size;
    while left > 0 {
        let chunk = &mut buffer[..left.min(1 << 16)];
        input.read_exact(chunk).map_err(|error| read_problem(&error))?;
        dtype.convert(chunk, &mut data);
        left -= chunk.len();
    }
    // Inside an archive, reading past the end is what makes the checksum be compared.
    match input.read(&mut buffer[..1]) {
        Ok(0) => Ok(data),
        Ok(_) => Err("has bytes after its array; export it again".into()),
        Err(error) => Err(read_problem(&error)),
    }
}

fn read_problem(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::UnexpectedEof => "cut short; copy or export it again".into(),
        _ => format!("cannot be read: {error}"),
    }
}

struct Header {
    dtype: Dtype,
    fortran: bool,
    shape: Vec<usize>,
}

/// The header, and how many of the `length` bytes follow it.
fn read_header(input: &mut impl Read, length: u64) -> Decoded<(Header, u64)> {
    const NOT_NPY: &str = "not a .npy file; export it with numpy.save";
    let mut start = [0; 8];
    input.read_exact(&mut start).map_err(|error| match error.kind() {
        ErrorKind::UnexpectedEof => NOT_NPY.into(),
        _ => read_problem(&error),
    })?;
    if !start.starts_with(MAGIC) {
        return Err(NOT_NPY.into());
    }
    let width = match start[6] {
        1 => 2,
        2 | 3 => 4,
        major => return Err(format!("of .npy version {major}; versions 1 to 3 can be read")),
    };
    let mut field = [0; 4];
    input.read_exact(&mut field[..width]).map_err(|error| read_problem(&error))?;
    let header_length = u32::from_le_bytes(field) as usize;
    if header_length > LONGEST_HEADER {
        return Err(format!("damaged: it claims a header of {header_length} bytes"));
    }
    let mut text = vec![0; header_length];
    input.read_exact(&mut text).map_err(|error| read_problem(&error))?;
    let header = parse_header(&String::from_utf8_lossy(&text))?;
    Ok((header, length.saturating_sub((start.len() + width + header_length) as u64)))
}

/// Parses the Python dictionary `{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }`.
fn parse_header(text: &str) -> Decoded<Header> {
    let damaged = || format!("damaged: its header reads {}", excerpt(text));
    let mut cursor = Cursor(text);
    let (mut dtype, mut fortran, mut shape) = (None, None, None);
    cursor.eat("{").then_some(()).ok_or_else(damaged)?;
    while let Some(key) = cursor.string() {
        cursor.eat(":").then_some(()).ok_or_else(damaged)?;
        match key {
            "descr" if cursor.eat("[") => {
                return Err("holds records; save each field as an array of its own".into());
            }
            "descr" => dtype = Some(Dtype::parse(cursor.string().ok_or_else(damaged)?)?),
            "fortran_order" => fortran = Some(cursor.boolean().ok_or_else(damaged)?),
            "shape" => shape = Some(cursor.tuple().ok_or_else(damaged)?),
            _ => return Err(damaged()),
        }
        if !cursor.eat(",") {
            break;
        }
    }
    let complete = cursor.eat("}") && cursor.0.trim().is_empty();
    match (dtype, fortran, shape) {
        (Some(dtype), Some(fortran), Some(shape)) if complete => {
            Ok(Header { dtype, fortran, shape })
        }
        _ => Err(damaged()),
    }
}

/// The start of what a file says, fit for a message.
fn excerpt(text: &str) -> String {
    text.trim().chars().take(80).flat_map(char::escape_debug).collect()
}

/// What is left to parse of a header. Nothing here recurses, so no header can exhaust the stack.
struct Cursor<'a>(&'a str);

impl<'a> Cursor<'a> {
    fn eat(&mut self, token: &str) -> bool {
        let rest = self.0.trim_start().strip_prefix(token);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    fn string(&mut self) -> Option<&'a str> {
        let quote = if self.eat("'") { '\'' } else { self.eat("\"").then_some('"')? };
        let (string, rest) = self.0.split_once(quote)?;
        self.0 = rest;
        Some(string)
    }

    fn boolean(&mut self) -> Option<bool> {
        if self.eat("True") { Some(true) } else { self.eat("False").then_some(false) }
    }

    fn tuple(&mut self) -> Option<Vec<usize>> {
        let mut lengths = Vec::new();
        self.eat("(").then_some(())?;
        while !self.eat(")") {
            self.0 = self.0.trim_start();
            let digits = self.0.bytes().take_while(u8::is_ascii_digit).count();
            let (number, rest) = self.0.split_at(digits);
            lengths.push(number.parse().ok().filter(|_| lengths.len() < MOST_AXES)?);
            self.0 = rest;
            // Python 2 wrote long integers as `3L`.
            self.eat("L");
            if !self.eat(",") {
                return self.eat(")").then_some(lengths);
            }
        }
        Some(lengths)
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Bool,
    Signed,
    Unsigned,
    Float,
}

struct Dtype {
    kind: Kind,
    /// Bytes per element.
    size: usize,
    big_endian: bool,
}

impl Dtype {
    fn parse(descr: &str) -> Decoded<Self> {
        let unsupported = || {
            format!(
                "holds elements of type {}, which has no f64 value; convert them with array.astype('f8')",
                excerpt(descr)
            )
        };
        let (order, name) = descr.split_at_checked(1).ok_or_else(unsupported)?;
        let (kind, size) = match name {
            "b1" => (Kind::Bool, 1),
            "i1" => (Kind::Signed, 1),
            "i2" => (Kind::Signed, 2),
            "i4" => (Kind::Signed, 4),
            "i8" => (Kind::Signed, 8),
            "u1" => (Kind::Unsigned, 1),
            "u2" => (Kind::Unsigned, 2),
            "u4" => (Kind::Unsigned, 4),
            "u8" => (Kind::Unsigned, 8),
            "f2" => (Kind::Float, 2),
            "f4" => (Kind::Float, 4),
            "f8" => (Kind::Float, 8),
            _ => return Err(unsupported()),
        };
        match order {
            "<" | "|" => Ok(Self { kind, size, big_endian: false }),
            ">" => Ok(Self { kind, size, big_endian: true }),
            _ => Err(unsupported()),
        }
    }

    /// Appends the elements in `raw`, whose length is a multiple of the element size.
    fn convert(&self, raw: &[u8], data: &mut Vec<f64>) {
        let big = self.big_endian;
        match (self.kind, self.size) {
            (Kind::Bool, _) => data.extend(raw.iter().map(|&byte| f64::from(byte != 0))),
            (Kind::Signed, 1) => append(raw, big, data, |item| i8::from_le_bytes(item).into()),
            (Kind::Signed, 2) => append(raw, big, data, |item| i16::from_le_bytes(item).into()),
            (Kind::Signed, 4) => append(raw, big, data, |item| i32::from_le_bytes(item).into()),
            (Kind::Signed, _) => append(raw, big, data, |item| i64::from_le_bytes(item) as f64),
            (Kind::Unsigned, 1) => append(raw, big, data, |item| u8::from_le_bytes(item).into()),
            (Kind::Unsigned, 2) => append(raw, big, data, |item| u16::from_le_bytes(item).into()),
            (Kind::Unsigned, 4) => append(raw, big, data, |item| u32::from_le_bytes(item).into()),
            (Kind::Unsigned, _) => append(raw, big, data, |item| u64::from_le_bytes(item) as f64),
            (Kind::Float, 2) => append(raw, big, data, |item| half(u16::from_le_bytes(item))),
            (Kind::Float, 4) => append(raw, big, data, |item| f32::from_le_bytes(item).into()),
            (Kind::Float, _) => append(raw, big, data, f64::from_le_bytes),
        }
    }
}

fn append<const N: usize>(
    raw: &[u8],
    big_endian: bool,
    data: &mut Vec<f64>,
    value: impl Fn([u8; N]) -> f64,
) {
    data.extend(raw.as_chunks().0.iter().map(|&(mut item)| {
        if big_endian {
            item.reverse();
        }
        value(item)
    }));
}

/// The value of an IEEE 754 half-precision float, exactly.
fn half(bits: u16) -> f64 {
    let mantissa = f64::from(bits & 0x3ff) / 1024.0;
    let magnitude = match i32::from(bits >> 10 & 0x1f) {
        0 => mantissa * 2_f64.powi(-14),
        31 if mantissa == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        exponent => (1.0 + mantissa) * 2_f64.powi(exponent - 15),
    };
    if bits >> 15 == 1 { -magnitude } else { magnitude }
}
