//! From the places of a space to those of its panel.

use super::canvas::Spot;
use super::cloud::Bounds;

/// Pixels along the longer side of a panel, and along the shorter one at least.
const LONGER: f64 = 320.0;
const SHORTER: f64 = 120.0;

/// How far the first axis of a space of three, which comes to the front, is turned to the right,
/// and how far it is seen from above. The diagonal, on which greys lie and much of what is moved,
/// is then seen from the side.
const AZIMUTH: f64 = 0.9;
const ELEVATION: f64 = 0.5;
/// The share of a panel that the box around a space of three fills.
const FILLED: f64 = 0.96;

/// How a space is looked at.
pub(super) enum View {
    /// Time to the right, in columns that many as there are nodes; the space upwards.
    Line { nodes: usize },
    /// The first axis down, the second to the right.
    Plane,
    /// From a corner above: the first axis comes to the front and right, the second goes back
    /// and right, the third is up.
    Solid { scale: f64, centre: [f64; 2] },
}

/// A space in a panel.
pub(super) struct Panel {
    pub bounds: Bounds,
    pub view: View,
    /// Pixels to the right and downwards.
    pub size: [u32; 2],
}

impl Panel {
    /// The panel of a space of 1 to 3 dimensions; there is none for more.
    pub fn new(bounds: Bounds, nodes: usize) -> Option<Self> {
        let (view, size) = match bounds.low.len() {
            1 => (View::Line { nodes }, [LONGER; 2]),
            2 => {
                let (down, right) = (bounds.length(0), bounds.length(1));
                let scale = LONGER / down.max(right);
                (View::Plane, [right, down].map(|side| (side * scale).max(SHORTER)))
            }
            3 => {
                let corners: Vec<[f64; 2]> = corners(&bounds).map(|place| turned(&place)).collect();
                let range = |k: usize| {
                    let all = corners.iter().map(|corner| corner[k]);
                    (all.clone().fold(f64::INFINITY, f64::min), all.fold(-f64::INFINITY, f64::max))
                };
                let [(left, right), (top, bottom)] = [range(0), range(1)];
                let scale = LONGER * FILLED / (right - left).max(bottom - top);
                let centre = [0.5 * (left + right), 0.5 * (top + bottom)];
                let size = [right - left, bottom - top];
                let size = size.map(|side| (side * scale / FILLED).max(SHORTER));
                (View::Solid { scale, centre }, size)
            }
            _ => return None,
        };
        Some(Self { bounds, view, size: size.map(|side| side.round() as u32) })
    }

    /// Where a place of the space is in the panel, at a node of time.
    pub fn spot(&self, node: usize, place: &[f64]) -> Spot {
        let [width, height] = self.size.map(f64::from);
        let spot = match &self.view {
            View::Line { nodes } => {
                let across = (node as f64 + 0.5) / *nodes as f64;
                [across * width, (1.0 - self.bounds.part(0, place[0])) * height]
            }
            View::Plane => {
                let part = |axis: usize| self.bounds.part(axis, place[axis]);
                [part(1) * width, part(0) * height]
            }
            View::Solid { scale, centre } => {
                let [x, y] = turned(place);
                [0.5 * width + scale * (x - centre[0]), 0.5 * height + scale * (y - centre[1])]
            }
        };
        spot.map(|x| x as f32)
    }

    /// The edges of the box around a space of three.
    pub fn edges(&self) -> Vec<[Spot; 2]> {
        let all: Vec<[f64; 3]> = corners(&self.bounds).collect();
        let along = |axis: usize| (0..8).filter(move |corner| corner >> axis & 1 == 0);
        (0..3)
            .flat_map(|axis| along(axis).map(move |corner| [corner, corner | 1 << axis]))
            .map(|ends| ends.map(|corner| self.spot(0, &all[corner])))
            .collect()
    }
}

/// Turned so that the first two numbers are to the right and down.
fn turned(place: &[f64]) -> [f64; 2] {
    let right = place[1] * AZIMUTH.cos() + place[0] * AZIMUTH.sin();
    let front = place[0] * AZIMUTH.cos() - place[1] * AZIMUTH.sin();
    [right, front * ELEVATION.sin() - place[2] * ELEVATION.cos()]
}

/// How near to the eye a place of three coordinates is.
pub(super) fn nearness(place: &[f64]) -> f64 {
    let front = place[0] * AZIMUTH.cos() - place[1] * AZIMUTH.sin();
    front * ELEVATION.cos() + place[2] * ELEVATION.sin()
}

fn corners(bounds: &Bounds) -> impl Iterator<Item = [f64; 3]> {
    (0..8).map(|corner: usize| {
        std::array::from_fn(|axis| {
            if corner >> axis & 1 == 1 { bounds.high[axis] } else { bounds.low[axis] }
        })
    })
}
