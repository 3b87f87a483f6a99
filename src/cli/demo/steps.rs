//! What the demo runs: the commands, and what there is to see.

/// A command with what it leaves.
pub(super) struct Step {
    pub title: &'static str,
    /// A sentence or two on what is shown.
    pub text: &'static str,
    /// The arguments of gaspard; with `--device cpu` where it always runs on the CPU.
    pub command: &'static str,
    pub pictures: &'static [&'static str],
    pub sounds: &'static [&'static str],
    /// Names in the JSON that the command writes.
    pub numbers: &'static [&'static str],
}

impl Step {
    /// The file that follows `--json`.
    pub(super) fn json(&self) -> Option<&'static str> {
        let mut words = self.command.split_whitespace();
        words.find(|word| *word == "--json")?;
        words.next()
    }
}

pub(super) fn all() -> impl Iterator<Item = Step> {
    sound().into_iter().chain(flat()).chain(dynamic()).chain(gromov()).chain(linear())
}

fn sound() -> Vec<Step> {
    vec![
        Step {
            title: "Two voices at two microphones",
            text: "A recording whose truth is known: two voices made of syllables, one 300 samples \
                   later and one 700 earlier at the second microphone, in noise.",
            command: "simulate --voices 2 --delays 300,-700 --snr 20 --seconds 3 --out mix.wav \
                      --images truth --device cpu",
            pictures: &[],
            sounds: &["mix.wav", "truth/source_1.wav", "truth/source_2.wav"],
            numbers: &[],
        },
        Step {
            title: "Separated by transport of spectrograms",
            text: "What one microphone heard is moved to what the other heard; each source is a plan \
                   along its own delay, and noise has a source of its own. The objective over delays \
                   has its minima at both.",
            command: "separate mix.wav --sources 2 --out found --pictures pictures \
                      --json separate.json",
            pictures: &[
                "pictures/microphone_1.png",
                "pictures/source_1.png",
                "pictures/source_2.png",
                "pictures/objective_2.png",
            ],
            sounds: &["found/source_1.wav", "found/source_2.wav"],
            numbers: &["objective", "seconds"],
        },
    ]
}

fn flat() -> Vec<Step> {
    vec![
        Step {
            title: "The flat metric, exactly",
            text: "200 points against 130: mass that is worth moving is moved, the rest is made or \
                   lost. The colours are the best test function, the dual of the distance.",
            command: "flat inputs/cloud_a.npy inputs/cloud_b.npy --method exact --device cpu \
                      --field flat_exact.png --json flat_exact.json",
            pictures: &["flat_exact.png"],
            sounds: &[],
            numbers: &["value", "normalised", "seconds"],
        },
        Step {
            title: "The same, learned by a Lipschitz network",
            text: "A network whose layers are orthonormal learns the test function; its value is a \
                   certified lower bound.",
            command: "flat inputs/cloud_a.npy inputs/cloud_b.npy --method tight --epochs 400 \
                      --field flat_learned.png --train-curve flat_curve.png --json flat_learned.json",
            pictures: &["flat_learned.png", "flat_curve.png"],
            sounds: &[],
            numbers: &["lower", "value", "upper", "seconds"],
        },
    ]
}

fn dynamic() -> Vec<Step> {
    vec![
        Step {
            title: "Around a hill: transport synchronised across two spaces",
            text: "A density moves on a plane and, at the same time, along the surface of a hill over \
                   it. The cheapest way for both together goes around the hill.",
            command: "dynamic gaussian:0.2,0.2,0.08 gaussian:0.8,0.8,0.08 --grid 64x64x32 \
                      --map hills:0.5,0.5,0.12,1 --beta 1 --out hill.gif --picture hill.png \
                      --paths hill_paths.png --json hill.json",
            pictures: &["hill.gif", "hill.png", "hill_paths.png"],
            sounds: &[],
            numbers: &["total", "iterations", "seconds"],
        },
        Step {
            title: "A heart becomes a star",
            text: "Dynamic transport in which mass may also be made and lost, at a price.",
            command: "dynamic inputs/heart.png inputs/star.png --grid 64x64x16 --kappa 0.1 \
                      --out heart_star.gif --picture heart_star.png --json heart_star.json",
            pictures: &["heart_star.gif", "heart_star.png"],
            sounds: &[],
            numbers: &["total", "reaction", "seconds"],
        },
    ]
}

fn gromov() -> Vec<Step> {
    vec![
        Step {
            title: "A Gromov-Wasserstein barycenter of three shapes",
            text: "One hundred points that are known by nothing but their distances to each other, \
                   laid out in the plane.",
            command: "barycenter inputs/heart.png inputs/star.png inputs/letter_g.png \
                      --metric gromov --side 32 --points 100 --device cpu --out three.npz \
                      --picture three.png --json three.json",
            pictures: &["three.png"],
            sounds: &[],
            numbers: &["transport", "seconds"],
        },
        Step {
            title: "A shape matched with itself, turned",
            text: "Points of one colour belong together. Nothing but distances within each shape was \
                   used.",
            command: "gromov inputs/letter_g.png inputs/letter_g_turned.png \
                      --side 32 --distance sqeuclidean --seeds 4 --picture matched.png --json matched.json",
            pictures: &["matched.png"],
            sounds: &[],
            numbers: &["transport", "seconds"],
        },
    ]
}

fn linear() -> Vec<Step> {
    vec![
        Step {
            title: "The Sinkhorn divergence of two pictures",
            text: "16,384 pixels each, costs never stored.",
            command: "transport inputs/heart.png inputs/star.png --divergence --epsilon 1e-3 \
                      --json divergence.json",
            pictures: &["inputs/heart.png", "inputs/star.png"],
            sounds: &[],
            numbers: &["value", "iterations", "seconds"],
        },
        Step {
            title: "A Wasserstein barycenter of four shapes",
            text: "Heart, star, ring and clover, without the entropic blur.",
            command: "barycenter inputs/heart.png inputs/star.png inputs/ring.png inputs/clover.png \
                      --debiased --colours magma --out four.png --json four.json",
            pictures: &["four.png"],
            sounds: &[],
            numbers: &["value", "iterations", "seconds"],
        },
    ]
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::Cli;

    #[test]
    fn commands_are_commands() {
        for step in all() {
            let words = std::iter::once("gaspard").chain(step.command.split_whitespace());
            Cli::try_parse_from(words).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(step.json().is_some(), !step.numbers.is_empty(), "{}", step.title);
        }
    }
}
