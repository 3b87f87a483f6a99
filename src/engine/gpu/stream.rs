//! The stream of launches: recorded on the host, submitted in pieces of bounded time.
//!
//! Submissions are cut by predicted time so that progress, Ctrl-C and driver watchdogs live, and
//! at most two are in flight, so that the host never runs far ahead. The prediction learns the
//! device's rate from each piece that completes.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Predicted time of one submission.
const PIECE: Duration = Duration::from_millis(80);
/// Submissions that may be on the device at once.
const IN_FLIGHT: usize = 2;
/// Launches recorded before a submission is made whatever their predicted time.
const MAX_RECORDED: usize = 1024;
/// Operations a second assumed before anything was measured: a slow device.
const FIRST_RATE: f64 = 1e8;

/// A launch, ready to be encoded.
pub(super) struct Recorded {
    pub kernel: &'static str,
    pub pipeline: Arc<wgpu::ComputePipeline>,
    pub bind_group: wgpu::BindGroup,
    pub immediates: Vec<u8>,
    pub workgroups: [u32; 2],
}

pub(super) enum Command {
    Dispatch(Recorded),
    Copy { source: wgpu::Buffer, target: wgpu::Buffer, bytes: u64 },
}

struct Piece {
    index: wgpu::SubmissionIndex,
    work: f64,
    submitted: Instant,
    done: mpsc::Receiver<Instant>,
}

pub(super) struct Stream {
    recorded: Vec<Command>,
    work: f64,
    rate: f64,
    flying: VecDeque<Piece>,
    last_done: Instant,
}

impl Stream {
    pub(super) fn new() -> Self {
        Self {
            recorded: Vec::new(),
            work: 0.0,
            rate: FIRST_RATE,
            flying: VecDeque::new(),
            last_done: Instant::now(),
        }
    }

    /// The most work that one launch should carry.
    pub(super) fn work_per_launch(&self) -> f64 {
        self.rate * PIECE.as_secs_f64()
    }

    /// Adds a command; true if it is time to submit.
    pub(super) fn push(&mut self, command: Command, work: f64) -> bool {
        self.recorded.push(command);
        self.work += work;
        self.work >= self.work_per_launch() || self.recorded.len() >= MAX_RECORDED
    }

    /// Takes what was recorded, with its work.
    pub(super) fn take(&mut self) -> (Vec<Command>, f64) {
        (std::mem::take(&mut self.recorded), std::mem::take(&mut self.work))
    }

    /// Notes a submission, then waits until few enough are in flight.
    pub(super) fn submitted(
        &mut self,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        index: wgpu::SubmissionIndex,
        work: f64,
    ) {
        let (sender, done) = mpsc::channel();
        queue.on_submitted_work_done(move || {
            // The receiver may be gone when the engine is being dropped.
            let _ = sender.send(Instant::now());
        });
        self.flying.push_back(Piece { index, work, submitted: Instant::now(), done });
        while self.flying.len() > IN_FLIGHT {
            self.land_first(device);
        }
    }

    /// Waits for everything in flight.
    pub(super) fn drain(&mut self, device: &wgpu::Device) {
        while !self.flying.is_empty() {
            self.land_first(device);
        }
    }

    fn land_first(&mut self, device: &wgpu::Device) {
        let Some(piece) = self.flying.pop_front() else { return };
        // A lost device makes this fail; the fault handler has the reason and the next call
        // returns it.
        let _ = device
            .poll(wgpu::PollType::Wait { submission_index: Some(piece.index), timeout: None });
        let Ok(done) = piece.done.try_recv() else { return };
        let busy = done.saturating_duration_since(piece.submitted.max(self.last_done));
        self.last_done = done;
        self.learn(piece.work, busy);
    }

    /// Learns from a piece that took this long.
    pub(super) fn learn(&mut self, work: f64, busy: Duration) {
        self.rate = learned(self.rate, work, busy);
    }
}

/// The rate after a piece. Submitting takes time of its own, so a piece measures at least the
/// device's time: that it was fast is always news, that it was slow only if it was a full one or
/// took longer than any should. Steps are bounded, because the host notes the end of a piece
/// only when it next looks.
fn learned(rate: f64, work: f64, busy: Duration) -> f64 {
    let measured = work / busy.as_secs_f64().max(1e-9);
    let full = work >= 0.5 * rate * PIECE.as_secs_f64();
    if measured < rate && !full && busy <= PIECE {
        return rate;
    }
    (0.5 * (rate + measured)).clamp(0.25 * rate, 4.0 * rate).clamp(1e6, 1e15)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rate after pieces of the predicted size on a device that does so many operations a
    /// second and takes so long for any submission.
    fn settled(mut rate: f64, truth: f64, overhead: f64) -> f64 {
        for _ in 0..40 {
            let work = rate * PIECE.as_secs_f64();
            rate = learned(rate, work, Duration::from_secs_f64(work / truth + overhead));
        }
        rate
    }

    #[test]
    fn the_rate_of_a_fast_device_is_found_from_below_and_of_a_slow_one_from_above() {
        for truth in [1e7, 1e9, 1e12, 1e13] {
            let rate = settled(FIRST_RATE, truth, 50e-6);
            assert!(rate > 0.9 * truth && rate < 1.1 * truth, "{truth:e}: {rate:e}");
        }
    }

    #[test]
    fn small_pieces_do_not_make_a_device_look_slow() {
        let rate = learned(1e10, 1e5, Duration::from_millis(1));
        assert_eq!(rate, 1e10);
    }
}
