//! Long recordings in pieces that overlap.

use std::ops::Range;

use crate::error::{Error, Result};

/// Pieces of a recording, all about equally long, that begin at frames of its spectrogram. Near the cuts,
/// where a piece does not know what other microphones heard earlier or later, it does not count; then
/// one fades into the next.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Blocks {
    samples: usize,
    length: usize,
    starts: Vec<usize>,
    margin: usize,
    fade: usize,
}

impl Blocks {
    /// Pieces of at most about `longest` samples. All lengths are in samples.
    pub(super) fn new(
        samples: usize,
        hop: usize,
        longest: usize,
        margin: usize,
        fade: usize,
    ) -> Result<Self> {
        // Starts are rounded to frames.
        let margin = margin + hop;
        let overlap = 2 * margin + fade;
        if longest < 2 * overlap {
            let problem = format!("{longest} samples, of which neighbours share {overlap}");
            let remedy = format!("use {} samples or more, or a smaller max_lag", 2 * overlap);
            return Err(Error::parameter("block", problem, remedy));
        }
        if samples <= longest {
            return Ok(Self::whole(samples));
        }
        let count = (samples - overlap).div_ceil(longest - overlap);
        let length = (samples + (count - 1) * overlap).div_ceil(count);
        let start = |place: usize| place * (samples - length) / (count - 1) / hop * hop;
        Ok(Self { samples, length, starts: (0..count).map(start).collect(), margin, fade })
    }

    /// All in one piece.
    pub(super) fn whole(samples: usize) -> Self {
        Self { samples, length: samples, starts: vec![0], margin: 0, fade: 1 }
    }

    pub(super) fn count(&self) -> usize {
        self.starts.len()
    }

    /// The samples of a piece.
    pub(super) fn range(&self, piece: usize) -> Range<usize> {
        let start = self.starts[piece];
        let last = piece + 1 == self.count();
        start..if last { self.samples } else { start + self.length }
    }

    /// How much a piece counts at a sample of the recording: 1 in all.
    pub(super) fn weight(&self, piece: usize, sample: usize) -> f64 {
        self.share_from(piece, sample) - self.share_from(piece + 1, sample)
    }

    /// How much this piece and all later ones count.
    fn share_from(&self, piece: usize, sample: usize) -> f64 {
        match self.starts.get(piece) {
            _ if piece == 0 => 1.0,
            None => 0.0,
            Some(start) => {
                let into = sample as f64 - (start + self.margin) as f64;
                (into / self.fade as f64).clamp(0.0, 1.0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_recording_is_one_piece() {
        let blocks = Blocks::new(16_000, 200, 64_000, 2656, 4000).unwrap();
        assert_eq!((blocks.count(), blocks.range(0)), (1, 0..16_000));
        assert_eq!(blocks.weight(0, 15_999), 1.0);
    }

    #[test]
    fn pieces_cover_a_long_one_and_add_up() {
        let (samples, hop, margin) = (1_234_567, 200, 2656);
        let blocks = Blocks::new(samples, hop, 64_000, margin, 4000).unwrap();
        assert!(blocks.count() > 20);
        for piece in 0..blocks.count() {
            let range = blocks.range(piece);
            assert!(range.start.is_multiple_of(hop) && range.len() <= 64_000 + hop);
            let inner = blocks.count() - 1;
            for (edge, from, to) in [
                (piece > 0, range.start, range.start + margin),
                (piece < inner, range.end - margin, range.end),
            ] {
                assert!(!edge || (from..to).all(|n| blocks.weight(piece, n) == 0.0), "{piece}");
            }
        }
        for sample in (0..samples).step_by(997) {
            let inside = |piece: &usize| blocks.range(*piece).contains(&sample);
            let weights = (0..blocks.count()).filter(inside).map(|p| blocks.weight(p, sample));
            assert!((weights.sum::<f64>() - 1.0).abs() < 1e-12, "{sample}");
        }
    }

    #[test]
    fn pieces_have_to_be_longer_than_what_they_share() {
        assert!(Blocks::new(100_000, 200, 10_000, 2656, 4000).is_err());
    }
}
