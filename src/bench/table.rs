//! A report for people.

use super::{Binding, Report, Row};

/// The report as an aligned table.
pub fn table(report: &Report) -> String {
    let Report { device, driver, version, commit, clock, ceilings, rows } = report;
    let commit = commit.as_ref().map_or_else(String::new, |commit| format!(" ({commit})"));
    let mut text = format!("{device} {driver}").trim().to_owned();
    text += &format!("\ngaspard {version}{commit}, times by {clock}\n");
    text += &format!(
        "ceilings: {}B/s copied, {}exp/s, {}flop/s\n\n",
        scaled(ceilings.bytes),
        scaled(ceilings.exponentials),
        scaled(ceilings.flops)
    );
    let header = ["case", "size", "median", "best", "roofline", "reached", "binding"];
    let mut lines = vec![header.map(str::to_owned)];
    lines.extend(rows.iter().map(cells));
    let width =
        |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 7] = std::array::from_fn(width);
    for line in &lines {
        for (column, (cell, &width)) in line.iter().zip(&widths).enumerate() {
            // Words to the left, numbers to the right.
            text += &match column {
                0 | 1 => format!("{cell:width$}  "),
                6 => cell.clone(),
                _ => format!("{cell:>width$}  "),
            };
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}

fn cells(row: &Row) -> [String; 7] {
    [
        row.name.clone(),
        row.size.clone(),
        duration(row.seconds),
        duration(row.best_seconds),
        row.roofline.map_or_else(|| "-".to_owned(), duration),
        row.fraction
            .map_or_else(|| "-".to_owned(), |fraction| format!("{:.1} %", 100.0 * fraction)),
        match row.binding {
            Some(Binding::Exponentials) => "exponentials",
            Some(Binding::Bandwidth) => "bandwidth",
            Some(Binding::MultiplyAdds) => "multiply-adds",
            None => "",
        }
        .to_owned(),
    ]
}

/// A time with three or four digits: `12.34 ms`; `-` for one that was not taken.
fn duration(seconds: f64) -> String {
    match seconds {
        s if s.is_nan() => "-".to_owned(),
        s if s >= 1.0 => format!("{s:.3} s"),
        s if s >= 1e-3 => format!("{:.3} ms", 1e3 * s),
        s => format!("{:.3} us", 1e6 * s),
    }
}

/// A rate with its prefix: `1.23 G`.
fn scaled(rate: f64) -> String {
    match rate {
        r if r >= 1e12 => format!("{:.2} T", r / 1e12),
        r if r >= 1e9 => format!("{:.2} G", r / 1e9),
        r => format!("{:.2} M", r / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Ceilings, Counts};
    use super::*;

    #[test]
    fn columns_line_up() {
        let row = |name: &str, seconds: f64| Row {
            name: name.to_owned(),
            size: "8 x 8".to_owned(),
            counts: Counts::default(),
            seconds,
            best_seconds: seconds,
            roofline: Some(seconds / 2.0),
            binding: Some(Binding::Bandwidth),
            fraction: Some(0.5),
        };
        let exact = Row { roofline: None, binding: None, fraction: None, ..row("exact", 2.5) };
        let skipped = Row {
            seconds: f64::NAN,
            best_seconds: f64::NAN,
            ..Row { name: "large".to_owned(), ..exact.clone() }
        };
        let report = Report {
            device: "a device".to_owned(),
            driver: String::new(),
            version: "1".to_owned(),
            commit: None,
            clock: "wall clock".to_owned(),
            ceilings: Ceilings { bytes: 2e10, exponentials: 1.5e9, flops: 3e12 },
            rows: vec![row("softmin", 1.25e-3), exact, skipped],
        };
        let expected = "\
a device
gaspard 1, times by wall clock
ceilings: 20.00 GB/s copied, 1.50 Gexp/s, 3.00 Tflop/s

case     size     median      best    roofline  reached  binding
softmin  8 x 8  1.250 ms  1.250 ms  625.000 us   50.0 %  bandwidth
exact    8 x 8   2.500 s   2.500 s           -        -
large    8 x 8         -         -           -        -
";
        assert_eq!(table(&report), expected);
    }
}
