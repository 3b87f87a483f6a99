//! Pictures, animations and arrays of a solution.

use gaspard::Result;
use gaspard::dynamic::{Particles, Problem, Solution};
use gaspard::io::npz;
use gaspard::report::animation::{self, Playback};
use gaspard::report::dynamic::{chosen, frames};
use gaspard::report::paths;
use gaspard::report::picture::{Colormap, Scale, Style, Upscale, strip, write_png};
use ndarray::ArrayD;

use super::Arguments;
use crate::cli::options::Colours;

/// Frames side by side in a picture, at most.
const PICTURE_FRAMES: usize = 9;
/// Seconds that a frame of an animation stays.
const SECONDS_PER_FRAME: f64 = 0.08;

impl Arguments {
    fn style(&self) -> Style {
        let colours = self.colours.unwrap_or(Colours::Magma);
        Style::new(colours.into())
            .upscale(Upscale::Factor(self.enlarge))
            .scale(Scale::Quantile(0.999))
    }

    /// Refuses pictures that would be too large.
    pub(super) fn check_pictures(&self, problem: &Problem) -> Result<()> {
        let domain = problem.domain();
        let strip = self.picture.as_ref().map(|_| (domain.steps() + 1).min(PICTURE_FRAMES));
        match strip.or(self.out.as_ref().map(|_| 1)) {
            Some(frames) => self.style().check_size(domain.cells(), frames),
            None => Ok(()),
        }
    }

    pub(super) fn write(&self, problem: &Problem, solution: &Solution) -> Result<()> {
        let style = self.style();
        let frames = frames(solution);
        if let Some(path) = &self.out {
            animation::save(path, &frames, &style, Playback::there_and_back(SECONDS_PER_FRAME))?;
        }
        if let Some(path) = &self.picture {
            let chosen = chosen(&frames, PICTURE_FRAMES);
            write_png(path, &strip(&chosen, &style)?)?;
        }
        let particles = self.particles(problem, solution)?;
        if let Some(path) = &self.npz {
            let mut arrays = vec![("rho".to_owned(), solution.density.clone())];
            let mut add = |space: usize, momenta: &[ArrayD<f64>]| {
                let named = momenta.iter().enumerate();
                arrays.extend(named.map(|(axis, m)| (format!("m_{space}_{axis}"), m.clone())));
            };
            add(0, &solution.momenta[0]);
            for (index, coupled) in solution.coupled.iter().enumerate() {
                let space = index + 1;
                match (problem.field_of(space), coupled) {
                    (_, Some(coupled)) => add(space, &coupled.momenta),
                    (0, None) => {}
                    (field, None) => add(space, &solution.momenta[field]),
                }
            }
            for (space, coupled) in solution.coupled.iter().enumerate() {
                let density = coupled.as_ref().map(|coupled| coupled.density.clone());
                arrays.extend(density.map(|density| (format!("rho_{}", space + 1), density)));
            }
            arrays.extend(solution.source.clone().map(|source| ("source".to_owned(), source)));
            let curves = particles.map(|particles| particles.paths().clone().into_dyn());
            arrays.extend(curves.map(|curves| ("particles".to_owned(), curves)));
            npz::write(path, &arrays)?;
        }
        Ok(())
    }

    /// The particles whose curves were asked for, once they are drawn.
    fn particles(&self, problem: &Problem, solution: &Solution) -> Result<Option<Particles>> {
        let Some(path) = &self.paths else { return Ok(None) };
        let count = self.particles as usize;
        let particles = Particles::trace(solution, problem, count, self.common.seed)?;
        // Thin mass shows on white paper.
        let style = Style::new(Colormap::Ink).scale(Scale::Quantile(0.999)).gamma(0.6);
        paths::save_png(path, problem, solution, &particles, &style)?;
        Ok(Some(particles))
    }
}
