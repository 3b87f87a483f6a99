//! Curves of particles over densities, one panel for every space side by side.

mod canvas;
mod cloud;
mod view;

use std::path::Path;

use image::{Rgb, RgbImage};
use ndarray::{Array1, Array2, Array3, ArrayView2, Axis};

use self::canvas::{Canvas, Spot};
use self::cloud::{Bounds, Cloud, passing};
use self::view::{Panel, View, nearness};
use super::picture::{Colormap, Style, share, write_png};
use crate::dynamic::{Map, Particles, Problem, Solution};
use crate::error::Result;

/// Pixels around panels, and between them.
const BORDER: u32 = 16;
const GAP: u32 = 24;
/// The colour of the frames of panels.
const FRAME: [u8; 3] = [150, 150, 150];
/// Densities take this share of the colours, so that curves stand out on the densest.
const DEPTH: f64 = 0.7;
/// A surface is shaded by this much where nothing passes, so that its shape is seen.
const LEAST_SHADE: f64 = 0.06;
/// Points of a volume with less than this share of the most are left out: what is in front must not
/// hide what is behind.
const LEAST_IN_VOLUME: f64 = 0.1;
/// What a surface that no light falls on loses of its brightness.
const DARKEST: f64 = 0.45;
/// Curves take these levels of the colours of Magma, from the start to the end: off white paper,
/// and off dark ink.
const FIRST_LEVEL: f64 = 60.0;
const LAST_LEVEL: f64 = 205.0;
/// The width of a curve, and the radius of the dots at its ends, in pixels.
const WIDTH: f32 = 1.0;
const RADIUS: f32 = 1.7;
/// More curves than this are fainter.
const FEW: f64 = 60.0;
/// Bins along the longer axis of a space that a map leads to.
const BINS: usize = 80;

/// Draws the curves of particles over the density that they belong to, on white paper: a panel for
/// the primary space, then one for each space that a map leads to, in which particles move as T(x)
/// and the density is T_# rho. Spaces that laws alone lead to, and those of more than three
/// dimensions, are left out.
///
/// Curves are coloured by time, from dark to bright, with dots where they start and end. A space of
/// one dimension is shown over time, which runs to the right. In the plane the first axis runs
/// down and the second to the right, as in all pictures, and the shade is the mass that passes, over
/// all time. A space of three dimensions is seen from above, with its third axis up, the
/// first to the front and right, the second to the back and right.
///
/// The style gives the colours of densities, their scale and gamma; panels have a fixed size.
///
/// ```
/// use gaspard::Engine;
/// use gaspard::dynamic::{Control, Domain, Map, Particles, Problem, Space};
/// use gaspard::report::paths;
/// use gaspard::report::picture::{Colormap, Style};
///
/// let domain = Domain::new(&[8, 8], 4)?;
/// let bump = |c: f64| domain.density(|x| (-((x[0] - c).powi(2) + (x[1] - c).powi(2)) / 0.05).exp());
/// let height = Map::from_fn(&domain, |x| vec![x[0] * x[1]])?;
/// let problem = Problem::new(&domain, bump(0.4).view(), bump(0.6).view())?
///     .space(Space::particles(height), 1.0)?;
/// let solution = problem.solve(&Control::default(), &Engine::cpu())?;
/// let particles = Particles::trace(&solution, &problem, 20, 0)?;
/// let picture = paths::render(&problem, &solution, &particles, &Style::new(Colormap::Ink))?;
/// // Two panels of 320 pixels, 24 apart, with 16 around them.
/// assert_eq!(picture.dimensions(), (16 + 320 + 24 + 320 + 16, 16 + 320 + 16));
/// # Ok::<(), gaspard::Error>(())
/// ```
///
/// # Errors
/// [`crate::Error::Parameter`] when the style is outside its domain, [`crate::Error::Data`] for a
/// picture that would be too large.
pub fn render(
    problem: &Problem,
    solution: &Solution,
    particles: &Particles,
    style: &Style,
) -> Result<RgbImage> {
    style.check()?;
    let nodes = problem.domain().steps() + 1;
    let mut panels: Vec<(Panel, Option<&Map>)> = Vec::new();
    panels.extend(Panel::new(Bounds::of(problem.domain()), nodes).map(|panel| (panel, None)));
    for map in (1..=problem.betas().len()).filter_map(|space| problem.map_of(space)) {
        let panel = Panel::new(Bounds::around(map), nodes);
        panels.extend(panel.map(|panel| (panel, Some(map))));
    }
    let height = panels.iter().map(|(panel, _)| panel.size[1]).max().unwrap_or(0);
    let width: u32 = panels.iter().map(|(panel, _)| panel.size[0] + GAP).sum();
    let mut canvas = Canvas::new(width - GAP + 2 * BORDER, height + 2 * BORDER)?;
    let mut left = BORDER;
    for (panel, map) in &panels {
        let corner = [left, BORDER + (height - panel.size[1]) / 2];
        let mut drawing = Drawing { canvas: &mut canvas, panel, corner, style };
        drawing.density(problem, solution, *map);
        match map {
            Some(map) => drawing.curves(&particles.through(map)),
            None => drawing.curves(particles.paths()),
        }
        left += panel.size[0] + GAP;
    }
    Ok(canvas.finished())
}

/// Draws them into a PNG file, whole or not at all.
///
/// # Errors
/// Those of [`render`], and [`crate::Error::File`] when the file cannot be written.
pub fn save_png(
    path: impl AsRef<Path>,
    problem: &Problem,
    solution: &Solution,
    particles: &Particles,
    style: &Style,
) -> Result<()> {
    write_png(path, &render(problem, solution, particles, style)?)
}

/// A panel that is being drawn, with its upper left corner on the paper.
struct Drawing<'a> {
    canvas: &'a mut Canvas,
    panel: &'a Panel,
    corner: [u32; 2],
    style: &'a Style,
}

impl Drawing<'_> {
    fn spot(&self, node: usize, place: &[f64]) -> Spot {
        let [x, y] = self.panel.spot(node, place);
        [x + self.corner[0] as f32, y + self.corner[1] as f32]
    }

    fn density(&mut self, problem: &Problem, solution: &Solution, map: Option<&Map>) {
        let domain = problem.domain();
        let density = &solution.density;
        let passing = passing(density.view());
        let Panel { bounds, view, size } = self.panel;
        let rows = |values: &[f64], columns: usize| {
            let shape = (values.len() / columns, columns);
            Array2::from_shape_vec(shape, values.to_vec()).expect("rows of one length")
        };
        match (view, map) {
            (View::Line { nodes }, _) => {
                let cloud = map.map(|map| Cloud::new(domain, Some(map)));
                let columns = density.outer_iter().map(|node| {
                    let values: Vec<f64> = node.iter().map(|rho| rho.max(0.0)).collect();
                    match &cloud {
                        Some(cloud) => cloud.histogram(&values, bounds, [1, BINS]),
                        None => rows(&values, values.len()),
                    }
                });
                let columns: Vec<Array1<f64>> =
                    columns.map(|column| column.row(0).to_owned()).collect();
                let bins = columns[0].len();
                // The space runs upwards.
                let picture = Array2::from_shape_fn((bins, *nodes), |(row, node)| {
                    columns[node][bins - 1 - row]
                });
                self.shades(picture.view());
            }
            (View::Plane, None) => self.shades(rows(&passing, domain.cells()[1]).view()),
            (View::Plane, Some(map)) => {
                let [right, down] = size.map(|side| side as usize);
                let bins = [down, right].map(|side| (BINS * side / down.max(right)).max(2));
                let cloud = Cloud::new(domain, Some(map));
                self.shades(cloud.histogram(&passing, bounds, bins).view());
            }
            (View::Solid { .. }, _) => {
                let surface = domain.dimension() < 3;
                self.points(&Cloud::new(domain, map), &passing, surface);
            }
        }
    }

    /// Values all over the panel, smoothly, in a frame.
    fn shades(&mut self, values: ArrayView2<'_, f64>) {
        let top = self.style.tops(&[values.into_dyn()])[0];
        let palette = self.style.colormap.palette();
        let [width, height] = self.panel.size;
        let near = |pixel: u32, pixels: u32, count: usize| {
            let place = (f64::from(pixel) + 0.5) / f64::from(pixels) * count as f64 - 0.5;
            let place = place.clamp(0.0, (count - 1) as f64);
            let below = (place as usize).min(count.saturating_sub(2));
            [(below, 1.0 - (place - below as f64)), (below + 1, place - below as f64)]
        };
        let (rows, columns) = values.dim();
        let picture = RgbImage::from_fn(width, height, |x, y| {
            let mut value = 0.0;
            for (row, part) in near(y, height, rows) {
                for (column, share) in near(x, width, columns) {
                    value += part * share * values.get([row, column]).copied().unwrap_or(0.0);
                }
            }
            Rgb(self.shade(&palette, share(value, top)))
        });
        self.canvas.picture(self.corner, &picture);
        let [left, top] = self.corner.map(|x| x as f32);
        let [right, bottom] = [left + width as f32, top + height as f32];
        let corners = [[left, top], [right, top], [right, bottom], [left, bottom]];
        let frame = (0..4).map(|side| [corners[side], corners[(side + 1) % 4]]);
        self.canvas.lines(frame, FRAME, 1.0, 1.0);
    }

    /// Points in a box, the far ones first; those of a surface are seen also without mass.
    fn points(&mut self, cloud: &Cloud, density: &[f64], surface: bool) {
        self.canvas.lines(
            self.panel.edges().into_iter().map(|ends| {
                ends.map(|[x, y]| [x + self.corner[0] as f32, y + self.corner[1] as f32])
            }),
            FRAME,
            0.6,
            0.8,
        );
        let masses: Array1<f64> = cloud.masses(density).collect();
        let top = self.style.tops(&[masses.view().into_dyn()])[0];
        let palette = self.style.colormap.palette();
        let place = |index: usize| cloud.places.row(index).to_vec();
        let mut order: Vec<usize> = (0..masses.len()).collect();
        order.sort_by_cached_key(|index| {
            let near = nearness(&place(*index));
            // The order of floats as that of integers.
            let bits = near.to_bits() as i64;
            bits ^ (((bits >> 63) as u64) >> 1) as i64
        });
        for index in order {
            let part = share(masses[index], top);
            let spot = self.spot(0, &place(index));
            if surface {
                let colour = self.shade(&palette, LEAST_SHADE + (1.0 - LEAST_SHADE) * part);
                let light = 1.0 - DARKEST * (1.0 - cloud.light(index).unwrap_or(1.0));
                let colour = colour.map(|level| (f64::from(level) * light).round() as u8);
                self.canvas.dots([spot], colour, 1.0, 1.5);
            } else if part > LEAST_IN_VOLUME {
                let colour = self.shade(&palette, part);
                self.canvas.dots([spot], colour, 0.3 * part as f32, 2.0);
            }
        }
    }

    fn shade(&self, palette: &[[u8; 3]; 256], part: f64) -> [u8; 3] {
        palette[(DEPTH * part.powf(self.style.gamma) * 255.0).round() as usize]
    }

    /// Curves (nodes, particles, d), and dots at their ends.
    fn curves(&mut self, places: &Array3<f64>) {
        let (nodes, count, _) = places.dim();
        let opacity = (FEW / count as f64).sqrt().clamp(0.25, 1.0) as f32;
        let spots: Vec<Vec<Spot>> = places
            .axis_iter(Axis(0))
            .enumerate()
            .map(|(node, places)| {
                places.outer_iter().map(|place| self.spot(node, &place.to_vec())).collect()
            })
            .collect();
        let colours = Colormap::Magma.palette();
        let colour =
            |time: f64| colours[(FIRST_LEVEL + time * (LAST_LEVEL - FIRST_LEVEL)).round() as usize];
        for (node, ends) in spots.windows(2).enumerate() {
            let time = (node as f64 + 0.5) / (nodes - 1) as f64;
            let steps = ends[0].iter().zip(&ends[1]).map(|(from, to)| [*from, *to]);
            self.canvas.lines(steps, colour(time), opacity, WIDTH);
        }
        for (node, time) in [(0, 0.0), (nodes - 1, 1.0)] {
            let ends = || spots[node].iter().copied();
            // On a line they would cover each other.
            if !matches!(self.panel.view, View::Line { .. }) {
                self.canvas.dots(ends(), [255; 3], opacity, RADIUS + 0.7);
            }
            self.canvas.dots(ends(), colour(time), opacity, RADIUS);
        }
    }
}
