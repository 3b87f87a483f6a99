//! Progress on stderr: a bar on a terminal, now and then a line elsewhere.

use std::io::{IsTerminal, Write};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use gaspard::{Observer, Progress};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::interrupt;

/// Time between the lines where there is no terminal: long runs leave a short log, short runs none.
const BETWEEN_LINES: Duration = Duration::from_secs(2);

/// Shows how a solve gets on, and passes Ctrl-C on to it.
pub(super) struct Watch {
    display: Display,
    /// What the residual is.
    residual: &'static str,
}

enum Display {
    None,
    Bar(ProgressBar),
    Lines { last: Instant },
}

impl Watch {
    /// Shows nothing if `quiet`, but still listens for Ctrl-C. `residual` is what progress is
    /// measured by.
    pub(super) fn new(quiet: bool, residual: &'static str) -> Self {
        let display = if quiet {
            Display::None
        } else if std::io::stderr().is_terminal() {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            let template = "{elapsed_precise} {bar:30} {pos}/{len} {msg}";
            // A template that does not parse leaves the default one.
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            Display::Bar(bar)
        } else {
            Display::Lines { last: Instant::now() }
        };
        Self { display, residual }
    }

    /// Shows how far a collection is that is worked through in groups.
    pub(super) fn pairs(&mut self, done: f64, all: usize, seconds_left: f64) -> ControlFlow<()> {
        let left = format!("{}, {} left", self.residual, duration(seconds_left));
        match &mut self.display {
            Display::None => {}
            Display::Bar(bar) => {
                bar.set_length(all as u64);
                bar.set_position(done as u64);
                bar.set_message(left);
            }
            Display::Lines { last } => {
                if last.elapsed() >= BETWEEN_LINES {
                    *last = Instant::now();
                    writeln!(std::io::stderr(), "{done:.0} of {all} {left}").ok();
                }
            }
        }
        ControlFlow::Continue(())
    }
}

/// As people say it.
fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 100.0 => format!("{s:.0} s"),
        s if s < 6000.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}

impl Observer for Watch {
    fn progress(&mut self, progress: &Progress) -> ControlFlow<()> {
        let what = self.residual;
        match &mut self.display {
            Display::None => {}
            Display::Bar(bar) => {
                bar.set_length(progress.max_iterations as u64);
                bar.set_position(progress.iteration as u64);
                bar.set_message(standing(what, progress));
            }
            Display::Lines { last } => {
                if last.elapsed() >= BETWEEN_LINES {
                    *last = Instant::now();
                    let (iteration, standing) = (progress.iteration, standing(what, progress));
                    writeln!(std::io::stderr(), "iteration {iteration}: {standing}").ok();
                }
            }
        }
        ControlFlow::Continue(())
    }

    fn interrupted(&self) -> bool {
        interrupt::requested()
    }
}

/// Shows nothing, and passes Ctrl-C on.
pub(super) struct Interrupts;

impl Observer for Interrupts {
    fn progress(&mut self, _: &Progress) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn interrupted(&self) -> bool {
        interrupt::requested()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Display::Bar(bar) = &self.display {
            bar.finish_and_clear();
        }
    }
}

fn standing(what: &str, progress: &Progress) -> String {
    let Progress { residual, tolerance, epsilon, cost, part: (part, parts), .. } = progress;
    let part = if *parts > 1 { format!("{part} of {parts}: ") } else { String::new() };
    let epsilon = epsilon.map_or(String::new(), |epsilon| format!(", at epsilon {epsilon:.3e}"));
    let cost = cost.map_or(String::new(), |cost| format!(", cost {cost:.6e}"));
    if *tolerance == 0.0 && residual.fract() == 0.0 {
        // A count.
        return format!("{part}{what} {residual}{epsilon}{cost}");
    }
    format!("{part}{what} {residual:.1e}, to reach {tolerance:.1e}{epsilon}{cost}")
}
