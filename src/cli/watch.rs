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
    begin: Instant,
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
            let template = "{elapsed_precise} {bar:20} {pos}/{len} {wide_msg}";
            // A template that does not parse leaves the default one.
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            Display::Bar(bar)
        } else {
            Display::Lines { last: Instant::now() }
        };
        Self { begin: Instant::now(), display, residual }
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
        let left = time_left(progress, self.begin.elapsed().as_secs_f64());
        match &mut self.display {
            Display::None => {}
            Display::Bar(bar) => {
                bar.set_length(progress.max_iterations as u64);
                bar.set_position(progress.iteration as u64);
                bar.set_message(part(progress) + &standing(what, progress) + &left);
            }
            Display::Lines { last } => {
                if last.elapsed() >= BETWEEN_LINES {
                    *last = Instant::now();
                    let (iteration, most) = (progress.iteration, progress.max_iterations);
                    let (part, standing) = (part(progress), standing(what, progress));
                    let line = format!("{part}iteration {iteration} of {most}: {standing}{left}");
                    writeln!(std::io::stderr(), "{line}").ok();
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

/// Which part of how many this is, where there are several.
fn part(progress: &Progress) -> String {
    let (part, parts) = progress.part;
    if parts > 1 { format!("part {part} of {parts}, ") } else { String::new() }
}

/// How far it is from the end, and what it found so far.
fn standing(what: &str, progress: &Progress) -> String {
    let Progress { residual, tolerance, epsilon, cost, .. } = progress;
    let epsilon = epsilon.map_or(String::new(), |epsilon| format!(", at epsilon {epsilon:.3e}"));
    let cost = cost.map_or(String::new(), |cost| format!(", cost {cost:.6e}"));
    let standing = match (*tolerance == 0.0, residual.fract() == 0.0) {
        // A count.
        (true, true) => format!("{what} {residual}"),
        (true, false) => format!("{what} {residual:.1e}"),
        _ => format!("{what} {residual:.1e}, to reach {tolerance:.1e}"),
    };
    standing + &epsilon + &cost
}

/// How long it will take still, where all iterations are used and the end is known.
fn time_left(progress: &Progress, seconds: f64) -> String {
    let share = progress.iteration as f64 / progress.max_iterations.max(1) as f64;
    let (part, parts) = progress.part;
    let done = (part.saturating_sub(1) as f64 + share.min(1.0)) / parts.max(1) as f64;
    if progress.tolerance > 0.0 || done <= 0.0 {
        return String::new();
    }
    format!(", {} left", duration(seconds * (1.0 - done) / done))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_say_how_far_it_is_and_how_long_it_takes() {
        let progress = Progress { part: (3, 4), ..Progress::new(50, 100, 2e-3, 1e-6) };
        assert_eq!(part(&progress), "part 3 of 4, ");
        assert_eq!(standing("error", &progress), "error 2.0e-3, to reach 1.0e-6");
        assert_eq!(time_left(&progress, 10.0), "");
        let count = Progress { epsilon: Some(0.5), ..Progress::new(25, 100, 75.0, 0.0) };
        assert_eq!(part(&count), "");
        assert_eq!(standing("epochs left", &count), "epochs left 75, at epsilon 5.000e-1");
        assert_eq!(time_left(&count, 10.0), ", 30 s left");
    }
}
