//! What goes between the microphones of a star: from the leaves to the centre, and back.

use super::lags::{BLOCK, Held, LagRow, lag_masses, product};
use super::scaling::{one, plus, times, total, zero};

/// The scalings of a plan at one frequency, and messages between them.
pub(crate) struct Star<'a> {
    /// Of every source and leaf.
    rows: &'a [LagRow],
    leaves: usize,
    /// The weight of the outlier source, if there is one.
    outlier: Option<f64>,
    /// Of every microphone.
    pub(super) scalings: Vec<Held>,
    totals: Vec<f64>,
    /// Of every source and leaf.
    messages: Vec<Vec<f64>>,
    /// What goes from the centre to a leaf.
    beside: Held,
    /// What one source makes.
    made: Vec<f64>,
}

impl<'a> Star<'a> {
    /// With scalings (microphones, frames); no messages are sent yet.
    pub(crate) fn new<const LOGS: bool>(
        rows: &'a [LagRow],
        outlier: Option<f64>,
        frames: usize,
        scalings: &[f64],
    ) -> Self {
        let reach = rows.iter().map(LagRow::reach).max().unwrap_or(0);
        let empty = Held::new(frames, reach, LOGS);
        let blocks = vec![0.0; frames.next_multiple_of(BLOCK)];
        let microphones = scalings.len() / frames;
        let mut all = vec![empty.clone(); microphones];
        for (held, scalings) in all.iter_mut().zip(scalings.chunks(frames)) {
            held.get_mut().copy_from_slice(scalings);
        }
        Self {
            rows,
            leaves: microphones - 1,
            outlier,
            scalings: all,
            totals: vec![0.0; microphones],
            messages: vec![blocks.clone(); rows.len()],
            beside: empty,
            made: blocks,
        }
    }

    /// The messages of all leaves, and the sums of all scalings.
    #[inline(always)]
    pub(crate) fn send_all<const LOGS: bool, const FUSED: bool>(&mut self) {
        self.note_total::<LOGS, FUSED>(0);
        for leaf in 0..self.leaves {
            self.send::<LOGS, FUSED>(leaf);
        }
    }

    /// The messages that a leaf sends, and the sum of its scalings.
    #[inline(always)]
    pub(super) fn send<const LOGS: bool, const FUSED: bool>(&mut self, leaf: usize) {
        self.note_total::<LOGS, FUSED>(leaf + 1);
        for kernel in (leaf..self.rows.len()).step_by(self.leaves) {
            let message = &mut self.messages[kernel];
            product::<LOGS, FUSED>(&self.rows[kernel], 1, &self.scalings[leaf + 1], message);
        }
    }

    #[inline(always)]
    pub(super) fn note_total<const LOGS: bool, const FUSED: bool>(&mut self, microphone: usize) {
        if self.outlier.is_some() {
            self.totals[microphone] = total::<LOGS, FUSED>(self.scalings[microphone].get());
        }
    }

    /// What the outlier source makes of the scalings of all microphones but one.
    #[inline(always)]
    pub(crate) fn background<const LOGS: bool>(&self, without: usize) -> f64 {
        let Some(weight) = self.outlier else { return zero::<LOGS>() };
        let mut product = weight;
        for (microphone, sum) in self.totals.iter().enumerate() {
            if microphone != without {
                product = times::<LOGS>(product, *sum);
            }
        }
        product
    }

    /// What a source makes at the centre.
    #[inline(always)]
    pub(crate) fn at_centre<const LOGS: bool>(&mut self, source: usize) -> &[f64] {
        self.made.fill(one::<LOGS>());
        let messages = &self.messages[source * self.leaves..][..self.leaves];
        hear::<LOGS>(messages, self.leaves, &mut self.made);
        &self.made
    }

    /// What a source makes at a leaf.
    #[inline(always)]
    pub(crate) fn at_leaf<const LOGS: bool, const FUSED: bool>(
        &mut self,
        source: usize,
        leaf: usize,
    ) -> &[f64] {
        self.beside.get_mut().copy_from_slice(self.scalings[0].get());
        let messages = &self.messages[source * self.leaves..][..self.leaves];
        hear::<LOGS>(messages, leaf, self.beside.get_mut());
        let row = &self.rows[source * self.leaves + leaf];
        product::<LOGS, FUSED>(row, -1, &self.beside, &mut self.made);
        &self.made
    }

    /// What all sources make at the centre.
    #[inline(always)]
    pub(super) fn gather<const LOGS: bool, const FUSED: bool>(&mut self, seen: &mut [f64]) {
        for source in 0..self.rows.len() / self.leaves {
            join::<LOGS, FUSED>(source == 0, self.at_centre::<LOGS>(source), seen);
        }
    }

    /// What all sources make at a leaf; and the mass of every lag, if asked for, weighted, so many
    /// numbers for every kernel.
    #[inline(always)]
    pub(super) fn spread<const LOGS: bool, const FUSED: bool>(
        &mut self,
        leaf: usize,
        seen: &mut [f64],
        mut masses: Option<(&mut [f64], usize, f64)>,
    ) {
        for source in 0..self.rows.len() / self.leaves {
            join::<LOGS, FUSED>(source == 0, self.at_leaf::<LOGS, FUSED>(source, leaf), seen);
            if let Some((masses, width, share)) = &mut masses {
                let kernel = source * self.leaves + leaf;
                let out = &mut masses[kernel * *width..][..*width];
                let (centre, u) = (self.beside.get(), self.scalings[leaf + 1].get());
                lag_masses::<LOGS, FUSED>(&self.rows[kernel], centre, u, *share, out);
            }
        }
    }
}

/// `out` times the messages of all leaves but one.
#[inline(always)]
fn hear<const LOGS: bool>(messages: &[Vec<f64>], without: usize, out: &mut [f64]) {
    for (leaf, message) in messages.iter().enumerate() {
        if leaf == without {
            continue;
        }
        for (out, message) in out.iter_mut().zip(message) {
            *out = times::<LOGS>(*out, *message);
        }
    }
}

/// Adds to what is there, unless it is the first.
#[inline(always)]
fn join<const LOGS: bool, const FUSED: bool>(first: bool, more: &[f64], sum: &mut [f64]) {
    if first {
        sum.copy_from_slice(more);
        return;
    }
    for (sum, more) in sum.iter_mut().zip(more) {
        *sum = plus::<LOGS, FUSED>(*sum, *more);
    }
}
