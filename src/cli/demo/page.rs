//! The page: every step with its pictures, its sounds, its command and its numbers.

use std::fmt::Write;

use super::Done;

const HEAD: &str = "\
<!doctype html>
<html lang=\"en\">
<meta charset=\"utf-8\">
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">
<title>gaspard</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
       color: #222; background: #fff; }
h2 { margin: 2.5rem 0 0; }
img { max-height: 20rem; max-width: 100%; margin: .5rem .5rem 0 0; image-rendering: pixelated;
      border: 1px solid #ddd; }
audio { display: block; margin: .25rem 0; }
pre { background: #f4f4f4; padding: .75rem; white-space: pre-wrap; }
</style>
<h1>gaspard</h1>
<p>Optimal transport on GPUs and CPUs. Everything on this page was made in this folder by the commands
shown.</p>
";

pub(super) fn html(steps: &[Done]) -> String {
    let mut page = HEAD.to_owned();
    for step in steps {
        section(&mut page, step).expect("a string takes everything");
    }
    page
}

fn section(page: &mut String, step: &Done) -> std::fmt::Result {
    writeln!(page, "<h2>{}</h2>\n<p>{}</p>", step.title, step.text)?;
    for picture in &step.pictures {
        writeln!(page, "<img src=\"{picture}\" alt=\"{picture}\">")?;
    }
    for sound in &step.sounds {
        writeln!(page, "<label>{sound} <audio controls src=\"{sound}\"></audio></label>")?;
    }
    writeln!(page, "<pre>gaspard {}</pre>", step.command)?;
    let ending = match step.exit_code {
        Some(0) => String::new(),
        Some(3) => ", not converged".to_owned(),
        Some(130) => ", interrupted".to_owned(),
        _ => ", failed".to_owned(),
    };
    write!(page, "<p>{:.1} s{ending}", step.seconds)?;
    for (name, value) in &step.numbers {
        write!(page, "; {name} {value:.4}")?;
    }
    writeln!(page, "</p>")
}
